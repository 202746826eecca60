"""Task files for the tests: written into a folder of their own, and what they need most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PLAIN = """
import torch
from torch import nn

X = torch.randn(60, 4)
y = torch.arange(60) % 3
train_data = (X, y)


def model():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
"""

WriteTask = Callable[..., Path]


@pytest.fixture
def write_task(tmp_path: Path) -> WriteTask:
    """Write a task file: the plain one, with more lines after it, or another text; and files beside it."""

    def write(more: str = "", *, text: str = PLAIN, name: str = "task.py", **beside: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + more)
        for stem, content in beside.items():
            (path.parent / f"{stem}.py").write_text(content)
        return path

    return write
