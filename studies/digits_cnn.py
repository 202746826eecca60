"""Handwritten digits, 8 × 8 pixels, with a small convolutional network with batch norm.

The same 1,797 images as in digits_mlp.py, split here into training, validation and test data.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

epochs = 10
metric = "accuracy"
loss = nn.CrossEntropyLoss(label_smoothing=0.05)

images, digits = load_digits(return_X_y=True)
rows = TensorDataset(
    torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8),
    torch.tensor(digits, dtype=torch.long),
)
train_rows, val_data, test_data = random_split(rows, [0.6, 0.2, 0.2], torch.Generator().manual_seed(0))
train_data = DataLoader(train_rows, batch_size=32, shuffle=True)


class SmallCNN(nn.Module):
    """Two convolutions, the second one on half the resolution, and a linear layer."""

    def __init__(self, width=12):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )
        self.head = nn.Linear(8 * width, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


model = SmallCNN
