"""Which of three waves is it? Noisy sequences of 12 steps, read by a small GRU: 400 to train on, 400 and 800 to score.

A sine, a square and a saw-tooth wave of random frequency and phase, under noise; made here.
"""

import math

import torch
from torch import nn

epochs = 9
batch_size = 20
loss = nn.CrossEntropyLoss()
STEPS = 12


def make_waves(rows, seed):
    """Sequences (rows, steps, 1) and the kind of wave of each (rows,)."""
    draw = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, 3, (rows,), generator=draw)
    frequency = 1 + torch.rand(rows, 1, generator=draw)
    phase = frequency * torch.linspace(0, 1, STEPS) + torch.rand(rows, 1, generator=draw)
    waves = torch.stack(
        [(2 * math.pi * phase).sin(), (2 * math.pi * phase).sin().sign(), 2 * (phase % 1) - 1], dim=1
    )
    chosen = waves[torch.arange(rows), kinds]
    return (chosen + 0.2 * torch.randn(rows, STEPS, generator=draw)).unsqueeze(-1), kinds


train_data = make_waves(400, seed=1)
val_data = make_waves(400, seed=2)
test_data = make_waves(800, seed=3)


class WaveReader(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.gru = nn.GRU(1, width, batch_first=True)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        _, last = self.gru(x)
        return self.head(last[0])


model = WaveReader
