"""Who leads, who trains what, and what becomes of the leases of a process that is over."""

import subprocess
import sys
from dataclasses import replace

import pytest

from autoopt.errors import LeaseLost
from autoopt.recipe import Recipe
from autoopt.records.leases import STRUCK_OUT, Leases
from autoopt.records.owner import is_at_work, is_gone, this_process
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Run, RunRecord

RUNS = [Run(number, Recipe("sgd", {"lr": 0.1}), seed=0, epochs=4) for number in range(3)]


@pytest.fixture(params=["sqlite", "postgresql"])
def leases(request, tmp_path):
    where = (
        request.getfixturevalue("postgresql") if request.param == "postgresql" else tmp_path / "autoopt.db"
    )
    with Store.open(where) as store:
        if store.study("leased") is not None:
            store.delete_study("leased")
        store.create_study(StudyRecord("leased", "t", "t.py", "f", "loss", "minimize", 4))
        store.add_runs("leased", RUNS)
        yield Leases(store, "leased")


@pytest.fixture
def two(leases):
    """Tokens of two processes, the first of which leads and wants two runs trained."""
    owners = this_process(), this_process()
    for owner in owners:
        leases.join(owner)
    leases.take_lead(owners[0].token)
    leases.publish(owners[0].token, {0: (0, 2), 1: (0, 2)})
    return owners[0].token, owners[1].token


def report(run_id=0, epoch=1, **more):
    return EpochReport(run_id, epoch, 1.0, 1.0, 1.0, **more)


def ids(found):
    return [lease.run_id for lease in found]


def test_one_process_leads_until_it_leaves(leases, two):
    first, second = two
    assert not leases.take_lead(second)
    leases.leave(first)
    assert leases.leader() is None
    assert leases.take_lead(second)


def test_no_run_is_leased_twice(leases, two):
    first, second = two
    assert [ids(leases.claim(first)), ids(leases.claim(second)), leases.claim(second)] == [[0], [1], []]


def test_runs_that_a_process_holds_come_first(leases, two):
    assert ids(leases.claim(two[1], preferred=[1])) == [1]


def test_a_run_that_has_come_as_far_as_it_should_is_not_leased_again(leases, two):
    (job,) = leases.claim(two[1])
    assert ids(leases.claim(two[1], done=[job.run_id])) == [1]
    assert leases.claim(two[1], done=[1]) == []


def test_reports_of_whoever_has_the_lease_are_written(leases, two):
    leases.claim(two[1])
    leases.save(two[1], [report()], [RunRecord(RUNS[0]).after(report())])
    assert leases.store.reports("leased") == {0: [report()]}
    assert leases.store.runs("leased")[0].epochs_done == 1
    assert leases.state()[0].reached == 1


def test_reports_of_whoever_lost_the_lease_are_not_written(leases, two):
    leases.claim(two[1])
    leases.strike_off(two[1], None, "killed")
    with pytest.raises(LeaseLost, match="run 0 of study 'leased' is trained by another process now"):
        leases.save(two[1], [report()], [RunRecord(RUNS[0]).after(report())])
    assert leases.store.reports("leased") == {}


def test_a_leader_that_was_struck_off_writes_nothing_any_more(leases, two):
    store = leases.store.on_condition(lambda connection: leases.check_lead(connection, two[0]))
    store.update_study("leased", state="running")
    leases.strike_off(two[0], None, "silent for too long")
    with pytest.raises(LeaseLost, match="another process has taken over study 'leased'"):
        store.update_study("leased", state="failed")
    assert leases.store.study("leased").state == "interrupted"  # shown so, since nobody leads it


def test_a_process_that_was_struck_off_leases_nothing(leases, two):
    leases.strike_off(two[1], None, "silent for too long")
    with pytest.raises(LeaseLost):
        leases.claim(two[1])
    assert not leases.beat(two[1])


def test_who_has_counted_on_meanwhile_is_not_struck_off(leases, two):
    leases.beat(two[1])
    assert not leases.strike_off(two[1], 0, "silent for too long")
    assert leases.beat(two[1])


