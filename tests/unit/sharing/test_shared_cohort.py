"""A study that several processes train comes to what one of them would have found alone."""

import threading
from collections import Counter

import pytest

from autoopt.recipe import Recipe
from autoopt.records.leases import STRUCK_OUT
from autoopt.records.owner import this_process
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Run
from autoopt.sharing.cohort import Part, SharedCohort
from autoopt.sharing.member import Member
from autoopt.sharing.worker import Worker
from autoopt.training.checkpoint_folder import CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.serial import serial_cohort
from tests.unit.training.examples import make_task

RUNS = [Run(number, Recipe("sgd", {"lr": 0.1}), seed=number, epochs=4) for number in range(6)]


class Counted:
    """A cohort whose losses tell run and epoch, and which counts what it has trained."""

    def __init__(self, runs=(), diverge=()):
        self.runs, self.epochs, self.diverge = list(runs), Counter(), diverge

    def advance(self, run_ids=None, until=None):
        for run in [run for run in self.runs if run_ids is None or run.id in run_ids]:
            end = self.epochs[run.id] + 1 if until is None else until
            while run in self.runs and self.epochs[run.id] < end:
                self.epochs[run.id] += 1
                over = run.id in self.diverge
                if over or self.epochs[run.id] >= run.epochs:
                    self.runs.remove(run)
                yield told(run.id, self.epochs[run.id], diverged=over)

    def add(self, runs):
        self.runs += runs

    def keep(self, run_ids):
        self.runs = [run for run in self.runs if run.id in set(run_ids)]


def told(run_id, epoch, **more):
    return EpochReport(run_id, epoch, run_id + epoch / 10, 1.0, 1.0, **more)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(StudyRecord("s", "t", "t.py", "f", "loss", "minimize", 4))
        store.add_runs("s", RUNS)
        yield store


@pytest.fixture
def member(store):
    with Member(store, "s") as member:
        member.take_lead()
        yield member


def starting(cohort):
    def start(runs):
        cohort.add(runs)
        return cohort

    return start


def _numbers(reports):
    return sorted((r.run_id, r.epoch, r.train_loss, r.over) for r in reports)


def test_alone_it_trains_everything_itself(member):
    here = Counted()
    reports = list(SharedCohort(member, RUNS[:2], {}, starting(here)).advance(None, 3))
    assert _numbers(reports) == _numbers(told(i, epoch) for i in (0, 1) for epoch in (1, 2, 3))
    assert here.epochs == {0: 3, 1: 3}


def test_one_epoch_more_is_reported_in_the_order_of_runs(member):
    cohort = SharedCohort(member, RUNS[:3], {1: [told(1, 1)]}, starting(Counted()))
    assert [report.run_id for report in cohort.advance()] == [0, 1, 2]


def test_what_a_worker_trains_arrives_and_is_not_trained_here(store, member):
    recorded, here, there = {}, Counted(), Counted(diverge=[3])
    cohort = SharedCohort(member, RUNS, recorded, starting(here), part=Part(trains=False))
    with Member(store, "s") as other:
        worker = threading.Thread(target=Worker(other, starting(there)).work)
        worker.start()
        reports = [*cohort.advance(None, 2), *cohort.advance([0, 1], 4)]
        member.leases.leave(member.token)
        worker.join(20)
    assert _numbers(reports) == _numbers(
        [told(i, e) for i in (0, 1) for e in (1, 2, 3, 4)]
        + [told(i, e) for i in (2, 4, 5) for e in (1, 2)]
        + [told(3, 1, diverged=True)]
    )
    assert _numbers(r for reports in recorded.values() for r in reports) == _numbers(reports)
    assert here.epochs == {}
    assert there.epochs == {0: 4, 1: 4, 2: 2, 3: 1, 4: 2, 5: 2}
    assert [record.epochs_done for record in store.runs("s")] == [4, 4, 2, 1, 2, 2]


def test_a_run_goes_on_here_where_a_process_that_is_over_left_it(store, member):
    cohort = SharedCohort(member, RUNS[:1], {}, starting(here := Counted()))
    other = this_process()
    member.leases.join(other)

    def give_in():
        member.leases.save(other.token, [told(0, 1), told(0, 2)], [])
        member.leases.strike_off(other.token, None, "killed by SIGKILL")

    advancing = cohort.advance(None, 4)
    member.leases.publish(member.token, {0: (0, 4)})
    member.leases.claim(other.token)
    give_in()
    assert _numbers(advancing) == _numbers(told(0, epoch) for epoch in (1, 2, 3, 4))
    assert here.epochs == {0: 4}


