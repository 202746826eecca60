"""A little of ``scripts/fuzz`` on every run."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import TARGETS, perform


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=200))
def test_nothing_but_an_error_of_autoopt_comes_out(name, data):
    perform(name, data)


# What the fuzzer found once, each as the bytes that led there.
FOUND = [
    (
        "storages",
        b"H\xf0\xa5]\xf7\xbe\x8c\x8cwp\xe7Y\xda\x86\x87*\x9f\x1b\xc2\xe2\x9d;\xa3h\xf56&\x05g\xe3EH\x05",
    ),
    ("storages", b"\xaf\x98\xc5\xa5\x8c\xc7Z\x84\xf8\xd2>0\xdf\xb28\xb13w\x13\xf6"),
    ("tasks", b""),
]


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once_stays_mended(name, data):
    perform(name, data)
