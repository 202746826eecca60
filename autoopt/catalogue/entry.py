"""The shape of a catalogue entry: an optimizer or a schedule as data and maths, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autoopt.errors import SpaceError
from autoopt.recipe import Own

Value = float | int | bool | str
Scale = Literal["linear", "log", "one_minus_log"]
State = Mapping[str, Any]
Batches = Literal["any", "whole", "single"]
Legal = Literal["above 0", "at least 0", "at least 1", "from 0 to below 1", "above 0 up to 1", "of any size"]


@dataclass(frozen=True)
class Hyperparameter:
    """One number, switch or choice of an optimizer or schedule.

    Attributes:
        name: as in ``Recipe.settings``: ``lr``, ``weight_decay``, ``momentum``, ``beta1``, …
        kind: of its values.
        low, high: the searched range, in the units of the value itself (not of its logarithm).
        scale: how the range is walked; ``one_minus_log`` walks 1 − value on a log scale (momentum, betas).
        reference: a value that is good more often than any other; where nothing is searched it is used.
        choices: the values of a ``choice``.
        or_zero: zero is a good value as well, though a log scale cannot reach it.
        legal: the numbers that make sense at all, wider than the searched range.
        only_if: (name, value) of another hyperparameter that must hold for this one to exist.
        says: what it does and where its range comes from, in a sentence.
    """

    name: str
    kind: Literal["float", "int", "bool", "choice"] = "float"
    low: float = 0.0
    high: float = 1.0
    scale: Scale = "linear"
    reference: Value = 0.0
    choices: tuple[Value, ...] = ()
    or_zero: bool = False
    legal: Legal = "at least 0"
    only_if: tuple[str, Value] | None = None
    says: str = ""


@dataclass(frozen=True)
class UpdateRule:
    """What an optimizer does to one array of weights, in a step: mathematics, apart from any library.

    Made of operators and of methods that arrays and tensors share, so it works on both; it changes none of its
    arguments. ``settings`` are those of a recipe, with ``lr`` the rate of the step at hand; what is not
    among them has the default of the target.

    Attributes:
        init: (parameter, settings with the full rate) → state before the first step.
        step: (parameter, gradient, state, settings, number of the step from 1) → parameter and state after it.
    """

    init: Callable[[Any, Mapping[str, Value]], State]
    step: Callable[[Any, Any, State, Mapping[str, Value], int], tuple[Any, State]]


@dataclass(frozen=True)
class OptimizerEntry:
    """One optimizer: where it lives, what can be set, what is known of it.

    Attributes:
        name: lower case, unique: ``adamw``.
        title: as people write it: ``AdamW``.
        family: ``sgd``, ``adam``, ``rms``, ``sign``, ``matrix``, ``schedule_free`` or ``second_order``.
        target: where the class lives: ``torch.optim:AdamW``.
        hyperparameters: ``lr`` first.
        arguments: from settings to the keyword arguments of the target.
        state_floats: floats of state kept for each parameter, of a matrix of 64 × 64 where shapes matter.
        needs: what it asks of gradients: ``dense_gradients`` if sparse ones make it raise,
            ``dense_gradients_to_decay`` if they do so only together with weight decay, ``sparse_gradients``
            if dense ones do. And of the model: ``hidden_matrices`` if it is for those alone and has another move the
            rest. And of the loop: ``closure`` to compute loss and gradient as often as it likes within a step,
            ``second_derivatives`` for one that returns the loss with its graph, to be derived twice;
            ``switches`` if it wants ``optimizer.train()`` before training and ``optimizer.eval()`` before evaluation.
        batches: what a step looks at: ``any`` number of rows, as the recipe says; the ``whole`` training set; a
            ``single`` row.
        most_parameters: parameters of a model beyond which it is refused; ``None`` for any number.
        rate_by_length: the shorter a training, the higher its best rate; not where the rate is a multiple of one that
            the optimizer finds by itself.
        own_warmup: (steps of a training) → the share of its rate that an optimizer that holds back at first takes on
            the average; the shorter the training, the less, and the higher the rate to set.
        takes_schedule: a schedule of the rate does something for it; without one the recipe's is constant.
        schedules: the only ones that it goes with; none for an optimizer that goes with all.
        rank: smaller is simpler and cheaper; breaks ties in the verdict.
        momentum_scales_lr: the rate that compares across momenta is lr / (1 − momentum); the reference of
            ``lr`` and its range are then in that effective rate.
        rule: the update as a pure function, if it is one of a single array.
        in_default_search: tried where nobody says what to try.
        extra: the extra of autoopt that brings the target's library; none for what torch itself has.
        own: of the user's own optimizer, what its recipes carry; none for those of the catalogue.
        around: the optimizer that this one is Lookahead around, if it is.
        says, formula, references: a sentence, LaTeX, and papers or documents.
    """

    name: str
    title: str
    family: str
    target: str
    hyperparameters: tuple[Hyperparameter, ...]
    arguments: Callable[[Mapping[str, Value]], dict[str, Any]]
    state_floats: float
    rank: float
    needs: frozenset[str] = frozenset()
    batches: Batches = "any"
    most_parameters: int | None = None
    rate_by_length: bool = True
    own_warmup: Callable[[int], float] | None = None
    takes_schedule: bool = True
    schedules: tuple[str, ...] = ()
    momentum_scales_lr: bool = False
    rule: UpdateRule | None = None
    in_default_search: bool = False
    extra: str | None = None
    around: OptimizerEntry | None = None
    own: Own | None = None
    says: str = ""
    formula: str = ""
    references: tuple[str, ...] = ()

    @property
    def may_cost_more(self) -> bool:
        """Whether an epoch may take much longer than one of an ordinary first-order optimizer, so that it is timed.

        That is so of products and factors of matrices, of several looks at the loss in a step, of a step for every
        row, and of what is not known here: an optimizer of the user's own.
        """
        if self.around is not None:
            return self.around.may_cost_more
        several_looks = bool(self.needs & {"closure", "second_derivatives"})
        return self.own is not None or self.family == "matrix" or several_looks or self.batches == "single"

    def accepts(self, *, sparse: bool, dense: bool) -> bool:
        """Return whether it trains a model some of whose gradients are sparse, or dense."""
        return not (sparse and "dense_gradients" in self.needs) and not (
            dense and "sparse_gradients" in self.needs
        )

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return the hyperparameter of that name.

        Raises:
            SpaceError: this optimizer has none of that name.
        """
        return _find(self.hyperparameters, name, self.title)


