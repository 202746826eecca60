import pytest

from autoopt.cli.durations import parse_seconds, show_seconds
from autoopt.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1h 30m", 5400), ("1.5h", 5400), ("45", 45),
     ("1D", 86400)],
)  # fmt: skip
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10x", "-5m", "0s", "30m1h", "5m5m", "m", "1e3s", "nan"])
def test_what_is_no_duration_is_refused_with_its_text(text):
    with pytest.raises(BudgetError, match=r"is not a duration: write for example 90s") as caught:
        parse_seconds(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2s"), (9.99, "10s"), (59.7, "1m00s"), (61, "1m01s"), (5400, "1h30m"), (3599.9, "1h00m"),
     (90000, "1d01h"), (-1, "0.0s")],
)  # fmt: skip
def test_a_duration_is_written_with_its_two_largest_units(seconds, text):
    assert show_seconds(seconds) == text
