"""MLP-Mixer (Tolstikhin et al. 2021) on scikit-learn's digits."""

from sklearn.datasets import load_digits
from torch import nn


class MixerBlock(nn.Module):
    def __init__(self, patches, channels, tokens_hidden, channels_hidden):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.tokens = nn.Sequential(
            nn.Linear(patches, tokens_hidden), nn.GELU(), nn.Linear(tokens_hidden, patches)
        )
        self.channels = nn.Sequential(
            nn.Linear(channels, channels_hidden), nn.GELU(), nn.Linear(channels_hidden, channels)
        )

    def forward(self, x):
        x = x + self.tokens(self.norm_1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm_2(x))


class Mixer(nn.Module):
    def __init__(self, size=8, patch=2, channels=32, depth=2, classes=10):
        super().__init__()
        patches = (size // patch) ** 2
        self.stem = nn.Conv2d(1, channels, patch, stride=patch)
        self.blocks = nn.Sequential(*(MixerBlock(patches, channels, 16, 64) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(channels), nn.Linear(channels, classes)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))


model = Mixer


def train_data():
    X, y = load_digits(return_X_y=True)
    return X.reshape(-1, 1, 8, 8) / 16, y
