"""A number from ten measurements, five of them noise: Friedman's first function, 3,000 rows.

y = 10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + noise, made by scikit-learn and standardised here.
"""

from sklearn.datasets import make_friedman1
from torch import nn

epochs = 25
batch_size = 64
metric = "mae"


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.value = nn.Linear(64, 1)

    def forward(self, x):
        return self.value(self.hidden(x))


def model():
    return Regressor()


def train_data():
    X, y = make_friedman1(n_samples=3000, n_features=10, noise=1.0, random_state=0)
    return (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
