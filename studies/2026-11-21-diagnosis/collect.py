"""Train small runs that have a symptom and others that have none, and write their curves to curves.json.

    OMP_NUM_THREADS=1 python studies/2026-11-21-diagnosis/collect.py development development-2 held-out

What is true of a run is never read from the curve that is diagnosed. In the sweeps it comes from the other rates
of the same optimizer and task, and from the second half of the training, of which the diagnosis sees the first
half only; elsewhere from how the run was made, checked by a twin that lacks the cause. README.md tells how.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_wine,
    make_circles,
    make_classification,
    make_friedman1,
    make_friedman2,
    make_friedman3,
    make_moons,
)
from torch import Tensor, nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate, reference_settings
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.trainee import Trainee

HERE = Path(__file__).parent
FACTORS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)  # times the reference rate
SWEPT = ("sgd", "adamw", "rmsprop")
EPOCHS = 12
CLOSE, FAR = 0.1, 0.25  # of the loss that the best rate takes off: as good as it, and clearly behind it
GOES_ON = (
    0.15  # of the loss taken off so far: what another training of the same length adds where it is not done
)
EXPLODED = 100  # times the usual gradient of the first epoch

Made = dict[str, Any]


def classify(model: nn.Module, batch: Any) -> BatchLoss:
    output = model(batch[0]).float()
    return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(output), output, batch[1])


def regress(model: nn.Module, batch: Any) -> BatchLoss:
    output = model(batch[0]).float()
    return BatchLoss(nn.functional.mse_loss(output, batch[1]), len(output), output, batch[1])


def make_task(
    name: str, model: Callable[[], nn.Module], X: Any, y: Any, *, rows: int, batch_size: int = 32
) -> Task:
    """The first rows train, all others validate."""
    X = torch.as_tensor(X, dtype=torch.float32)
    X = (X - X.mean(0)) / (X.std(0) + 1e-6)
    y = torch.as_tensor(y)
    real = y.is_floating_point()
    y = ((y - y.mean()) / y.std()).float()[:, None] if real else y.long()
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    X, y = X[order], y[order]
    return Task(name=name, make_model=model, train=TensorSamples((X[:rows], y[:rows])),
                valid=TensorSamples((X[rows:], y[rows:])), batch_loss=regress if real else classify,
                epochs=EPOCHS, batch_size=batch_size)  # fmt: skip


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), activation()]
    return nn.Sequential(*layers[:-1])


class Images(nn.Module):
    """Convolutions with batch norm on the digits."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(54, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.reshape(-1, 1, 8, 8))


class Normed(nn.Module):
    """Layers with layer norm and a skip connection."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.into, self.norm, self.mid = nn.Linear(inputs, 24), nn.LayerNorm(24), nn.Linear(24, 24)
        self.head = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        return self.head(x + torch.relu(self.mid(self.norm(x))))


class Gated(nn.Module):
    """A GRU that classifies waves."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.head = nn.GRU(1, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x[:, :, None])[0][:, -1])


class Recurrent(nn.Module):
    """A plain recurrent network whose recurrent weights are ``gain`` times orthogonal."""

    def __init__(self, gain: float, activation: str = "tanh", outputs: int = 2) -> None:
        super().__init__()
        self.cells = nn.RNN(1, 16, nonlinearity=activation, batch_first=True)
        nn.init.orthogonal_(self.cells.weight_hh_l0, gain)
        self.head = nn.Linear(16, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x[:, :, None])[0][:, -1])


