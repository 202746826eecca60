"""The recommendation for Keras 3, on torch, JAX or TensorFlow: an optimizer with its schedule to compile with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoopt.catalogue.own import entry_of
from autoopt.export.factors import write_factor
from autoopt.export.lines import comment, fold
from autoopt.export.pytorch import constants, heading
from autoopt.export.refusal import cannot_write
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation

Arguments = Mapping[str, Any]


def _betas(given: Arguments, usual: tuple[float, float] = (0.9, 0.999), **more: float) -> dict[str, float]:
    beta_1, beta_2 = given.get("betas", usual)
    return {"beta_1": beta_1, "beta_2": beta_2, **more}


KERAS: dict[str, tuple[str, Callable[[Arguments], dict[str, Any]]]] = {
    **dict.fromkeys(("sgd", "sgdw", "gd", "single_sgd"), (
        "SGD", lambda given: {k: given[k] for k in ("momentum", "nesterov") if given.get(k)})),
    "adam": ("Adam", lambda given: _betas(given, epsilon=1e-8)),
    "adamw": ("AdamW", lambda given: _betas(given, epsilon=1e-8)),
    "adamax": ("Adamax", lambda given: _betas(given, epsilon=1e-8)),
    "lion": ("Lion", lambda given: _betas(given, (0.9, 0.99))),
    # Keras has the epsilon of these two under the root, and starts the sums of Adagrad above zero
    "rmsprop": ("RMSprop", lambda given: {"rho": given.get("alpha", 0.99), "epsilon": 1e-16}),
    "adagrad": ("Adagrad", lambda _: {"initial_accumulator_value": 0.0, "epsilon": 1e-20}),
    "adadelta": ("Adadelta", lambda given: {"rho": given.get("rho", 0.9), "epsilon": 1e-6}),
}  # fmt: skip
"""Optimizers that Keras has with the same update: its class, and torch's arguments as Keras names them."""
DECOUPLED = ("sgdw", "adamw", "lion")  # their weight decay is no part of the gradient


def decay_of(recipe: Recipe) -> tuple[float, bool]:
    """Return the weight decay, and whether parameters of fewer than two dimensions are spared it."""
    given = recipe.settings.get("weight_decay")
    if given is None:  # torch's own
        return (0.01 if recipe.optimizer == "adamw" else 0.0), False
    return float(given), bool(given) and not recipe.decay_all


def write_keras(recommendation: Recommendation) -> str:
    """Return ``make_optimizer(model, total_steps)`` for ``model.compile``.

    Raises:
        SpaceError: an optimizer or schedule that does not exist, or that Keras has not, or has otherwise.
    """
    recipe = recommendation.recipe
    entry = entry_of(recipe)
    if recipe.optimizer not in KERAS:
        raise cannot_write(recipe, "Keras", f"it has {entry.title} not, or with another update")
    factor = write_factor(recipe, "Keras")
    lines = [
        *heading(recommendation),
        *(["import math", ""] if any("math." in line for line in factor) else []),
        "import keras",
        "",
        *constants(recipe, recommendation.epochs),
        "",
        "",
        *factor,
        *_rates(recipe),
        *_update(recipe),
        "",
        "",
        *_make_optimizer(recipe),
        "",
        "",
        *(f"# {line}".rstrip() for line in _use(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def _rates(recipe: Recipe) -> list[str]:
    return [
        "",
        "",
        "class Rate(keras.optimizers.schedules.LearningRateSchedule):",
        "    def __init__(self, total_steps):",
        "        self.total_steps = total_steps",
        f"        self.rates = [{recipe.settings['lr']!r} * rate_factor(step, total_steps)",
        "                      for step in range(total_steps)]",
        "",
        "    def __call__(self, step):",
        '        rates = keras.ops.convert_to_tensor(self.rates, "float32")',
        '        step = keras.ops.cast(step, "int32")',
        "        last = self.total_steps - 1",
        "        return keras.ops.take(rates, keras.ops.minimum(step, last))",
        "",
        "    def get_config(self):",
        '        return {"total_steps": self.total_steps}',
    ]


def _update(recipe: Recipe) -> list[str]:
    """Return a subclass where Keras's own update is another: coupled decay, momentum under a schedule."""
    name, arguments = KERAS[recipe.optimizer][0], entry_of(recipe).arguments(recipe.settings)
    decay, spares = decay_of(recipe)
    body: list[str] = []
    if decay and recipe.optimizer not in DECOUPLED:
        lines = [
            "value = keras.ops.convert_to_tensor(variable)",
            f"gradient = gradient + {decay!r} * value",
        ]
        matrices = "if len(variable.shape) >= 2:  # no biases"
        body += [matrices, *(f"    {line}" for line in lines)] if spares else lines
    if arguments.get("momentum"):
        body += [
            "momentum = self.momentums[self._get_variable_index(variable)]",
            "self.assign(momentum, self.momentum * momentum + gradient)",
            "step = momentum",
            *(["step = gradient + self.momentum * step"] if arguments.get("nesterov") else []),
            "self.assign_sub(variable, learning_rate * step)",
        ]
    elif body:
        body.append("super().update_step(gradient, variable, learning_rate)")
    if not body:
        return []
    return [
        "",
        "",
        *comment("as torch has it: weight decay in the gradient, momentum of gradients and not of steps"),
        f"class {name}(keras.optimizers.{name}):",
        "    def update_step(self, gradient, variable, learning_rate):",
        *(f"        {line}" for line in body),
    ]


def _make_optimizer(recipe: Recipe) -> list[str]:
    name, translate = KERAS[recipe.optimizer]
    arguments = translate(entry_of(recipe).arguments(recipe.settings))
    decay, spares = decay_of(recipe)
    if recipe.optimizer in DECOUPLED:
        arguments["weight_decay"] = decay
    made = name if _update(recipe) else f"keras.optimizers.{name}"
    written = "".join(f", {key}={value!r}" for key, value in arguments.items())
    written += ", global_clipnorm=clip_norm" * (recipe.clip_norm is not None)
    written += ", clipvalue=clip_value" * (recipe.clip_value is not None)
    lines = ["def make_optimizer(model, total_steps):"]
    if recipe.optimizer not in DECOUPLED or not spares:
        return [*lines, *fold(f"    return {made}(Rate(total_steps){written})")]
    return [
        *lines,
        *fold(f"    optimizer = {made}(Rate(total_steps){written})"),
        "    others = [v for v in model.trainable_variables if len(v.shape) < 2]",
        "    optimizer.exclude_from_weight_decay(others)  # biases, normalisation",
        "    return optimizer",
    ]


def _use(recipe: Recipe, epochs: int | None) -> list[str]:
    rows = "len(X)" if recipe.batch_size == WHOLE else "batch_size" if recipe.batch_size else "32"
    return [
        "model is a built one of Keras; X and y are numbers of your task",
        *(["epochs = ...  # as many as in your task"] if epochs is None else []),
        f"steps = epochs * -(-len(X) // {rows})",
        "model.compile(optimizer=make_optimizer(model, steps), loss=...)",
        f"model.fit(X, y, batch_size={rows}, epochs=epochs)",
    ]
