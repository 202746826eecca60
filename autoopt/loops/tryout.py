"""Trying a loop out: up to its first optimizer, to see what is trained, for how long, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from autoopt.errors import LoopError, Stop
from autoopt.loops.given import model_trouble
from autoopt.loops.reported import Reported
from autoopt.loops.terms import Facts, Terms, see_model
from autoopt.loops.trial import Abandoned, Loop, Trial
from autoopt.loops.turns import Turns
from autoopt.recipe import Setting
from autoopt.run import Run
from autoopt.space.extra import Extra
from autoopt.space.written import BASELINE
from autoopt.tasks.explain import explained
from autoopt.training.streams import RandomStreams


class Tryout(Trial):
    """A trial that ends where the loop asks for its first optimizer."""

    def __init__(self, terms: Terms, hand_over: Callable[[Reported], None]) -> None:
        super().__init__(Run(-1, BASELINE, seed=0, epochs=terms.length), terms, hand_over)
        self.facts: Facts | None = None
        self._reads_batch_size = False
        self._extras: dict[str, Extra] = {}

    @property
    def batch_size(self) -> int:
        """Rows a training batch."""
        self._reads_batch_size = True
        return super().batch_size

    def optimizer(self, model: nn.Module, total_steps: int) -> tuple[Optimizer, LRScheduler]:
        """Note what is trained, and end the loop."""
        if trouble := model_trouble(model):
            raise self.refuse(trouble)
        steps = self._check_steps(total_steps)
        self.see(see_model(model, steps, self.terms, reads_batch_size=self._reads_batch_size,
                           extras=tuple(self._extras.values())))  # fmt: skip
        raise AssertionError  # see() has raised Stop

    def report(self, value: float | Tensor, **metrics: float | Tensor) -> None:
        """Refuse, as there was no optimizer before."""
        if not self._over:
            raise self.refuse(_NO_OPTIMIZER)
        super().report(value, **metrics)

    def see(self, facts: Facts) -> None:
        """Take the facts, and end the loop."""
        self.facts, self._over = facts, True
        raise Stop("the loop is only tried out here")

    def _answer(self, extra: Extra) -> Setting:
        if self._extras.setdefault(extra.name, extra) != extra:
            raise self.refuse(f"the loop asks for {extra.name!r} twice, and not for the same")
        return extra.default


_NO_OPTIMIZER = (
    "the loop never asked for an optimizer: write optimizer, scheduler = trial.optimizer(model, total_steps=…) in "
    "place of the one that it makes itself"
)


def try_out(loop: Loop, terms: Terms) -> Facts:
    """Run a loop up to its first call of ``trial.optimizer``, and return what that showed.

    Raises:
        LoopError: there is none, or the loop does not let Stop through.
        TaskError: its code raises.
    """

    def work(_: Turns) -> None:
        loop(trial)

    turns = Turns(work, "autoopt try-out")
    trial = Tryout(terms, turns.hand_over)
    try:
        with explained("trying the training loop"), RandomStreams(0, terms.device).active():
            turns.take()
    except LoopError:  # what the loop itself finds wrong, or the trial with the loop
        if trial.mistake is None:
            raise
    except (Stop, Abandoned):
        if trial.facts is None and trial.mistake is None:
            raise LoopError(_NO_OPTIMIZER) from None
    if trial.mistake is not None:
        raise trial.mistake
    if trial.facts is None:
        raise LoopError(_NO_OPTIMIZER)
    return trial.facts