def waves(seed: int, length: int = 24) -> tuple[Tensor, Tensor]:
    """Noisy waves of two frequencies."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (700,), generator=draw)
    phase = 6.3 * torch.rand(700, 1, generator=draw)
    t = torch.arange(length)[None]
    return torch.sin(0.4 * (1 + y[:, None]) * t + phase) + 0.3 * torch.randn(700, length, generator=draw), y


def tasks(split: str) -> list[Task]:
    if split == "development":
        digits = load_digits()
        friedman = make_friedman1(900, n_features=8, noise=0.5, random_state=1)
        return [
            make_task("digits-mlp", partial(mlp, 64, 32, 10), digits.data, digits.target, rows=480),
            make_task("friedman1-mlp", partial(mlp, 8, 32, 32, 1), *friedman, rows=480),
            make_task("waves-rnn", partial(Recurrent, 1.0), *waves(1), rows=480),
        ]
    if split == "held-out":
        classes = make_classification(1000, 16, n_informative=8, n_classes=5, class_sep=1.5, random_state=3)
        angles = make_friedman3(900, noise=0.1, random_state=5)
        rings = make_circles(1000, noise=0.08, factor=0.5, random_state=4)
        return [
            make_task("classes-gelu", partial(mlp, 16, 40, 5, activation=nn.GELU), *classes, rows=480),
            make_task(
                "friedman3-mlp",
                partial(mlp, 4, 32, 1),
                *angles,
                rows=480,
            ),
            make_task("waves-gru", Gated, *waves(77, 20), rows=480),
            make_task("rings-norm", partial(Normed, 2), *rings, rows=600),
        ]
    cancer, wine, digits = load_breast_cancer(), load_wine(), load_digits()
    tanh = partial(mlp, 13, 24, 3, activation=nn.Tanh)
    return [
        make_task("digits-cnn", Images, digits.data, digits.target, rows=480),
        make_task("cancer-mlp", partial(mlp, 30, 24, 2), cancer.data, cancer.target, rows=360),
        make_task("friedman2-deep", partial(mlp, 4, 24, 24, 24, 1),
                  *make_friedman2(800, noise=60, random_state=7), rows=480),
        make_task("wine-tanh", tanh, wine.data, wine.target, rows=120, batch_size=12),
    ]  # fmt: skip


def train(task: Task, recipe: Recipe, *, seed: int, epochs: int) -> list[EpochReport]:
    """Train a run to its end, or until it diverges."""
    trainee = Trainee(task, Run(0, recipe, seed, epochs), "cpu")
    reports: list[EpochReport] = []
    while len(reports) < epochs and not (reports and reports[-1].over):
        reports.append(trainee.train_epoch())
    return reports


def at(optimizer: str, factor: float, **changes: Any) -> Recipe:
    """The optimizer's reference recipe at so many times its reference rate."""
    entry = OPTIMIZERS[optimizer]
    settings = {**reference_settings(entry), **changes.pop("settings", {})}
    settings["lr"] = learning_rate(entry, factor, settings)
    return Recipe(optimizer, settings, **changes)


def made(name: str, task: Task, recipe: Recipe, reports: list[EpochReport], epochs: int, *,
         has: tuple[str, ...] = (), unclear: tuple[str, ...] = ()) -> Made:  # fmt: skip
    """A run with what is true of it; what is ``unclear`` counts neither for nor against the diagnosis."""
    return {"name": name, "task": task.name, "recipe": recipe.to_dict(), "epochs": epochs,
            "has": sorted(set(has)), "unclear": sorted(set(unclear)), "reports": reports[:epochs]}  # fmt: skip


def final(reports: list[EpochReport], epochs: int) -> float:
    last = reports[:epochs][-1]
    return math.inf if last.diverged else last.train_loss


def sweep(task: Task, optimizer: str, seed: int) -> Iterator[Made]:
    """All rates of an optimizer: what is too low and too high follows from the best of them."""
    runs = {f: train(task, at(optimizer, f), seed=seed, epochs=2 * EPOCHS) for f in FACTORS}
    start = next(r[0].start_loss for r in runs.values() if r[0].start_loss is not None)
    ends = {f: final(reports, EPOCHS) for f, reports in runs.items()}
    best = min(ends, key=lambda f: ends[f])
    for f, reports in runs.items():
        gap = (ends[f] - ends[best]) / (start - ends[best])
        has, unclear = [], _not_shown(reports[:EPOCHS])
        if gap > CLOSE:
            unclear.append("oscillation")
        if reports[min(EPOCHS, len(reports)) - 1].diverged:
            has.append("divergence")
        if f > best and gap > FAR:
            has.append("rate-too-high")
        elif f < best and gap > FAR:
            has.append("rate-too-low")
        elif gap > CLOSE:
            unclear += ["rate-too-low", "rate-too-high"]
        # a run at a hopeless rate may well look as if it stalled; a diverged one as if its gradients exploded
        if "rate-too-high" in has:
            unclear += ["stall", "exploding-gradients", "divergence", "loss-of-precision"]
        if "rate-too-low" in has:
            unclear += ["stall", "loss-of-precision"]
        unclear += _of_the_second_half(reports, has, start)
        yield made(f"sweep {optimizer} {f:g}", task, at(optimizer, f), reports, EPOCHS,
                   has=tuple(has), unclear=tuple(u for u in unclear if u not in has))  # fmt: skip


