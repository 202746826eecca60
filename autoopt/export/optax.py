"""The recommendation for JAX: a chain of Optax's transformations with its schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoopt.catalogue.own import entry_of
from autoopt.export.factors import write_factor
from autoopt.export.keras import DECOUPLED, decay_of
from autoopt.export.lines import fold
from autoopt.export.pytorch import constants, heading
from autoopt.export.refusal import cannot_write
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation

Arguments = Mapping[str, Any]


def _sgd(given: Arguments) -> list[str]:
    if not given.get("momentum"):
        return []
    return [f"optax.trace(decay={given['momentum']!r}, nesterov={bool(given.get('nesterov'))})"]


def _by_moments(name: str, eps: float | None = 1e-8) -> Callable[[Arguments], list[str]]:
    def write(given: Arguments) -> list[str]:
        b1, b2 = given.get("betas", (0.9, 0.999))
        return [f"optax.{name}(b1={b1!r}, b2={b2!r}" + (f", eps={eps!r})" if eps else ")")]

    return write


OPTAX: dict[str, Callable[[Arguments], list[str]]] = {
    **dict.fromkeys(("sgd", "sgdw", "gd", "single_sgd"), _sgd),
    **dict.fromkeys(("adam", "adamw"), _by_moments("scale_by_adam")),
    **dict.fromkeys(("radam", "radam_l2"), _by_moments("scale_by_radam")),
    "adamax": _by_moments("scale_by_adamax"),
    "lion": _by_moments("scale_by_lion", None),
    "rmsprop": lambda given: [
        f"optax.scale_by_rms(decay={given.get('alpha', 0.99)!r}, eps=1e-8, eps_in_sqrt=False)"
    ],
    "adagrad": lambda _: ["optax.scale_by_rss(initial_accumulator_value=0.0, eps=1e-20)"],
    "adadelta": lambda given: [f"optax.scale_by_adadelta(rho={given.get('rho', 0.9)!r}, eps=1e-6)"],
}
"""Optimizers that Optax has with the same update: torch's arguments as its transformations."""


def write_optax(recommendation: Recommendation) -> str:
    """Return ``make_optimizer(total_steps)``, an Optax transformation of gradients.

    Raises:
        SpaceError: an optimizer or schedule that does not exist, or that Optax has not, or has otherwise.
    """
    recipe = recommendation.recipe
    entry = entry_of(recipe)
    if recipe.optimizer not in OPTAX:
        raise cannot_write(recipe, "Optax", f"it has {entry.title} not, or with another update")
    factor = write_factor(recipe, "Optax")
    lines = [
        *heading(recommendation),
        *(["import math", ""] if any("math." in line for line in factor) else []),
        "import jax",
        "import jax.numpy as jnp",
        "import optax",
        "",
        *constants(recipe, recommendation.epochs),
        "",
        "",
        *factor,
        "",
        "",
        *_make_optimizer(recipe),
        "",
        "",
        *(f"# {line}".rstrip() for line in _use(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def _make_optimizer(recipe: Recipe) -> list[str]:
    given = entry_of(recipe).arguments(recipe.settings)
    share, spares = decay_of(recipe)
    decay = f"optax.add_decayed_weights({share!r}{', mask=decayed' if spares else ''})" if share else ""
    decoupled = recipe.optimizer in (*DECOUPLED, "radam")
    parts = [
        *(["optax.clip_by_global_norm(clip_norm)"] if recipe.clip_norm is not None else []),
        *(["optax.clip(clip_value)"] if recipe.clip_value is not None else []),
        *([decay] if decay and not decoupled else []),
        *OPTAX[recipe.optimizer](given),
        *([decay] if decay and decoupled else []),
        "optax.scale_by_learning_rate(lambda step: rates[step])",
    ]
    return [
        *(_DECAYED if spares else []),
        "def make_optimizer(total_steps):",
        "    rates = jnp.asarray([",
        f"        {recipe.settings['lr']!r} * rate_factor(step, total_steps)",
        "        for step in range(total_steps)",
        "    ])  # beyond its end, JAX stays at the last",
        "    return optax.chain(",
        *(line for part in parts for line in _argument(part)),
        "    )",
    ]


def _argument(part: str) -> list[str]:
    *lines, last = fold(f"        {part}")
    return [*lines, f"{last},"]


_DECAYED = [
    "def decayed(parameters):",
    '    """Say which parameters decay: no biases, no normalisation."""',
    "    return jax.tree.map(lambda p: p.ndim >= 2, parameters)",
    "",
    "",
]


def _use(recipe: Recipe, epochs: int | None) -> list[str]:
    rows = "len(X)" if recipe.batch_size == WHOLE else "batch_size" if recipe.batch_size else "32"
    return [
        "parameters, loss(parameters, X, y) and batches() are those of your task",
        *(["epochs = ...  # as many as in your task"] if epochs is None else []),
        f"optimizer = make_optimizer(epochs * -(-len(X) // {rows}))",
        "state = optimizer.init(parameters)",
        "for epoch in range(epochs):",
        f"    for inputs, targets in batches(X, y, {rows}):",
        "        gradients = jax.grad(loss)(parameters, inputs, targets)",
        "        updates, state = optimizer.update(gradients, state, parameters)",
        "        parameters = optax.apply_updates(parameters, updates)",
    ]
