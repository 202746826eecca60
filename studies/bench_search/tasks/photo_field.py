"""The colour of a photograph at a place: a neural field of coordinates, with Fourier features.

Every tenth pixel of the flower that scikit-learn ships (CC BY), 2,752 places: 1,280 to train on, 640 and 832 to score.
The features are those of Tancik and others, Fourier Features Let Networks Learn High Frequency Functions, 2020.
"""

import math

import torch
from sklearn.datasets import load_sample_image
from torch import nn

epochs = 9
batch_size = 64
loss = "mse_loss"

photo = torch.tensor(load_sample_image("flower.jpg")[::10, ::10] / 255.0).float()
high, wide, _ = photo.shape
places = torch.cartesian_prod(torch.linspace(-1, 1, high), torch.linspace(-1, 1, wide))
draw = torch.Generator().manual_seed(6)
order = torch.randperm(len(places), generator=draw)
rows = places[order], (photo.reshape(-1, 3)[order] - photo.mean((0, 1))) / photo.std((0, 1))
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 1280), (1280, 1920), (1920, len(places)))
)


class Field(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.register_buffer(
            "waves", math.pi * torch.randn(2, 16, generator=torch.Generator().manual_seed(7))
        )
        self.inner = nn.Sequential(
            nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)
        )

    def forward(self, places):
        turns = places @ self.waves
        return self.inner(torch.cat([turns.sin(), turns.cos()], dim=1))


model = Field
