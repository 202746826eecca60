import io
from contextlib import redirect_stderr
from dataclasses import replace

import pytest
from rich.console import Console

from autoopt.cli import display, live, result, steps
from autoopt.cli.display import Watching
from autoopt.recipe import Recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.statistics import Interval


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Return a function that gives what a piece of code writes to a terminal on standard error."""
    monkeypatch.setenv("TERM", "xterm")

    def call(work):
        stream = Terminal()
        with redirect_stderr(stream):
            work()
        return stream.getvalue()

    return call


def drawn(renderable, width=80):
    out = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    out.print(renderable)
    return out.file.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_a_running_study_fits_the_terminal(make_progress, width):
    text = drawn(live.picture(make_progress(note="cohort 2: 9 trials side by side " * 3), height=12), width)
    assert max(map(len, text.splitlines())) <= width
    assert "10.0 of 20" in text


def test_the_best_optimizer_comes_first_in_either_direction(make_progress):
    assert live.best_first(make_progress())[0] == ("adamw", 0.1)
    assert live.best_first(make_progress(direction="maximize"))[0] == ("sgd", 0.2)


def test_a_low_terminal_shows_the_best_optimizers_only(make_progress):
    best = {f"optimizer{k}": float(k) for k in range(20)}
    text = drawn(live.picture(make_progress(best=best), height=11))
    assert "optimizer2" in text
    assert "optimizer3" not in text


def test_the_clock_goes_on_between_reports(make_progress):
    assert "40s, about 21s left" in drawn(live.picture(make_progress(), waited=10))


def test_the_share_done_follows_what_runs_out_first(make_progress):
    assert live.share_done(make_progress(spent_runs=2.0, seconds=90.0, seconds_left=10.0)) == 0.9
    assert live.share_done(make_progress(spent_runs=25.0)) == 1.0
    assert live.share_done(make_progress(budget_runs=float("inf"), seconds_left=None)) == 0.0


def watch(progress):
    with Watching() as watching:
        watching(progress)


def test_a_terminal_gets_a_picture_that_goes_away_in_the_end(on_terminal, make_progress):
    text = on_terminal(lambda: watch(make_progress()))
    assert "best loss" in text
    assert text.endswith("\x1b[2K")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(on_terminal, make_progress, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = on_terminal(lambda: watch(make_progress()))
    assert text.startswith("[30s] searching")
    assert "\x1b" not in text


def test_forced_colours_do_not_bring_the_moving_picture_into_a_log(capsys, make_progress, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch(make_progress())
    assert capsys.readouterr().err.count("\n") == 1


def test_colours_are_left_out_where_they_are_not_wanted(on_terminal, monkeypatch):
    assert "\x1b[1;31m" in on_terminal(lambda: display.complain("wrong"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in on_terminal(lambda: display.complain("wrong"))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_report_fits_and_keeps_brackets_of_the_user(recommendation, width):
    noted = replace(recommendation, notes=("a [red]note[/red]",))
    text = drawn(result.report(noted), width)
    assert max(map(len, text.splitlines())) <= width
    assert "a [red]note[/red]" in text


def test_the_report_holds_what_was_found_and_why(recommendation):
    text = drawn(result.report(recommendation), 120)
    for part in ("SGD", "nesterov", "true", "Cosine", "0.090 [0.065, 0.115]", "mean of 3 seeds", "10.0 % [5.0, 15.0]",
                 "D2: Optimization algorithms", "90 % of 2 finalists",
                 "14.2 runs on search, 6.0 on confirmation, 1m20s", "✓ SGD suits it (D2)", "✗ Adam does (D3)",
                 "! the rate is at its edge", "on test data", "A note."):  # fmt: skip
        assert part in text


def test_the_report_shows_what_the_loop_of_the_user_asked_for(recommendation):
    recipe = replace(recommendation.recipe, extras={"width": 4, "[red]\x1b[31m": "x\x1b[2J"})
    text = drawn(result.report(replace(recommendation, chosen=Confirmation(recipe, {1: 0.1}))), 120)
    lines = [line.split() for line in text.splitlines()]
    assert ["loop:", "width", "4"] in lines
    assert ["loop:", r"[red]\x1b[31m", r"x\x1b[2J"] in lines


def test_failed_seeds_are_counted(recommendation):
    chosen = Confirmation(recommendation.recipe, {1: 0.1, 2: 0.1}, failures={3: "diverged"})
    assert "mean of 2 seeds, 1 more failed" in drawn(
        result.report(replace(recommendation, chosen=chosen)), 120
    )


def test_the_headline_says_the_verdict(recommendation):
    tied = replace(recommendation, verdict="tie")
    kept = replace(tied, chosen=recommendation.baseline)
    lost = replace(recommendation, verdict="worse")
    alone = replace(recommendation, gain=None, relative_gain=None)
    assert result.headline(tied) == "SGD and the baseline (AdamW) are too close to call"
    assert result.headline(kept) == "Nothing beat the baseline: stay with AdamW"
    assert result.headline(lost) == "SGD is worse than the baseline (AdamW)"
    assert result.headline(alone) == "SGD beats the baseline (AdamW)"


def test_the_same_optimizer_is_not_said_to_beat_itself(recommendation):
    again = replace(
        recommendation, chosen=replace(recommendation.baseline, recipe=Recipe("adamw", {"lr": 0.1}))
    )
    assert result.headline(again).startswith("AdamW with these settings beats the baseline (AdamW) by")


@pytest.mark.parametrize(
    ("low", "middle", "high", "text"),
    [
        (0.06713, 0.0725, 0.07787, "0.0725 [0.0671, 0.0779]"),
        (2.725, 2.75, 2.776, "2.750 [2.725, 2.776]"),
        (80.0, 100.0, 120.0, "100 [80, 120]"),
        (0.5, 0.5, 0.5, "0.5 [0.5, 0.5]"),
        (1e-9, 2e-9, 3e-9, "2e-09 [1e-09, 3e-09]"),
    ],
)
def test_a_mean_has_as_many_digits_as_its_bounds_deserve(low, middle, high, text):
    assert result.show_interval(Interval(low, middle, high)) == text


def test_an_estimate_that_has_run_out_promises_nothing(make_progress):
    assert "soon done" in drawn(live.picture(make_progress(), waited=60))


def test_a_file_gets_no_blanks_at_the_ends_of_lines(capsys, recommendation):
    display.say_result(recommendation, "autoopt.db")
    assert not [line for line in capsys.readouterr().out.splitlines() if line != line.rstrip()]


def test_an_unsure_verdict_suggests_more_seeds(recommendation):
    commands = [step for _, step in steps.next_steps(replace(recommendation, chance_best=0.5), "autoopt.db")]
    assert commands[-1] == "autoopt resume 'digits [bold]' --seeds 6 --budget 40"


def test_rows_go_under_each_other_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    display.say_rows(("name", "size", "says"), [("a", "1", "[b]\nlong")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["a", "  size 1", "  says", "  [b]", "  long"]


def test_what_is_not_confirmed_is_not_called_a_tie(recommendation):
    unconfirmed = replace(recommendation, chosen=replace(recommendation.chosen, scores={}, search_score=0.0812),
                          verdict="tie", gain=None, relative_gain=None)  # fmt: skip
    assert result.headline(unconfirmed) == "SGD led the search when it was stopped; nothing is confirmed"
    assert result.one_line(unconfirmed).endswith("loss 0.0812")
