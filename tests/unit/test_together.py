"""What is asked of several processes and cannot be is refused at once."""

import pytest

import autoopt
from autoopt.errors import UsageError
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


@pytest.mark.parametrize("case", REFUSED)
def test_processes_that_cannot_be_are_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        autoopt.tune(line_task(), **asked)
    assert not list(tmp_path.iterdir())
