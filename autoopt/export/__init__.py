"""The answer as code or data: a recommendation written for PyTorch and what stands on it,
for Keras and for JAX, as JSON or as YAML.

May import ``verdict``, ``catalogue``, ``recipe`` and ``errors``; never the libraries that it writes code for.
A new format is one function from a recommendation to text and one line in ``WRITERS``.
"""

from __future__ import annotations

from collections.abc import Callable

from autoopt.errors import UsageError, unknown_name
from autoopt.export.documents import write_json, write_yaml
from autoopt.export.keras import write_keras
from autoopt.export.lightning import write_lightning
from autoopt.export.optax import write_optax
from autoopt.export.pytorch import write_pytorch
from autoopt.export.skorch import write_skorch
from autoopt.export.transformers import write_transformers
from autoopt.verdict.recommendation import Recommendation

WRITERS: dict[str, Callable[[Recommendation], str]] = {
    "pytorch": write_pytorch,
    "lightning": write_lightning,
    "transformers": write_transformers,
    "skorch": write_skorch,
    "keras": write_keras,
    "optax": write_optax,
    "json": write_json,
    "yaml": write_yaml,
}

__all__ = ["WRITERS", "write"]


def write(recommendation: Recommendation, format: str) -> str:
    """Return the recommendation as text in one of the formats of ``WRITERS``.

    Args:
        format: ``pytorch``, ``lightning``, ``transformers``, ``skorch``, ``keras``, ``optax``, ``json`` or ``yaml``.

    Raises:
        UsageError: there is no such format, or the recipe has no form in that library.

    >>> from autoopt.recipe import Recipe
    >>> from autoopt.verdict.confirm import Confirmation
    >>> from autoopt.verdict.recommend import recommend
    >>> from autoopt.verdict.recommendation import Spent
    >>> better = Confirmation(Recipe("sgd", {"lr": 0.1}), {1: 0.2, 2: 0.3})
    >>> usual = Confirmation(Recipe("adamw"), {1: 0.4, 2: 0.5})
    >>> answer = recommend(study="s", task="t", objective="loss", direction="minimize", finalists=[better],
    ...                    baseline=usual, reasons=(), spent=Spent(1, 4, 9.0), versions={}, epochs=3)
    >>> "torch.optim.SGD" in write(answer, "pytorch")
    True
    """
    if format not in WRITERS:
        raise UsageError(unknown_name("format", format, WRITERS))
    return WRITERS[format](recommendation)
