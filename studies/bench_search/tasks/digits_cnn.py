"""Handwritten digits in noise with a small convolutional network: 640 images to train on, 384 and 773 to score.

The 1,797 images that scikit-learn ships, with Gaussian noise of three tenths of the grey range, so that they stay hard.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

epochs = 9
batch_size = 32
loss = nn.CrossEntropyLoss()

images, digits = load_digits(return_X_y=True)
draw = torch.Generator().manual_seed(1)
order = torch.randperm(len(images), generator=draw)
clean = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
rows = (clean + 0.3 * torch.randn(clean.shape, generator=draw))[order], torch.tensor(digits)[order]
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 640), (640, 1024), (1024, 1797))
)


def model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10)
    )  # fmt: skip
