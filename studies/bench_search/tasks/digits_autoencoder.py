"""Handwritten digits through a bottleneck of six numbers and back: a deep autoencoder.

The 1,797 images that scikit-learn ships; deep autoencoders of digits are an old test of optimizers (Hinton and
Salakhutdinov, Science 2006; Martens, ICML 2010). 400 images to train on, 496 and 901 to score.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

epochs = 9
batch_size = 16
loss = "mse_loss"

images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(3))]
train_data, val_data, test_data = ((part, part) for part in images.split([400, 496, 901]))


def model():
    return nn.Sequential(
        nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 6), nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 64)
    )  # fmt: skip
