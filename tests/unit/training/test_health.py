"""Divergence, and what is said of failures."""

from __future__ import annotations

import math
import sys

import pytest
import torch

from autoopt.errors import TaskError
from autoopt.tasks.explain import is_out_of_memory
from autoopt.training.health import (
    describe_failure,
    has_diverged,
    weights_are_sound,
)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_any_number_that_is_not_finite_is_a_divergence(bad: float) -> None:
    assert has_diverged(bad, 1.0, (1.0, None), 2.0)
    assert has_diverged(1.0, bad, (1.0, None), 2.0)
    assert has_diverged(1.0, 1.0, (bad, None), 2.0)
    assert has_diverged(1.0, 1.0, (1.0, bad), 2.0)
    assert has_diverged(1.0, 1.0, (1.0, None), bad)


def test_losses_of_ordinary_size_are_no_divergence() -> None:
    assert not has_diverged(1.0, 2.9e3, (-5.0, None), -2.0)


def test_an_absurdly_large_validation_loss_is_a_divergence() -> None:
    assert has_diverged(1.0, 3.1e3, (0.5, None), -2.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e19])
def test_one_broken_weight_is_found(bad: float) -> None:
    weights = [torch.ones(2, 3), torch.full((4,), -1e17)]
    assert weights_are_sound(weights)
    weights[1][2] = bad
    assert not weights_are_sound(weights)


def test_a_failure_is_told_in_one_line_with_its_place() -> None:
    error = ValueError("no such row")
    try:
        raise error
    except ValueError:
        line = sys._getframe().f_lineno - 2
    assert describe_failure(error) == f"ValueError: no such row (test_health.py, line {line})"


def test_errors_of_autoopt_speak_for_themselves() -> None:
    assert describe_failure(TaskError("no rows: give at least one")) == "no rows: give at least one"


def test_running_out_of_memory_is_known_by_its_types() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError())
    wrapped = TaskError("model() failed")
    wrapped.__cause__ = MemoryError()
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(ValueError())


def test_a_run_that_found_no_memory_is_told_what_needs_less():
    said = describe_failure(torch.OutOfMemoryError("CUDA out of memory"))
    assert "take half the batch size and --accumulate 2" in said
    assert "--precision bf16" in said


def test_torch_that_finds_no_memory_on_the_processor_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**52)
    assert is_out_of_memory(caught.value)
