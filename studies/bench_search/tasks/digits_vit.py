"""Handwritten digits with a small vision transformer: sixteen patches of 2 × 2, one block, dropout.

The 1,797 images that scikit-learn ships, under noise: 480 to train on, 400 and 800 to score. The architecture is
that of Dosovitskiy and others, An Image is Worth 16x16 Words, 2021, far smaller.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

epochs = 9
batch_size = 24
loss = nn.CrossEntropyLoss()

images, digits = load_digits(return_X_y=True)
draw = torch.Generator().manual_seed(4)
order = torch.randperm(len(images), generator=draw)
pixels = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 4, 2, 4, 2)
patches = pixels.permute(0, 1, 3, 2, 4).reshape(-1, 16, 4)
patches = patches + 0.25 * torch.randn(patches.shape, generator=draw)
rows = patches[order], torch.tensor(digits)[order]
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 480), (480, 880), (880, 1680))
)


class PatchReader(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Linear(4, width)
        self.places = nn.Parameter(0.02 * torch.randn(16, width))
        self.block = nn.TransformerEncoderLayer(
            width, nhead=2, dim_feedforward=2 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, patches):
        return self.head(self.block(self.embed(patches) + self.places).mean(dim=1))


model = PatchReader
