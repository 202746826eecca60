"""Handwritten digits, moved about at random, with a small residual network with batch norm.

The 1,797 images that scikit-learn ships, each at a random place of a canvas of 10 × 10 under noise: 480 to train
on, 400 and 800 to score.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

epochs = 9
batch_size = 32
loss = nn.CrossEntropyLoss(label_smoothing=0.05)

images, digits = load_digits(return_X_y=True)
draw = torch.Generator().manual_seed(2)
order = torch.randperm(len(images), generator=draw)
canvas = 0.2 * torch.randn(len(images), 1, 10, 10, generator=draw)
for image, picture, (down, right) in zip(
    torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 8, 8),
    canvas[:, 0],
    torch.randint(0, 3, (len(images), 2), generator=draw).tolist(),
    strict=True,
):
    picture[down : down + 8, right : right + 8] += image
rows = canvas[order], torch.tensor(digits)[order]
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 480), (480, 880), (880, 1680))
)


class Block(nn.Module):
    """Two convolutions with batch norm beside a skip connection."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x):
        return torch.relu(x + self.inner(x))


def model(width=12):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        Block(width), Block(width), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10),
    )  # fmt: skip
