"""Handwritten digits, 8 × 8 pixels, with a small multilayer perceptron.

1,797 images that scikit-learn ships. No validation data are given, so a stratified fifth is held out.
"""

from sklearn.datasets import load_digits
from torch import nn

epochs = 40
batch_size = 64
metric = "accuracy"


def model():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def train_data():
    X, y = load_digits(return_X_y=True)
    return X / 16, y
