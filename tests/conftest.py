"""What holds for all tests."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_works():
    """A shell starts background jobs with Ctrl-C ignored, and children inherit that; the tests press it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
