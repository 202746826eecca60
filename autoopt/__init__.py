"""autoopt picks the training optimizer for your own PyTorch model.

The public names are loaded on first use, so that ``import autoopt`` costs milliseconds and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from autoopt.advice import suggest as suggest
    from autoopt.errors import AutooptError as AutooptError
    from autoopt.errors import Stop as Stop
    from autoopt.export import write as write
    from autoopt.history import Study as Study
    from autoopt.history import load_study as load_study
    from autoopt.integrations.bar import ProgressBar as ProgressBar
    from autoopt.integrations.sklearn import AutoOptClassifier as AutoOptClassifier
    from autoopt.integrations.sklearn import AutoOptRegressor as AutoOptRegressor
    from autoopt.loops.current import current_trial as current_trial
    from autoopt.loops.script import Script as Script
    from autoopt.loops.trial import Trial as Trial
    from autoopt.recipe import Recipe as Recipe
    from autoopt.search.samplers import Sampler as Sampler
    from autoopt.tasks.load import load_task as load_task
    from autoopt.tasks.make import make_task as make_task
    from autoopt.training.own_entry import optimizer_entry as optimizer_entry
    from autoopt.tuning import resume as resume
    from autoopt.tuning import tune as tune
    from autoopt.verdict.recommendation import Recommendation as Recommendation

_HOMES = {
    "AutoOptClassifier": "autoopt.integrations.sklearn",
    "AutoOptRegressor": "autoopt.integrations.sklearn",
    "AutooptError": "autoopt.errors",
    "ProgressBar": "autoopt.integrations.bar",
    "Recipe": "autoopt.recipe",
    "Recommendation": "autoopt.verdict.recommendation",
    "Sampler": "autoopt.search.samplers",
    "Script": "autoopt.loops.script",
    "Stop": "autoopt.errors",
    "Study": "autoopt.history",
    "Trial": "autoopt.loops.trial",
    "current_trial": "autoopt.loops.current",
    "load_study": "autoopt.history",
    "load_task": "autoopt.tasks.load",
    "make_task": "autoopt.tasks.make",
    "optimizer_entry": "autoopt.training.own_entry",
    "resume": "autoopt.tuning",
    "suggest": "autoopt.advice",
    "tune": "autoopt.tuning",
    "write": "autoopt.export",
}
__all__ = [
    "AutoOptClassifier",
    "AutoOptRegressor",
    "AutooptError",
    "ProgressBar",
    "Recipe",
    "Recommendation",
    "Sampler",
    "Script",
    "Stop",
    "Study",
    "Trial",
    "__version__",
    "current_trial",
    "load_study",
    "load_task",
    "make_task",
    "optimizer_entry",
    "resume",
    "suggest",
    "tune",
    "write",
]


_LEAVES = {"huggingface": "transformers", "keras": "keras", "lightning": "lightning", "mlflow": "mlflow",
           "skorch": "skorch", "tensorboard": "tensorboard"}  # fmt: skip
"""Doors for other libraries, ``autoopt.lightning.tune`` …, and the extra that each needs."""


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _LEAVES:
        return _open_door(name)
    raise AttributeError(f"module 'autoopt' has no attribute {name!r}")


def _open_door(name: str) -> Any:
    try:
        return import_module(f"autoopt.integrations.{name}")
    except ModuleNotFoundError as error:
        from autoopt.errors import UsageError

        extra = _LEAVES[name]
        raise UsageError(
            f"autoopt.{name} needs {error.name}, which is not installed: pip install 'autoopt[{extra}]'"
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
