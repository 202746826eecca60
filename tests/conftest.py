"""What holds for all tests."""

import os
import signal
import sys

import pytest
from hypothesis import settings

# Before torch is imported. There is a test worker a core already; and OpenMP threads that wait for each other on a
# taken core by spinning make a small training step slower by orders of magnitude.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KERAS_BACKEND", "torch")  # before Keras is imported, by whichever test that may be

# What CI says of a commit must not depend on luck; at home every run looks for new cases.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_works():
    """A shell starts background jobs with Ctrl-C ignored, and children inherit that; the tests press it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def state_folder(tmp_path_factory, monkeypatch):
    """What a database does not take may be kept in a folder of the user's: here in one of the test's own."""
    folder = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _the_main_module_stays():
    """Streamlit's AppTest leaves its script as the main module, which children of multiprocessing would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