def test_a_run_that_has_ended_too_many_processes_has_failed(member):
    cohort = SharedCohort(member, RUNS[:2], {}, starting(Counted()), part=Part(trains=False))
    other = this_process()
    member.leases.join(other)

    def end_it():
        while not member.leases.claim(other.token):
            pass
        member.leases.strike_off(other.token, None, "killed by SIGSEGV", STRUCK_OUT)

    ending = threading.Thread(target=end_it)
    ending.start()
    first = next(iter(cohort.advance([0], 4)))
    ending.join(20)
    assert (first.run_id, first.epoch) == (0, 1)
    assert "killed by SIGSEGV" in first.failure
    assert cohort.runs == RUNS[1:2]


def test_whoever_is_at_a_run_that_is_not_wanted_any_more_writes_nothing(store, member):
    class Slow(Counted):
        def advance(self, run_ids=None, until=None):
            for report in super().advance(run_ids, until):
                member.leases.publish(member.token, {})  # the leader has changed its mind
                yield report

    cohort = SharedCohort(member, RUNS[:1], {}, starting(Counted()))
    member.leases.publish(member.token, {0: (0, 4)})
    with Member(store, "s") as other:
        working = threading.Thread(target=Worker(other, starting(Slow())).work)
        working.start()
        while any(lease.owner != member.token for lease in member.leases.state().values()):
            pass
        member.leases.leave(member.token)
        working.join(20)
    assert store.reports("s") == {}
    assert cohort.runs == RUNS[:1]


def test_whoever_has_lost_a_lease_leaves_the_checkpoint_to_the_others(store, member, tmp_path, monkeypatch):
    monkeypatch.setattr("autoopt.training.checkpoints.LINGER", 0.0)
    monkeypatch.setattr("autoopt.sharing.worker.SAVE_SECONDS", 0.0)
    folder = CheckpointFolder(tmp_path / "checkpoints", "s")
    cohort = serial_cohort(make_task(), [], checkpoints=Checkpoints(folder))

    class Overtaken:
        """Trains, and loses its lease meanwhile."""

        def __getattr__(self, name):
            return getattr(cohort, name)

        def advance(self, run_ids=None, until=None):
            for report in cohort.advance(run_ids, until):
                if report.epoch == 3:
                    member.leases.publish(member.token, {1: (4, 4)})
                yield report

    member.leases.publish(member.token, {0: (0, 4)})
    with Member(store, "s") as other:
        working = threading.Thread(target=Worker(other, lambda runs: Overtaken()).work)
        working.start()
        while any(lease.reached < lease.until for lease in member.leases.state().values()):
            pass
        member.leases.leave(member.token)
        working.join(120)
    assert folder.load(RUNS[0]) is not None


def test_a_worker_with_nothing_else_to_do_trains_what_is_sure_to_be_asked_for(store, member):
    recorded, here, there = {}, Counted(), Counted()
    part = Part(trains=False, ahead=RUNS[5:])
    with Member(store, "s") as other:
        worker = threading.Thread(target=Worker(other, starting(there)).work)
        worker.start()
        first = list(SharedCohort(member, RUNS[:1], recorded, starting(here), part=part).advance(None, 2))
        while member.leases.state()[5].reached < 4:
            pass
        worker_alone = dict(there.epochs)
        later = list(SharedCohort(member, RUNS[5:], recorded, starting(here), part=part).advance(None, 4))
        member.leases.leave(member.token)
        worker.join(120)
    assert _numbers(first) == _numbers([told(0, 1), told(0, 2)])
    assert _numbers(later) == _numbers(told(5, epoch) for epoch in (1, 2, 3, 4))
    assert worker_alone == dict(there.epochs) == {0: 2, 5: 4}
    assert here.epochs == {}


def test_the_leader_leaves_to_others_what_is_not_asked_for_yet(member):
    here = Counted()
    cohort = SharedCohort(member, RUNS[:2], {}, starting(here), part=Part(ahead=RUNS[5:]))
    list(cohort.advance(None, 2))
    assert here.epochs == {0: 2, 1: 2}
    assert member.leases.state()[5].owner is None


def test_what_is_published_again_is_as_far_as_it_is_written_down(member):
    other = this_process()
    member.leases.join(other)
    member.leases.publish(member.token, {0: (0, 4)})
    member.leases.claim(other.token)
    member.leases.save(other.token, [told(0, 1), told(0, 2)], [])
    member.leases.publish(member.token, {0: (0, 4)})
    assert member.leases.state()[0].reached == 2


def test_runs_that_go_to_other_epochs_are_not_leased_together(member):
    member.leases.publish(member.token, {0: (0, 2), 1: (0, 4), 2: (0, 2)})
    assert [lease.run_id for lease in member.leases.claim(member.token, most=3)] == [0, 2]
