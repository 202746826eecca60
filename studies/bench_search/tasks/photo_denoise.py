"""Noise taken out of patches of two photographs, with a convolutional network that predicts the noise.

Grey patches of 12 × 12 out of the pictures that scikit-learn ships (china.jpg and flower.jpg, CC BY): 400 to train on,
300 and 600 to score. The idea is that of Zhang and others, Beyond a Gaussian Denoiser, 2017, far smaller.
"""

import torch
from sklearn.datasets import load_sample_images
from torch import nn

epochs = 9
batch_size = 20
loss = "mse_loss"
SIDE = 12

photos = torch.stack([torch.tensor(image.mean(-1) / 255.0) for image in load_sample_images().images]).float()
draw = torch.Generator().manual_seed(5)


def make_patches(rows):
    """Noisy patches (rows, 1, side, side) and their noise, of the same shape."""
    which = torch.randint(0, len(photos), (rows,), generator=draw).tolist()
    down = torch.randint(0, photos.shape[1] - SIDE, (rows,), generator=draw).tolist()
    right = torch.randint(0, photos.shape[2] - SIDE, (rows,), generator=draw).tolist()
    clean = torch.stack(
        [photos[k, i : i + SIDE, j : j + SIDE] for k, i, j in zip(which, down, right, strict=True)]
    )
    noise = 0.2 * torch.randn(clean.shape, generator=draw)
    return ((clean - 0.5 + noise) / 0.25).unsqueeze(1), noise.unsqueeze(1) / 0.2


train_data, val_data, test_data = make_patches(400), make_patches(300), make_patches(600)


def model(width=12):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, 1, 3, padding=1),
    )  # fmt: skip
