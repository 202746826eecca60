"""What is asked of several processes and cannot be is refused at once."""

from types import SimpleNamespace

import pytest
import torch

import autoopt
from autoopt import together
from autoopt.errors import AutooptWarning, UsageError
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.sharing.crew import Order
from autoopt.sharing.member import Member
from autoopt.space.written import BASELINE
from autoopt.together import Team, fit_memory, make_team
from tests.unit.test_tuning import line_task

REFUSED = {
    "no such number": ({"workers": 0}, "workers is 0: it must be a whole number from 1 on, or auto"),
    "no number": ({"workers": "many"}, "workers is 'many': it must be"),
    "nothing to share": ({"workers": 2}, "workers=2 needs a database that several processes can open"),
    "objects": ({"workers": 2, "storage": "x.db"}, "'line' was made of Python objects: give the path"),
    "objects, isolated": ({"isolate": True, "storage": "x.db"}, "isolate needs a task that other processes"),
    "a limit of nothing": ({"memory_limit": 1.0}, "memory_limit=1 needs isolate"),
    "a limit below zero": ({"isolate": True, "run_timeout": -1.0}, "run_timeout is -1: it must be above 0"),
}


@pytest.mark.parametrize("asked", [{"workers": 2}, {"isolate": True}])
def test_processes_are_not_started_by_those_of_torchrun(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="torchrun has started some already"):
        autoopt.tune(line_task(), **asked, storage="x.db")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def team_of(device, **asked):
    asked = {"workers": 3, "isolate": False, **asked}
    return make_team(**asked, memory_limit=None, run_timeout=None, storage="x.db", device=device, more={})


@pytest.mark.usefixtures("cards")
def test_each_process_has_a_card_in_turn():
    told = [order.more["device"] for order in team_of("auto").orders("x.db", "line")]
    assert [team_of("auto").devices[0], *told] == ["cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.usefixtures("cards")
def test_helpers_have_the_cards_where_they_train_alone():
    told = [order.more["device"] for order in team_of("auto", isolate=True).orders("x.db", "line")]
    assert told == ["cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.usefixtures("cards")
def test_a_device_that_is_named_is_that_of_all():
    assert team_of("cuda:1").devices == ["cuda:1"] * 3


@pytest.mark.usefixtures("cards")
def test_a_helper_trains_where_it_is_told():
    helper = make_team(Team(serves=Order("x.db", "line", {})), isolate=False, memory_limit=None, run_timeout=None,
                       storage="x.db", device="cuda:1", more={})  # fmt: skip
    assert helper.devices == ["cuda:1"]


@pytest.mark.parametrize(
    ("workers", "free", "size"), [("auto", 10**12, 8), ("auto", 2 * 10**9, 5), (8, 10**6, 8)]
)
@pytest.mark.filterwarnings("ignore:workers=auto:autoopt.errors.AutooptWarning")
def test_auto_starts_no_more_processes_than_memory_has_room_for(workers, free, size, monkeypatch):
    monkeypatch.setattr("autoopt.together.usable_cores", lambda: 8)
    monkeypatch.setattr("autoopt.training.needs.free_bytes", lambda device: free)
    team = fit_memory(team_of("cpu", workers=workers), line_task(), BASELINE, "cpu")
    assert team.size == size
    assert len(team.orders("x.db", "line")) == size - 1


@pytest.mark.parametrize("case", REFUSED)
def test_processes_that_cannot_be_are_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        autoopt.tune(line_task(), **asked)
    assert not list(tmp_path.iterdir())


def test_who_isolates_leaves_the_training_to_its_helpers_when_it_joins_too(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "Worker", None)  # would train in this process
    with Store.open(tmp_path / "a.db") as store:
        store.create_study(StudyRecord("s", "t", "", "f", "loss", "minimize", 2))
        with Member(store, "s") as leader, Member(store, "s") as member:
            assert leader.take_lead()
            helpers = SimpleNamespace(check=lambda: leader.leases.leave(leader.token))
            work = together.Work(
                store, "s", None, None, None, None, None, None, team=together.Team(isolates=True)
            )
            with pytest.warns(AutooptWarning, match="leads study 's'"):
                assert together._join(work, member, helpers) is None
