"""The advice for real tasks: all studies, and five public architectures written in plain torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoopt.guidance.guide import guide
from autoopt.guidance.load import load_documents
from autoopt.tasks.load import load_task
from autoopt.tasks.profile import profile_task

STUDIES = Path(__file__).parents[3] / "studies"
# the optimizer of the first advice, and whether it must clip the gradient and warm up
FIRST = {
    "charlm_transformer": ("adamw", True, True),
    "digits_cnn": ("adamw", False, False),
    "digits_mlp": ("adamw", False, False),
    "embedding_sparse": ("adagrad", False, False),
    "sequence_gru": ("adam", True, False),
    "tabular_regression": ("adamw", False, False),
    "architectures/lstm": ("adam", True, False),
    "architectures/mlp_mixer": ("adamw", False, False),
    "architectures/resnet": ("adamw", False, True),
    "architectures/transformer": ("adamw", True, True),
    "architectures/unet": ("adamw", False, False),
}


def test_every_study_and_architecture_is_among_them() -> None:
    files = [*STUDIES.glob("*.py"), *(STUDIES / "architectures").glob("*.py")]

    assert {path.relative_to(STUDIES).with_suffix("").as_posix() for path in files} >= set(FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_the_first_advice_is_sensible_and_has_sources(name: str) -> None:
    advice = guide(profile_task(load_task(STUDIES / f"{name}.py"))).advice
    first = advice[0]
    warmup = float(first.recipe.schedule_settings.get("warmup", 0.0))

    assert (first.recipe.optimizer, first.recipe.clip_norm is not None, warmup > 0) == FIRST[name]
    assert first.recipe.schedule != "constant"
    assert first.why
    known = {*load_documents()}
    assert {source for reason in first.why for source in reason.source.split(", ")} <= known
    # what others are advised for is among the rest, so that there is something to compare
    assert len({each.recipe.optimizer for each in advice[:-1]}) >= 2
