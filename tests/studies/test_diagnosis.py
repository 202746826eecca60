"""The diagnosis of runs on the held-out curves of its study: precision and recall may not fall."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

JUDGE = Path(__file__).parents[2] / "studies" / "2026-11-21-diagnosis" / "judge.py"

# at least so much of what is there is found; figures of the study's README, with a little room
RECALL = {
    "divergence": 1.0, "overfitting": 1.0, "oscillation": 1.0, "stall": 0.8, "adagrad-rate-dies": 0.6,
    "rate-too-high": 0.7, "rate-too-low": 0.7, "slow-convergence": 0.4,
}  # fmt: skip


@pytest.fixture(scope="module")
def counts():
    spec = importlib.util.spec_from_file_location("diagnosis_judge", JUDGE)
    judge = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = judge
    spec.loader.exec_module(judge)
    yield judge.judge(judge.load("held-out"))
    del sys.modules[spec.name]


def test_an_alarm_is_nearly_always_right(counts):
    right, wrong = sum(c.right for c in counts.values()), sum(len(c.alarms) for c in counts.values())
    assert right / (right + wrong) >= 0.95, {symptom: c.alarms for symptom, c in counts.items() if c.alarms}


@pytest.mark.parametrize("symptom", RECALL)
def test_a_symptom_that_is_there_is_found_and_seldom_seen_where_it_is_not(counts, symptom):
    count = counts[symptom]
    assert count.recall >= RECALL[symptom], count.missed
    assert count.precision >= 0.85, count.alarms


@pytest.mark.parametrize("symptom", ["loss-of-precision", "exploding-gradients"])
def test_what_is_too_rare_here_to_measure_is_at_least_never_a_wrong_alarm(counts, symptom):
    assert counts[symptom].alarms == []
