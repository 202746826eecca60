"""The command ``explain``: the full entry of an optimizer or a schedule."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.available import is_available
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry
from autoopt.catalogue.lookahead import LOOKAHEAD
from autoopt.cli import display
from autoopt.cli.listing import optimizer_to_dict, schedule_to_dict, show_range, show_value
from autoopt.cli.options import AsJson
from autoopt.errors import SpaceError, unknown_name

Entry = OptimizerEntry | ScheduleEntry

_BATCHES = {
    "any": "of any size",
    "whole": "the whole training set at every step, so one step an epoch",
    "single": "a single row at every step",
}
_NEEDS = {
    "dense_gradients": "dense gradients: an embedding with sparse=True makes it fail",
    "dense_gradients_to_decay": "dense gradients for weight decay; without decay it takes sparse ones too",
    "closure": "a closure: it computes loss and gradient several times a step, which costs as many times as much",
    "second_derivatives": "a closure that returns the loss, whose second derivatives it takes itself",
    "sparse_gradients": "sparse gradients for all parameters, as of embeddings with sparse=True",
    "hidden_matrices": "matrices between other layers; embeddings, the last layer, kernels of convolutions, biases and "
    "normalisation are moved by AdamW (the split is made for you)",
    "switches": "optimizer.train() before training, optimizer.eval() before evaluation (done for you here)",
}


def explain_entry(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Of an optimizer or schedule, such as adamw or cosine, or an optimizer class of your own as for "
            "--optimizer-from.",
        ),
    ],
    json: AsJson = False,
) -> None:
    """Say all that is known of an optimizer or a schedule: what it does, ranges, sources, memory, formula.

    \b
    Examples
      autoopt explain adamw
      autoopt explain cosine --json
      autoopt explain 'lions.py:MyLion lr=1e-5..1e-2'
    """
    entry = _read_own(name) if ":" in name else _find(name)
    if json:
        display.say_json(_to_dict(entry))
        return
    display.say_heading(entry.title, f"{_kind(entry)} · {entry.name}")
    display.say(entry.says, "")
    display.say_rows(("what", "is so"), facts_of(entry))
    display.say("")
    rows = [
        (h.name, show_range(h), show_value(h.reference), meaning_of(entry, h)) for h in entry.hyperparameters
    ]
    display.say_rows(
        ("setting", "searched", "best guess", "what it does, and where the range comes from"), rows
    )
    if entry.formula:
        display.say_heading("\nFormula", "LaTeX")
        display.say_exactly(f"  {entry.formula}")
    display.say_heading("\nReferences")
    display.say(*(f"· {reference}" for reference in entry.references))


def _read_own(source: str) -> OptimizerEntry:
    from autoopt.training.own_entry import optimizer_entry

    return optimizer_entry(source)


def _find(name: str) -> Entry:
    """Return the entry of that name or title, however it is spelled.

    Raises:
        SpaceError: there is none; the nearest name is offered.
    """
    known: dict[str, Entry] = {**OPTIMIZERS, **SCHEDULES}
    wanted = _bare(f"{LOOKAHEAD}_sgd" if _bare(name) == LOOKAHEAD else name)
    for entry in known.values():
        if wanted in (_bare(entry.name), _bare(entry.title)):
            return entry
    raise SpaceError(unknown_name("optimizer or schedule", name, known))


def _bare(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _kind(entry: Entry) -> str:
    return "optimizer" if isinstance(entry, OptimizerEntry) else "schedule"


def facts_of(entry: Entry) -> list[tuple[str, str]]:
    """Return what else is to know of an entry, by what it is about."""
    tried = "by default" if entry.in_default_search else f"where it is named, or with --{_kind(entry)}s all"
    if isinstance(entry, OptimizerEntry) and entry.own is not None:
        tried = "with --optimizer-from"
    if isinstance(entry, ScheduleEntry):
        return [("is tried", tried)]
    module, _, name = entry.target.partition(":")
    facts = [
        ("is tried", tried),
        ("memory", f"{_state(entry)} × the parameters of the model, kept beside them"),
        ("needs", "\n".join(_NEEDS[need] for need in sorted(entry.needs)) or "nothing special"),
        ("batches", _BATCHES[entry.batches]),
        (
            "schedule",
            (", ".join(entry.schedules) or "any")
            if entry.takes_schedule
            else "none: its rate stays as it is",
        ),
        ("class", f"{module}.{name}"),
    ]
    if entry.most_parameters is not None:
        facts.append(("model", f"of at most {entry.most_parameters:,} parameters"))
    if not is_available(entry):
        facts.append(("not installed", f"pip install 'autoopt[{entry.extra}]'"))
    return facts


def _state(entry: OptimizerEntry) -> str:
    return f"{entry.state_floats:.3g}" if entry.state_floats < 1000 else "the number of parameters"


def meaning_of(entry: Entry, hyperparameter: Hyperparameter) -> str:
    """Return what a setting does, and where its range comes from."""
    scaled = isinstance(entry, OptimizerEntry) and entry.momentum_scales_lr
    unit = "In units of lr / (1 − momentum). " if scaled and hyperparameter.name == "lr" else ""
    return unit + hyperparameter.says


def _to_dict(entry: Entry) -> dict[str, Any]:
    data = optimizer_to_dict(entry) if isinstance(entry, OptimizerEntry) else schedule_to_dict(entry)
    return {"kind": _kind(entry), **data}
