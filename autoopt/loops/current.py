"""The trial of a script: that of the study which runs it, or the usual default where it runs alone."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from autoopt.errors import LoopError, Stop
from autoopt.loops.reported import Reported
from autoopt.loops.script import to_message
from autoopt.loops.terms import Facts, Terms
from autoopt.loops.trial import Trial
from autoopt.loops.tryout import Tryout
from autoopt.loops.wire import ADDRESS, Wire, call
from autoopt.recipe import Recipe, Setting
from autoopt.run import Run
from autoopt.space.extra import Extra
from autoopt.space.written import BASELINE
from autoopt.training.device import choose_device

_found: dict[str, Trial] = {}


def current_trial(
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    recipe: Recipe | None = None,
) -> Trial:
    """Return the trial that this program is run for; the same one each time.

    Under ``autoopt tune --script`` it is what the study wants to try; torch, NumPy and Python are seeded then.
    Alone, the program trains with the usual default, AdamW at 1e-3, and its reports are answered by nobody.

    Args:
        epochs, batch_size: unless the study says otherwise; 20 and 64 if ``None``.
        device: likewise.
        recipe: what to train with alone, such as ``Recommendation.load("best.json").recipe``.

    Raises:
        LoopError: the study that started the program is gone.

    >>> from autoopt.recipe import Recipe
    >>> trial = current_trial(epochs=3, recipe=Recipe("sgd", {"lr": 0.1}))
    >>> trial.epochs, trial.recipe.optimizer
    (3, 'sgd')
    """
    address = os.environ.get(ADDRESS, "")
    if address not in _found:
        terms = Terms(epochs, batch_size, device=choose_device(device))
        _found[address] = _of_study(address, terms) if address else _alone(terms, recipe or BASELINE)
    return _found[address]


def _seed(seed: int) -> None:
    """Seed everything, as for a loop that is no script: the run shall do the same whenever it is trained."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class _Alone(Trial):
    """A trial of nobody: what is asked for gets its default, what is reported is heard by nobody."""

    def pass_on(self, reported: Reported) -> None:
        """Note the epoch."""
        self._epoch = reported.epoch

    def _answer(self, extra: Extra) -> Setting:
        return self.recipe.extras.get(extra.name, extra.default)


def _alone(terms: Terms, recipe: Recipe) -> Trial:
    return _Alone(Run(0, recipe, seed=0, epochs=terms.length), terms, _ignore)


def _of_study(address: str, terms: Terms) -> Trial:
    try:
        wire = call(address, {"epochs": terms.epochs, "batch_size": terms.batch_size})
        told = wire.receive()
    except (OSError, ValueError) as error:
        raise LoopError(f"the study that started this program is gone ({error}): unset {ADDRESS}") from error
    if told is None:
        raise LoopError(f"the study that started this program does not answer: unset {ADDRESS}")
    _end_quietly_on_stop()
    device = terms.device if told["device"] == "auto" else str(told["device"])
    terms = Terms(told["epochs"], told["batch_size"], told["metric"], told["direction"], device)
    if told["run"] is None:
        return _ScriptTryout(terms, wire)
    _seed(told["seed"])
    run = Run(told["run"], Recipe.from_dict(told["recipe"]), told["seed"], told["epochs"])
    return _ScriptTrial(run, terms, wire)


class _Calling:
    """What both trials of a script have: the wire to the study."""

    _wire: Wire
    _over: bool

    def _call(self, message: dict[str, Any]) -> None:
        """Say something, and wait for the answer; Stop if it is that."""
        self._wire.send(message)
        answer = self._wire.receive()
        if answer is None or "stop" in answer:
            self._over = True
            raise Stop("the study is gone" if answer is None else answer["stop"])


class _ScriptTryout(_Calling, Tryout):
    def __init__(self, terms: Terms, wire: Wire) -> None:
        self._wire = wire
        super().__init__(terms, _ignore)

    def see(self, facts: Facts) -> None:
        """Tell the study what is trained; it ends the program."""
        self._call({"says": "facts", "facts": facts.to_dict()})

    def refuse(self, message: str) -> LoopError:
        """Tell the study as well."""
        return _refuse(self, super().refuse(message))


class _ScriptTrial(_Calling, Trial):
    def __init__(self, run: Run, terms: Terms, wire: Wire) -> None:
        self._wire = wire
        super().__init__(run, terms, _ignore)

    def note_steps(self, steps: int) -> None:
        """Let the study compare them with those of other runs."""
        self._call({"says": "steps", "steps": steps})

    def pass_on(self, reported: Reported) -> None:
        """Tell the study, and wait for what it says."""
        self._epoch = reported.epoch
        self._call(
            to_message(replace(reported, held_bytes=_own_bytes(reported)), read_epochs=self.read_epochs)
        )

    def refuse(self, message: str) -> LoopError:
        """Tell the study as well."""
        return _refuse(self, super().refuse(message))


def _refuse(trial: _Calling, mistake: LoopError) -> LoopError:
    try:
        trial._wire.send({"says": "mistake", "mistake": str(mistake)})
    except OSError:
        return mistake
    return mistake


def _own_bytes(reported: Reported) -> int:
    """Return the memory that this program fills while it waits, all of it; of the model where nobody tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return reported.held_bytes
    return pages * os.sysconf("SC_PAGE_SIZE")


def _end_quietly_on_stop() -> None:
    """Let a program that lets Stop through end without a traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, Stop):
            before(kind, error, trace)

    sys.excepthook = hook


def _ignore(_: Reported) -> None:
    return None