@dataclass(frozen=True)
class ScheduleEntry:
    """One learning-rate schedule as a closed form of the steps; some follow the validation loss as well.

    Attributes:
        factor: (step, total_steps, settings) → multiple of the base rate at that step, both counted after
            the warmup, step from 0 to total_steps − 1. Whole steps and not a fraction of progress, because
            torch's own schedulers count whole steps and the two must be equal.
        torch_form: (total_steps, settings) → name of the class in torch.optim.lr_scheduler and its keyword
            arguments, whose rates equal ``factor``; ``None`` where torch has none.
        follow: (validation losses of the epochs so far, settings) → what ``factor`` is multiplied by in the
            next epoch, for a schedule that reacts to the training; ``torch_form`` is then to be stepped with
            that loss once an epoch, beside the warmup. A pure function of what is recorded, so that a study
            that carries on does the same again.
        in_default_search: tried where nobody says what to try.
    """

    name: str
    title: str
    factor: Callable[[int, int, Mapping[str, Value]], float]
    hyperparameters: tuple[Hyperparameter, ...] = ()
    torch_form: Callable[[int, Mapping[str, Value]], tuple[str, dict[str, Any]]] | None = None
    follow: Callable[[Sequence[float], Mapping[str, Value]], float] | None = None
    in_default_search: bool = False
    says: str = ""
    formula: str = ""
    references: tuple[str, ...] = ()

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return the hyperparameter of that name, or raise SpaceError."""
        return _find(self.hyperparameters, name, self.title)


def _find(hyperparameters: tuple[Hyperparameter, ...], name: str, owner: str) -> Hyperparameter:
    for hyperparameter in hyperparameters:
        if hyperparameter.name == name:
            return hyperparameter
    known = ", ".join(h.name for h in hyperparameters) or "none"
    raise SpaceError(f"{owner} has no setting {name!r}; it has: {known}")
