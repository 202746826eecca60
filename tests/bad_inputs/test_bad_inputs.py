"""Everything that can be wrong: what autoopt says, how it ends, and never a traceback.

``scripts/bad_inputs`` writes what each of them prints to ``studies/2026-11-22-bad-input/README.md``.
"""

from __future__ import annotations

import re

import pytest

from . import environment, options, storages, tasks
from .case import perform

CASES = [*tasks.CASES, *options.CASES, *storages.CASES, *environment.CASES]


def parametrised(case):
    marks = [pytest.mark.slow] if case.slow else []
    return pytest.param(case, marks=marks, id=re.sub(r"\W+", "-", case.wrong))


@pytest.mark.parametrize("case", [parametrised(case) for case in CASES])
@pytest.mark.filterwarnings("default")  # as users see them
def test_it_is_told_in_a_sentence_and_ends_with_its_status(case, tmp_path):
    outcome = perform(case, tmp_path.resolve())
    said = outcome.err + outcome.out
    assert all(phrase in said for phrase in case.says)
    assert "Traceback" not in said
    assert "Error: unexpected" not in said
    assert outcome.status == case.status


def test_no_two_are_called_the_same():
    assert len({case.wrong for case in CASES}) == len(CASES) >= 120
