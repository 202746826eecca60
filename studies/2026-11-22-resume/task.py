"""A task of seconds that counts its training steps in a file, named by KILL_RESUME_LOG: a byte a step."""

import os

import torch
from torch import nn

epochs = 18
batch_size = 16
loss = nn.CrossEntropyLoss()
_log = os.environ.get("KILL_RESUME_LOG")
_file = os.open(_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if _log else None


class Counting(nn.Sequential):
    def forward(self, X):
        if self.training and _file is not None:
            os.write(_file, b".")  # at once: it is there whatever becomes of the process
        return super().forward(X)


def model():
    layers = nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3)
    return Counting(*layers)


def _rows(count, seed):
    X = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return X, (X[:, :3] + 0.5 * X[:, 3:6].sin()).argmax(1)


train_data = _rows(192, 0)
val_data = _rows(100, 1)
