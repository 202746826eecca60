"""An MLP-Mixer, after Tolstikhin et al., MLP-Mixer: An all-MLP Architecture for Vision, 2021.

Patches of 2 × 2 pixels through one linear map (a convolution whose stride is its width), then layers that mix
places and channels by turns, each beside a skip connection. Data: scikit-learn's digits, 8 × 8 pixels.
"""

from sklearn.datasets import load_digits
from torch import nn

epochs = 5
batch_size = 64
metric = "accuracy"


def perceptron(width, hidden):
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class Mixer(nn.Module):
    """Mixes the places of each channel, then the channels of each place."""

    def __init__(self, places, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.places, self.channels = perceptron(places, 2 * places), perceptron(width, 4 * width)

    def forward(self, x):
        x = x + self.places(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class MLPMixer(nn.Module):
    def __init__(self, width=32, layers=2, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(1, width, kernel_size=2, stride=2)
        self.mixers = nn.Sequential(*(Mixer(16, width) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.mixers(x)).mean(dim=1))


model = MLPMixer


def train_data():
    images, digits = load_digits(return_X_y=True)
    return images.reshape(-1, 1, 8, 8) / 16, digits
