"""Studies and their answers across processes: killed in one, carried on in another, read in a third."""

import contextlib
import os
import pickle
from multiprocessing import get_context

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor
from torch import nn

import autoopt
from autoopt.records.store import Store
from autoopt.search import journal
from tests.unit.loops.examples import data, train

pytestmark = pytest.mark.slow
KILLED = 9
LOOP = {"task": train}


def make_model():
    return nn.Linear(3, 1)


TASK = {"model": make_model, "train": data(), "valid": data(seed=1)}


def tune(what, storage=None, **more):
    return autoopt.tune(
        **what, study="s", storage=storage, budget=8, epochs=3, optimizers=["sgd", "adam"], **more
    )


def end_at_sixth_report(what, storage, end):
    journal.PAUSE_SECONDS = 0.0  # every report is saved at once
    seen = []
    tune(what, storage, watch=lambda _: seen.append(0) or (len(seen) == 6 and end()))


def kill(what, storage):
    """End the process as a kill does: no handler, no exception, nothing tidied up."""
    end_at_sixth_report(what, storage, lambda: os._exit(KILLED))


def carry_on(what, storage):
    return os.getpid(), tune(what, storage)


def optimizer_of(pickled):
    optimizer = pickle.loads(pickled).make_optimizer(make_model())
    return os.getpid(), (type(optimizer).__name__.lower(), optimizer.param_groups[0]["lr"])


def trained(storage):
    with Store.open(storage, readonly=True) as store:
        return sum(record.epochs_done for record in store.runs("s"))


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def workers(monkeypatch):
    monkeypatch.setattr(journal, "PAUSE_SECONDS", journal.PAUSE_SECONDS)  # put back, whatever sets it
    yield joblib.Parallel(n_jobs=2)  # with its usual backend, loky
    get_reusable_executor().shutdown(wait=True)


def test_studies_and_answers_pass_from_process_to_process(tmp_path, workers):
    loop, task = str(tmp_path / "loop.db"), str(tmp_path / "task.db")
    child = get_context("spawn").Process(target=kill, args=(LOOP, loop))
    child.start()
    with contextlib.suppress(KeyboardInterrupt):
        end_at_sixth_report(TASK, task, interrupt)
    whole = tune(LOOP), tune(TASK)
    child.join(60)
    assert child.exitcode == KILLED
    before = trained(loop), trained(task)

    (*found, made) = workers([
        joblib.delayed(carry_on)(LOOP, loop),
        joblib.delayed(carry_on)(TASK, task),
        joblib.delayed(optimizer_of)(pickle.dumps(whole[0])),
    ])  # fmt: skip

    assert os.getpid() not in {pid for pid, _ in (*found, made)}
    for expected, (_, answer) in zip(whole, found, strict=True):
        assert (answer.chosen, answer.baseline, answer.gain) == (
            expected.chosen,
            expected.baseline,
            expected.gain,
        )
    for done, storage in zip(before, (loop, task), strict=True):
        assert 0 < done < trained(storage)
    recipe = whole[0].recipe
    assert made[1] == (recipe.optimizer, recipe.settings["lr"])
