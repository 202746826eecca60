import signal

import pytest

from autoopt.cli.interrupts import CtrlC


class DropsExceptions:
    """Raises Ctrl-C where Python cannot pass an exception on: while an object is being freed."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def lose_it(monkeypatch):
    """Return a function that presses Ctrl-C where it gets lost, in silence."""
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    return DropsExceptions


def test_ctrl_c_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), CtrlC():
        signal.raise_signal(signal.SIGINT)


def test_a_lost_ctrl_c_is_raised_at_the_next_progress(make_progress, lose_it):
    seen = []
    with CtrlC() as ctrl_c:
        watch = ctrl_c.checked(seen.append)
        watch(make_progress())
        lose_it()
        with pytest.raises(KeyboardInterrupt):
            watch(make_progress())
    assert len(seen) == 1


def test_a_lost_ctrl_c_is_not_printed(capsys):
    with CtrlC():
        DropsExceptions()
    assert capsys.readouterr().err == ""


def test_a_study_that_answered_by_ending_is_not_interrupted_again(make_progress, lose_it):
    seen = []
    with CtrlC() as ctrl_c:
        lose_it()
        ctrl_c.checked(seen.append)(make_progress(phase="done"))
    assert seen == [make_progress(phase="done")]


def test_afterwards_ctrl_c_is_as_it_was():
    with CtrlC():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_ctrl_c_is_ignored_it_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with CtrlC():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigterm_is_taken_as_ctrl_c_and_ends_with_a_status_of_its_own():
    with pytest.raises(KeyboardInterrupt), CtrlC() as ctrl_c:
        signal.raise_signal(signal.SIGTERM)
    assert ctrl_c.status == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_ctrl_c_ends_at_once(monkeypatch):
    ended = []
    monkeypatch.setattr("autoopt.cli.interrupts.BOUNCE_SECONDS", -1.0)
    monkeypatch.setattr("os._exit", ended.append)
    with CtrlC():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert ended == [130]