def test_only_the_run_that_was_trained_gets_a_strike(leases, two):
    leases.claim(two[1], done=ids(leases.claim(two[1])))
    leases.strike_off(two[1], None, "killed by SIGSEGV", 3)
    assert [(lease.strikes, lease.trouble) for lease in leases.state().values()] == [
        (0, ""), (3, "killed by SIGSEGV")]  # fmt: skip


def test_an_epoch_more_wipes_strikes_out(leases, two):
    leases.claim(two[1])
    leases.strike_off(two[1], None, "killed")
    leases.claim(two[0], done=ids(leases.claim(two[0])))
    leases.save(two[0], [report()], [])
    assert leases.state()[0].strikes == 0


def test_a_run_that_is_struck_out_is_leased_no_more(leases, two):
    leases.claim(two[1])
    leases.strike_off(two[1], None, "killed", STRUCK_OUT)
    assert ids(leases.claim(two[0], most=9)) == [1]


def test_a_run_with_strikes_is_leased_alone_and_last(leases, two):
    leases.claim(two[1])
    leases.strike_off(two[1], None, "killed")
    assert ids(leases.claim(two[0], most=9)) == [1]
    assert leases.claim(two[0], struck=False) == []
    assert ids(leases.claim(two[0], most=9)) == [0]


def test_what_is_published_next_replaces_what_was(leases, two):
    leases.claim(two[0])
    leases.claim(two[1])
    leases.publish(two[0], {1: (1, 4), 2: (0, 4)})
    assert [(lease.run_id, lease.owner, lease.until) for lease in leases.state().values()] == [
        (1, two[1], 4), (2, None, 4)]  # fmt: skip


def test_a_process_that_ended_is_told_from_one_that_lives():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lives = replace(this_process(), pid=child.pid, started=_started(child.pid))
        assert (is_gone(lives), is_at_work(lives)) == (False, True)
        child.kill()
    assert (is_gone(lives), is_at_work(lives)) == (True, False)


@pytest.mark.parametrize(
    ("other", "gone"),
    [
        ({"host": "elsewhere", "pid": 1}, False),
        ({"boot": "earlier pid:[1]"}, True),
        ({"started": "1"}, True),
    ],
)
def test_a_process_is_gone_when_that_is_sure(other, gone):
    assert is_gone(replace(this_process(), **other)) is gone


def _started(pid):
    from autoopt.records.owner import _stat

    return _stat(pid)[1]


def _states(leases):
    (summary,) = [each for each in leases.store.studies() if each.study.name == "leased"]
    return leases.store.study("leased").state, summary.study.state


def test_a_study_that_is_led_is_running(leases, two):
    assert _states(leases) == ("running", "running")


def test_a_study_whose_leader_is_gone_is_interrupted(leases, two):
    leases.leave(two[0])
    gone = replace(this_process(), started="1")
    leases.join(gone)
    leases.take_lead(gone.token)
    assert _states(leases) == ("interrupted", "interrupted")
    leases.strike_off(gone.token, None, "was lost")
    assert _states(leases) == ("interrupted", "interrupted")


def test_what_a_killed_leader_had_trained_and_not_written_is_to_be_trained_again(leases, two):
    first, second = two
    (lease,) = leases.claim(first)
    leases.claim(first, done=[lease.run_id])  # as far as it should go, says a leader that writes later
    leases.strike_off(first, None, "was lost")
    leases.take_lead(second)
    leases.publish(second, {lease.run_id: (0, 2)})
    assert ids(leases.claim(second)) == [lease.run_id]


def test_what_others_have_written_ahead_is_not_to_be_trained_again(leases, two):
    first, second = two
    leases.publish(first, {2: (0, 2)})
    leases.claim(second)
    leases.save(second, [report(2, 1), report(2, 2)], [])
    leases.publish(first, {2: (0, 2)})
    assert leases.claim(first) == []
