"""What is tuned while faults happen: a small net on made-up data, some 20 ms an epoch."""

import torch
from torch import nn

from studies.chaos.logs import keep_logs

ROWS = 1024
epochs = 9
batch_size = 32
name = "chaos"
keep_logs()  # of helpers too, who load nothing else of the campaign


def data(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return noisy values of a smooth function."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(ROWS, 6, generator=generator)
    noise = 0.1 * torch.randn(ROWS, 1, generator=generator)
    return inputs, torch.sin(2 * inputs[:, :1]) + inputs[:, 1:2] * inputs[:, 2:3] + noise


def model() -> nn.Module:
    """Return a fresh net."""
    return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))


def train_data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is trained on."""
    return data(0)


def val_data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is measured on."""
    return data(1)
