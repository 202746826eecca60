"""Terms: what the caller says of a training loop of his own, and what its first call of ``trial.optimizer`` shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import nn

from autoopt.errors import LoopError
from autoopt.run import Direction
from autoopt.space.extra import Extra
from autoopt.tasks.data import BATCH_SIZE
from autoopt.tasks.fingerprint import fingerprint_task
from autoopt.tasks.make import EPOCHS
from autoopt.tasks.named_metric import METRIC_DIRECTIONS
from autoopt.tasks.profile import TaskProfile, profile_model


@dataclass(frozen=True)
class Terms:
    """What the caller says of a loop.

    Attributes:
        epochs: reports of one complete training; 20 if ``None``.
        batch_size: where the search leaves it alone; 64 if ``None``.
        metric: name of what is searched: ``None`` or ``"loss"`` for the value that is reported, or a metric beside it.
        direction: which way is better; ``None`` where the name tells.
        device: as ``choose_device`` gives it.

    Raises:
        LoopError: a number makes no sense, or nobody tells the direction.
    """

    epochs: int | None = None
    batch_size: int | None = None
    metric: str | None = None
    direction: Direction | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise LoopError(f"{name} is {value!r}: it must be a whole number of at least 1")
        if self.direction not in (None, "minimize", "maximize"):
            raise LoopError(f"direction must be 'minimize' or 'maximize', got {self.direction!r}")
        _ = self.towards

    def settled(self, epochs: int, batch_size: int) -> Terms:
        """Return the terms with what the loop itself had to say."""
        return replace(self, epochs=epochs, batch_size=batch_size)

    @property
    def length(self) -> int:
        """Reports of one complete training."""
        return self.epochs or EPOCHS

    @property
    def rows(self) -> int:
        """Rows a batch."""
        return self.batch_size or BATCH_SIZE

    @property
    def objective(self) -> str:
        """Name of what is searched."""
        return self.metric or ("loss" if self.direction in (None, "minimize") else "score")

    @property
    def value_is_gain(self) -> bool:
        """More of the value that is reported is better."""
        return self.metric in (None, "loss") and self.direction == "maximize"

    @property
    def towards(self) -> Direction:
        """Which way is better."""
        if self.direction is not None:
            return self.direction
        if self.metric in (None, "loss"):
            return "minimize"
        if self.metric in METRIC_DIRECTIONS:
            return METRIC_DIRECTIONS[self.metric]
        raise LoopError(
            f"whether more of {self.metric!r} is better cannot be told from its name: add direction='maximize' "
            "(or 'minimize')"
        )


@dataclass(frozen=True)
class Facts:
    """What a loop shows at its first call of ``trial.optimizer``.

    Attributes:
        epochs, batch_size: that it was tried with.
        total_steps: of a complete training.
        layers: fingerprint of the model.
        dense_gradients: some parameter gets dense gradients.
        reads_batch_size: the loop has read ``trial.batch_size``, so the search may change it.
        extras: hyperparameters that it has asked for.
    """

    epochs: int
    batch_size: int
    total_steps: int
    profile: TaskProfile
    layers: str
    dense_gradients: bool
    reads_batch_size: bool
    extras: tuple[Extra, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Facts:
        """Read what ``to_dict`` wrote."""
        extras = tuple(Extra(**{**each, "choices": tuple(each["choices"])}) for each in data["extras"])
        return cls(**{**data, "profile": TaskProfile(**data["profile"]), "extras": extras})


def see_model(
    model: nn.Module, total_steps: int, terms: Terms, *, reads_batch_size: bool, extras: tuple[Extra, ...]
) -> Facts:
    """Return the facts of a loop from the model that it wants an optimizer for."""
    profile = profile_model(model, steps_per_epoch=max(1, total_steps // terms.length))
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse]
    sparse = {id(table.weight) for table in tables}
    dense = any(id(p) not in sparse for p in model.parameters() if p.requires_grad)
    layers = fingerprint_task(b"", model, None, {})
    return Facts(terms.length, terms.rows, total_steps, profile, layers, dense, reads_batch_size, extras)
