"""What ``suggest`` measures on a task, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoopt.cli import display
from autoopt.recipe import Recipe

if TYPE_CHECKING:
    from autoopt.tasks.gradient_noise import GradientFacts
    from autoopt.tasks.task import Task
    from autoopt.training.range_test import RangeTest

SECONDS = 10.0  # for one recipe; the first model of its test always goes all the way


@dataclass(frozen=True)
class Probed:
    """A suggested recipe with its range test.

    Attributes:
        careful: the weights were loaded, and a high rate would forget what they know, so the written rate is
            never raised.
    """

    recipe: Recipe
    test: RangeTest
    careful: bool = False

    @property
    def written(self) -> float:
        """The rate that the recipe came with."""
        return float(self.recipe.settings["lr"])

    @property
    def reference(self) -> float:
        """The rate that is good for this optimizer more often than any other."""
        from autoopt.training.range_test import reference_rate

        return reference_rate(self.recipe)

    @property
    def suggested(self) -> float:
        """The rate to train with: where the loss was lowest, or what is written if the test tells nothing."""
        if self.test.best is None:
            return self.written
        return min(self.written, self.test.best) if self.careful else self.test.best

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "optimizer": self.recipe.optimizer, "written": self.written, "reference": self.reference,
            "suggested": self.suggested, **self.test.to_dict(),
        }  # fmt: skip


def probe_rates(task: Task, recipes: Sequence[Recipe], device: str, *, careful: bool) -> list[Probed]:
    """Test the learning rate of every recipe that has one; see ``Probed``."""
    from autoopt.training.device import device_for
    from autoopt.training.range_test import range_test

    where = device_for(task, device)
    probed = []
    for recipe in recipes:
        if "lr" not in recipe.settings:
            continue
        display.say(f"testing rates of {recipe.optimizer} …", stderr=True)
        probed.append(Probed(recipe, range_test(task, recipe, where, seconds=SECONDS), careful))
    return probed


def check_study(study: str, storage: str) -> None:
    """Make sure that there is such a study.

    Raises:
        StorageError: there is none, or no such database.
    """
    from autoopt.records.store import Store

    with Store.open(storage, readonly=True) as store, store.reading() as connection:
        store.study_id(connection, study)


def keep_probes(probed: Sequence[Probed], study: str, storage: str) -> None:
    """Keep range tests with a study; the dashboard shows them beside its learning rates."""
    from autoopt.records.margin import Margin
    from autoopt.records.store import Store

    with Store.open(storage) as store:
        Margin(store).save_range_tests(study, [(each.recipe.to_dict(), each.to_dict()) for each in probed])


def say_probes(probed: Sequence[Probed]) -> None:
    """Print what the range tests found."""
    numbers = ("written above", "reference", "probe", "breaks at", "suggested")
    display.say_heading("Learning rates", "in a range test of a few dozen steps")
    display.say_rows(
        ("optimizer", *numbers),
        [(each.recipe.optimizer, *map(_rate, (each.written, each.reference, each.test.best, each.test.border,
                                              each.suggested))) for each in probed],
        right=numbers,
    )  # fmt: skip
    display.say("a short test suits short trainings: halve its rate for a long one, or if it diverges")
    for each in probed:
        if each.test.note:
            display.say(f"· {each.recipe.optimizer}: {each.test.note}")
    display.say("")


def tell_gradients(found: GradientFacts, task: Task) -> str:
    """Return what was measured of the gradients, in a line."""
    noise, batch = found.noise_scale, task.train.fixed_batch_size or task.batch_size
    rows = f"about {noise:,.0f} rows" if math.isfinite(noise) else "larger than can be measured"
    rows = "below one row" if noise < 1 else rows
    zeros = f"{found.zero_gradients:.0%} of the weights get no gradient in a batch"
    sparse = f", {found.sparse_data:.0%} in some batches only" if found.zero_gradients >= 0.01 else ""
    return f"gradient noise scale {rows} (batch {batch}), {zeros}{sparse}"


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2g}"
