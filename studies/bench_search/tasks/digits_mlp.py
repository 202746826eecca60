"""Handwritten digits, 8 × 8 pixels, with a multilayer perceptron: 384 rows to train on, 512 and 901 to score.

The 1,797 images that scikit-learn ships (Alpaydin and Kaynak, UCI, 1998).
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

epochs = 9
batch_size = 16
loss = nn.CrossEntropyLoss()

images, digits = load_digits(return_X_y=True)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
rows = torch.tensor(images / 16, dtype=torch.float32)[order], torch.tensor(digits)[order]
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 384), (384, 896), (896, 1797))
)


def model():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
