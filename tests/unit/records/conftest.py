"""A store in memory, one in a file, and a PostgreSQL server made for the tests and gone after them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoopt.records.store import Store

from .examples import make_study

# Debian keeps these out of the PATH; scripts/postgresql installs them.
PROGRAMS = [shutil.which("pg_ctl"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))]


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


def server_user() -> str | None:
    """The account that the server runs under: it refuses to be root's."""
    return "postgres" if os.geteuid() == 0 else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database: that which ``AUTOOPT_TEST_POSTGRESQL`` names, or one behind a socket, on a server of its own."""
    if url := os.environ.get("AUTOOPT_TEST_POSTGRESQL"):
        yield url
        return
    control = next((str(each) for each in PROGRAMS if each), None)
    if control is None:
        if os.environ.get("CI"):  # which installs it; at home nobody need have a server
            pytest.fail("there is no PostgreSQL here: scripts/postgresql installs one")
        pytest.skip("there is no PostgreSQL here: scripts/postgresql installs one")
    # short, as a socket's path must be, and not under a private folder
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if server_user():
        shutil.chown(folder, server_user())

    def run(*arguments: str) -> None:
        subprocess.run([control, *arguments], user=server_user(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=folder)  # fmt: skip

    data = str(folder / "data")
    try:
        run("init", "-D", data, "-o", "--auth=trust --username=tests --no-sync")
        options = f"-c listen_addresses= -c fsync=off -k {folder}"
        run("start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
        yield f"postgresql+psycopg://tests@/postgres?host={folder}"
        run("stop", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(folder)
