"""A store in memory and one in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoopt.records.store import Store

from .examples import make_study


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in memory with one study, ``digits``."""
    with Store.open(":memory:") as opened:
        opened.create_study(make_study())
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be."""
    return tmp_path / "autoopt.db"


@pytest.fixture
def file_store(path: Path) -> Iterator[Store]:
    """A store in a file with one study, ``digits``."""
    with Store.open(path) as opened:
        opened.create_study(make_study())
        yield opened
