"""Programs that train by autoopt.current_trial(), run by a study and alone."""

import math
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import pytest

import autoopt
from autoopt.errors import LoopError
from autoopt.loops.cohort import LoopCohort
from autoopt.loops.script import Script, read_source
from autoopt.loops.seats import Seats
from autoopt.loops.team import Alone
from autoopt.loops.terms import Terms
from autoopt.recipe import Recipe
from autoopt.run import Run
from tests.unit.loops.examples import train

PROGRAM = """
    import sys
    import autoopt
    from tests.unit.loops.examples import train

    print("called with", sys.argv[1:])
    trial = autoopt.current_trial(epochs=3)
    width = trial.suggest_int("width", 2, 8)
    train(trial)
    print("done")
"""
RECIPE = Recipe("sgd", {"lr": 0.1}, extras={"width": 3})


@pytest.fixture(autouse=True)
def programs_find_the_tests(monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))


@pytest.fixture
def program(tmp_path):
    def write(text, *arguments, output=None):
        (tmp_path / "program.py").write_text(textwrap.dedent(text))
        return Script(str(tmp_path / "program.py"), arguments, output)

    return write


def cohort(script, *, runs=1, epochs=3):
    terms = Terms(epochs)
    seats = Seats(script, terms)
    wanted = [Run(number, RECIPE, seed=7, epochs=epochs) for number in range(runs)]
    return seats, LoopCohort(Alone(seats), terms, wanted)


def test_a_script_is_seen_and_trained_as_a_loop_is(program, tmp_path):
    script = program(PROGRAM, "--data", "x", output=str(tmp_path / "said"))
    seats, together = cohort(script)
    facts = seats.try_out()
    assert (facts.epochs, facts.total_steps, facts.profile.n_parameters) == (3, 9, 4)
    assert [extra.name for extra in facts.extras] == ["width"]
    reports = [*together.advance(), *together.advance(), *together.advance()]
    _, inside = cohort(train)
    expected = [*inside.advance(), *inside.advance(), *inside.advance()]
    assert [report.valid_loss for report in reports] == [report.valid_loss for report in expected]
    assert not together.runs
    said = (tmp_path / "said" / "run-0.txt").read_text()
    assert said.splitlines() == ["called with ['--data', 'x']", "done"]


def test_a_script_that_is_dropped_ends_without_a_traceback(program, tmp_path):
    before = threading.enumerate()
    _, together = cohort(program(PROGRAM, output=str(tmp_path / "said")))
    list(together.advance())
    together.keep([])
    assert (tmp_path / "said" / "run-0.txt").read_text().splitlines() == ["called with []"]
    assert set(threading.enumerate()) <= set(before)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("print('no data'); raise SystemExit(3)", "exit status 3: no data"),
        (
            "import autoopt; autoopt.current_trial(); raise ValueError('odd')",
            "exit status 1: ValueError: odd",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9: it printed nothing"),
    ],
)
def test_a_script_that_crashes_is_a_failed_run_with_its_last_words(program, text, failure):
    _, together = cohort(program(text))
    (report,) = together.advance()
    assert report.failure == f"ScriptFailed: the script ended with {failure}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print(1)", r"ended without having called autoopt.current_trial\(\)"),
        ("import autoopt; autoopt.current_trial()", "never reported"),
        ("import autoopt; autoopt.current_trial().report('x')", "trial.report needs a number, got str 'x'"),
    ],
)
def test_a_script_that_no_study_can_work_with_is_refused_with_a_reason(program, text, message):
    _, together = cohort(program(text))
    with pytest.raises(LoopError, match=message):
        list(together.advance())


def test_a_script_that_reports_nan_has_diverged(program):
    _, together = cohort(program("import autoopt; autoopt.current_trial().report(float('nan'))"))
    (report,) = together.advance()
    assert report.diverged
    assert math.isnan(report.score)


def test_a_script_that_was_put_aside_is_trained_again_to_the_same_numbers(program):
    undisturbed = [report for _ in range(2) for report in cohort(train)[1].advance()][:1]
    _, together = cohort(program(PROGRAM))
    (first,) = together.advance()
    together._team.call("put_aside", 0)
    together._bytes.clear()
    (second,) = together.advance()
    together.keep([])
    assert first.valid_loss == undisturbed[0].valid_loss
    assert second.epoch == 2
    assert second.valid_loss != first.valid_loss


def test_alone_a_script_trains_with_the_default(program, tmp_path):
    script = program(PROGRAM)
    done = subprocess.run([sys.executable, script.path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["called with []", "done"]
    assert done.stderr == ""


def test_a_script_can_be_found_again_by_what_a_study_keeps_of_it(program):
    script = program(PROGRAM, "--name", "two words")
    assert read_source(script.source) == replace(script, output=None)
    assert read_source("task.py") is None


def test_a_script_that_does_not_exist_is_refused():
    with pytest.raises(LoopError, match=r"there is no script 'nowhere.py'"):
        autoopt.tune(Script("nowhere.py"))