def _not_shown(reports: list[EpochReport]) -> list[str]:
    """Whether a run overfits is unclear where its validation loss ends above its best, else it does not."""
    losses = [r.valid_loss for r in reports]
    return [] if losses[-1] <= 1.03 * min(losses) else ["overfitting"]


def _of_the_second_half(reports: list[EpochReport], has: list[str], start: float) -> list[str]:
    """Add slow convergence where as many epochs again help much; return what stays unclear."""
    if len(reports) < 2 * EPOCHS or reports[-1].diverged:
        return ["slow-convergence"]
    halves = [min(r.valid_loss for r in part) for part in (reports[:EPOCHS], reports[EPOCHS:])]
    more = (halves[0] - halves[1]) / max(abs(start - halves[1]), 1e-9)
    if more > GOES_ON and "rate-too-high" not in has:
        has.append("slow-convergence")
        return []
    return ["slow-convergence"] if more > GOES_ON / 3 else []


def scheduled(task: Task, seed: int, start: float, best: float) -> Iterator[Made]:
    """Runs as the search would find them: a decaying rate near the best one. They have no symptom.

    Args:
        start, best: training loss before the first step, and at the end of the best of all sweeps.
    """
    for optimizer, factor, schedule in (("adamw", 3.0, "linear"), ("sgd", 0.5, "cosine"), ("nadam", 3.0, "cosine"),
                                        ("adagrad", 2.0, "linear"), ("rmsprop", 1.0, "linear")):  # fmt: skip
        recipe = at(optimizer, factor, schedule=schedule)
        reports = train(task, recipe, seed=seed, epochs=EPOCHS)
        unclear = ["slow-convergence", *_not_shown(reports)]
        if final(reports, EPOCHS) - best > CLOSE * (start - best):
            unclear += ["oscillation", "rate-too-low", "rate-too-high"]
        yield made(f"scheduled {optimizer}", task, recipe, reports, EPOCHS, unclear=tuple(unclear))


def overfitted(split: str, seed: int) -> Iterator[Made]:
    """Few rows, a third of the labels wrong, a wide net; its twin has many clean rows."""
    draw = torch.Generator().manual_seed(seed)
    for n, (wide, optimizer) in enumerate([(128, "adamw"), (256, "sgd"), (128, "rmsprop"), (200, "nadam")]):
        if split == "development":
            X, y = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
            inputs, classes = 64, 10
        elif split == "held-out":
            X, y = (torch.as_tensor(a) for a in make_classification(1500, 20, n_informative=6, n_classes=3,
                                                                    random_state=seed + n))  # fmt: skip
            inputs, classes = 20, 3
        else:
            X, y = (torch.as_tensor(a) for a in make_moons(1500, noise=0.25, random_state=seed + n))
            X = torch.cat([X, torch.randn(len(X), 10, generator=draw)], 1)
            inputs, classes = 12, 2
        model = partial(mlp, inputs, wide, classes)
        y = y.long()
        wrong = torch.where(
            torch.rand(len(y), generator=draw) < 0.35, torch.randint(0, classes, y.shape, generator=draw), y
        )
        for name, labels, rows, has in (("few", wrong, 80, ("overfitting",)), ("many", y, 900, ())):
            task = make_task(
                f"{split}-noisy-{n}-{name}", model, X, labels, rows=rows, batch_size=16 if has else 64
            )
            reports = train(task, recipe := at(optimizer, 1.0), seed=seed + n, epochs=30 if has else 8)
            yield made(f"{name} rows", task, recipe, reports, len(reports), has=has,
                       unclear=("slow-convergence", "rate-too-high", "oscillation"))  # fmt: skip


def stalled(split: str, seed: int) -> Iterator[Made]:
    """Nets that cannot learn from where they begin; the twin begins as usual."""
    task = tasks(split)[1 if split == "development-2" else 0]

    def spoiled(how: str) -> nn.Module:
        model = task.make_model()
        with torch.no_grad():
            for parameter in model.parameters():
                if how == "zero":
                    parameter.zero_()
                if how == "dead" and parameter.ndim == 1 and parameter is not list(model.parameters())[-1]:
                    parameter.fill_(-20.0)
        return model

    for n, optimizer in enumerate(SWEPT):
        for how in ("dead", "zero"):
            bad = replace(task, make_model=partial(spoiled, how), name=f"{task.name}-{how}")
            reports = train(bad, recipe := at(optimizer, 1.0), seed=seed + n, epochs=EPOCHS)
            yield made(f"{how} start", bad, recipe, reports, EPOCHS, has=("stall",), unclear=("oscillation",))


