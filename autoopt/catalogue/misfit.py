"""Why an optimizer cannot train a task at all: its size, its batches."""

from __future__ import annotations

from autoopt.catalogue.entry import Batches, OptimizerEntry

LOOKS_AT: dict[Batches, str] = {"whole": "the whole training set", "single": "a single row"}


def misfit(
    entry: OptimizerEntry,
    *,
    n_trainable: int | None = None,
    batch_norm: bool = False,
    own_batches: bool = False,
    own_loop: bool = False,
) -> str | None:
    """Return why an optimizer cannot train a task, in a sentence without its end; ``None`` if it can.

    Args:
        n_trainable: parameters that get gradients; ``None`` if not known.
        batch_norm: the model normalises over the rows of a batch.
        own_batches: the training data come in batches that nobody else can change.
        own_loop: the steps are taken by a training loop of the user's.
    """
    most = entry.most_parameters
    if most is not None and n_trainable is not None and n_trainable > most:
        return (
            f"{entry.name} keeps a matrix of all parameters by all parameters, so it takes at most {most:,} of them, "
            f"and this model trains {n_trainable:,}"
        )
    if own_loop and (reason := _unfit_for_own_loop(entry)):
        return f"{entry.name} {reason}"
    if own_batches and entry.batches != "any":
        return (
            f"{entry.name} looks at {LOOKS_AT[entry.batches]} at every step, and the training data come in batches "
            "of their own: give a Dataset or arrays"
        )
    if batch_norm and entry.batches == "single":
        return (
            f"{entry.name} looks at a single row at every step, and the model's batch norm needs two at least"
        )
    return None


def _unfit_for_own_loop(entry: OptimizerEntry) -> str | None:
    """Return what an optimizer asks of a training loop beyond ``backward`` and ``step``; ``None`` if nothing."""
    if entry.batches != "any":
        return f"looks at {LOOKS_AT[entry.batches]} at every step, and a loop of your own makes its batches itself"
    if entry.needs & {"closure", "second_derivatives"}:
        return "computes the loss several times a step, which a loop of your own does not do"
    if "switches" in entry.needs:
        return "is judged by other weights than those it trains, which a loop of your own does not switch"
    return None
