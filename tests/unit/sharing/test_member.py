"""Processes that are over are found, and none that lives is taken to be over."""

from autoopt.sharing.member import SILENT_SECONDS, Silence


def look_every(seconds, times, beat, silence=None):
    silence = silence or Silence(most=5.0)
    for k in range(times):
        found = silence.look({"a": beat(k)}, seconds * k)
    return found["a"]


def test_whoever_counts_is_never_silent():
    assert look_every(2.0, 100, lambda k: k) == 0.0


def test_whoever_stops_counting_is_silent_for_as_long_as_was_looked():
    assert look_every(2.0, 41, lambda k: 7) == 80.0


def test_an_observer_that_was_halted_itself_has_seen_nothing_meanwhile():
    silence = Silence(most=5.0)
    silence.look({"a": 1}, 0.0)
    assert silence.look({"a": 1}, 10_000.0)["a"] < SILENT_SECONDS


def test_a_clock_that_goes_back_counts_nothing():
    silence = Silence()
    silence.look({"a": 1}, 100.0)
    assert silence.look({"a": 1}, 50.0) == {"a": 0.0}