def ravine(split: str, seed: int) -> Iterator[Made]:
    """Descent along a ravine with a rate just below the one at which it would diverge, and its remedies."""
    sizes = {"development": (20.0, 200.0), "development-2": (50.0, 500.0), "held-out": (30.0, 300.0)}[split]
    for steepness in sizes:
        for n, (name, rate, momentum, has) in enumerate((
            ("swinging", 1.97, 0.0, ("oscillation",)), ("swinging less", 1.9, 0.0, ("oscillation",)),
            ("with momentum", 0.5, 0.9, ()), ("slow", 0.5, 0.0, ()),
        )):  # fmt: skip
            task = _ravine_task(steepness, seed + n)
            recipe = Recipe(
                "sgd", {"lr": rate / steepness, "momentum": momentum, "nesterov": False, "weight_decay": 0.0}
            )
            reports = train(task, recipe, seed=seed + n, epochs=3 * EPOCHS)
            yield made(name, task, recipe, reports, 3 * EPOCHS, has=has,
                       unclear=("slow-convergence", "rate-too-high", "rate-too-low"))  # fmt: skip


class _Point(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([1.0, 1.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.at


def _ravine_task(steepness: float, seed: int) -> Task:
    """The mean of (x·θ)² over rows whose second moments are steepness / 2, 1 / 2 and 1 / 4."""

    def loss(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(model(batch[0]).square().mean(), len(batch[0]))

    q, _ = torch.linalg.qr(torch.randn(64, 3, generator=torch.Generator().manual_seed(seed)))
    X = q * 8 * torch.tensor([steepness / 2, 0.5, 0.25]).sqrt()
    rows = TensorSamples((X,))  # all in one batch, so that nothing but the rate makes the steps swing
    return Task(name=f"ravine-{steepness:g}", make_model=_Point, train=rows, valid=rows, batch_loss=loss,
                epochs=EPOCHS, batch_size=64)  # fmt: skip


def worn_out(task: Task, seed: int) -> Iterator[Made]:
    """Adagrad for long at a small rate; it has died if RMSProp at that rate gets much further."""
    for factor in (0.02, 0.1, 1.0, 10.0):
        epochs = 3 * EPOCHS
        recipe = at("adagrad", factor)
        reports = train(task, recipe, seed=seed, epochs=epochs)
        same = Recipe("rmsprop", {**reference_settings(OPTIMIZERS["rmsprop"]), "lr": recipe.settings["lr"]})
        rival = train(task, same, seed=seed, epochs=epochs)
        start, own, other = reports[0].start_loss or math.nan, final(reports, epochs), final(rival, epochs)
        behind = (own - other) / (start - min(own, other))
        has = ("adagrad-rate-dies",) if behind > FAR else ()
        unclear = ["slow-convergence", "rate-too-low", "overfitting", "oscillation"]
        if CLOSE < behind <= FAR or other > own:
            unclear.append("adagrad-rate-dies")
        yield made(f"adagrad {factor:g}", task, recipe, reports, epochs, has=has, unclear=tuple(unclear))


def exploding(split: str, seed: int) -> Iterator[Made]:
    """Plain recurrent nets over long sequences. One explodes if a gradient does, and clipping gets a twin further.

    How large gradients are, another twin tells, whose clip never acts but measures every step.
    """
    length = {"development": 50, "development-2": 70, "held-out": 60}[split]
    gains = {"tanh": (0.8, 1.3, 1.8), "relu": (0.8, 1.05, 1.2)}
    for kind, rate in (("tanh", 0.5), ("tanh", 0.1), ("relu", 0.5), ("relu", 0.2)):
        for n, gain in enumerate(gains[kind]):
            X, y = waves(seed + n, length)
            task = make_task(f"{split}-rnn-{kind}", partial(Recurrent, gain, kind), X, y, rows=480)
            runs = {clip: train(task, at("sgd", rate, clip_norm=clip), seed=seed + n, epochs=8)
                    for clip in (None, 1e30, 1.0)}  # fmt: skip
            every = runs[1e30]
            usual = every[0].gradient_median or math.nan
            peak = max(r.gradient_peak or 0.0 for r in every) / usual
            unclear = ["slow-convergence", "rate-too-high", "rate-too-low", "divergence", "stall", "oscillation",
                       "overfitting", "loss-of-precision"]  # fmt: skip
            start, own, tamed = every[0].start_loss or math.nan, final(every, 8), final(runs[1.0], 8)
            helped = own - tamed > FAR * (start - tamed) > 0
            has = ("exploding-gradients",) if peak >= EXPLODED and helped else ()
            if not has and (helped or peak > EXPLODED / 4):
                unclear.append("exploding-gradients")
            name = f"{kind} gain {gain:g} rate {rate:g}"
            yield made(
                f"{name}, peak {peak:.3g}",
                task,
                at("sgd", rate),
                runs[None],
                8,
                has=has,
                unclear=tuple(unclear),
            )
            yield made(
                f"{name}, clipped", task, at("sgd", rate, clip_norm=1.0), runs[1.0], 8, unclear=tuple(unclear)
            )


def rounded_away(split: str, seed: int) -> Iterator[Made]:
    """Weights of 8 bits' precision; updates get lost where 32 bits at the same rate get much further."""
    task = tasks(split)[2 if split == "development-2" else 1]
    low = replace(
        task, make_model=lambda: task.make_model().bfloat16(), name=f"{task.name}-bfloat16",
        train=TensorSamples((task.train.tensors[0].bfloat16(), task.train.tensors[1])),
        valid=TensorSamples((task.valid.tensors[0].bfloat16(), task.valid.tensors[1])),
    )  # fmt: skip
    for optimizer, factor in (("sgd", 0.003), ("sgd", 0.02), ("adamw", 0.05), ("adamw", 0.02), ("rmsprop", 0.03),
                              ("adamw", 1.0), ("sgd", 1.0), ("rmsprop", 1.0)):  # fmt: skip
        recipe = at(optimizer, factor)
        coarse, fine = (train(t, recipe, seed=seed, epochs=2 * EPOCHS) for t in (low, task))
        start, own, other = (
            coarse[0].start_loss or math.nan,
            final(coarse, len(coarse)),
            final(fine, len(fine)),
        )
        behind = (own - other) / (start - min(own, other))
        unclear = ["slow-convergence", "rate-too-low", "overfitting", "oscillation", "stall", "rate-too-high"]
        if (
            CLOSE / 2 < behind <= FAR or start - other < FAR * start
        ):  # where 32 bits fail too, they tell nothing
            unclear.append("loss-of-precision")
        has = ("loss-of-precision",) if behind > FAR else ()
        yield made(
            f"bfloat16 {optimizer} {factor:g}",
            low,
            recipe,
            coarse,
            len(coarse),
            has=has,
            unclear=tuple(unclear),
        )


def collect(split: str) -> Iterator[Made]:
    seed = {"development": 11, "development-2": 501, "held-out": 9001}[split]
    for n, task in enumerate(tasks(split)):
        swept = [run for optimizer in SWEPT for run in sweep(task, optimizer, seed + n)]
        yield from swept
        start = next(r.start_loss for run in swept for r in run["reports"] if r.start_loss is not None)
        yield from scheduled(task, seed + n, start, min(final(run["reports"], EPOCHS) for run in swept))
    yield from worn_out(tasks(split)[0], seed)
    yield from worn_out(tasks(split)[1], seed)
    for kind in (overfitted, stalled, ravine, exploding, rounded_away):
        yield from kind(split, seed)


FIELDS = (
    "train_loss", "valid_loss", "learning_rate", "diverged", "steps", "start_loss", "gradient_median",
    "gradient_peak", "gradient_turn", "update_ratio", "lost_updates",
)  # fmt: skip


def written(run: Made) -> Made:
    """The run as plain data, numbers to 4 digits, one list for each field of the reports."""

    def short(value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)

    return {**run, "reports": {name: [short(getattr(r, name)) for r in run["reports"]] for name in FIELDS}}


def main() -> None:
    for split in sys.argv[1:]:
        found = []
        with open(HERE / f"{split}.json", "w", encoding="utf-8") as file:
            for run in collect(split):
                found.append(json.dumps(written(run)))
                print(split, run["task"], run["name"], run["has"], "unclear:", run["unclear"], flush=True)
            file.write("[\n" + ",\n".join(found) + "\n]\n")


if __name__ == "__main__":
    main()
