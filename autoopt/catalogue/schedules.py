"""Learning-rate schedules as closed forms in whole steps, equal to torch's own schedulers: the default search.

Every function of (step, total_steps, settings) counts after the warmup, step from 0 to total_steps − 1.
A setting that is not given takes its reference value; a warmup that is not given is none.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, ScheduleEntry, Value

Settings = Mapping[str, Value]

WARMUP = Hyperparameter(
    "warmup", low=0.0, high=0.2, reference=0.05, legal="from 0 to below 1",
    says="Share of all steps in which the rate climbs in a straight line to its full height. AlgoPerf's best "
    "configurations warm up over 2 to 10 % of the steps; transformers need it most.",
)  # fmt: skip

PIECES = Hyperparameter(
    "pieces", kind="int", low=2, high=5, reference=3, legal="at least 1",
    says="Equally long stretches of constant rate. The CIFAR runs of AdaBound and AdaBelief use two or "
    "three.",
)  # fmt: skip

GAMMA = Hyperparameter(
    "gamma", low=0.05, high=0.5, scale="log", reference=0.1, legal="above 0 up to 1",
    says="What each drop multiplies the rate by; 0.1 in the CIFAR runs of AdaBound and AdaBelief.",
)  # fmt: skip

FINAL_FRACTION = Hyperparameter(
    "final_fraction", low=1e-3, high=0.3, scale="log", reference=0.01, legal="above 0 up to 1",
    says="Rate at the end as a share of the full rate. A proposal: no tuned data were found, but rates "
    "that end near zero beat those that do not (Fantastic Pretraining Optimizers).",
)  # fmt: skip

CYCLES = Hyperparameter(
    "cycles", kind="int", low=2, high=5, reference=2, legal="at least 1",
    says="How often the rate falls to zero and springs back, in cycles of equal length. A proposal: no "
    "tuned data found.",
)  # fmt: skip


def value(settings: Settings, hyperparameter: Hyperparameter) -> float:
    """Return a setting, or its reference where it is not given."""
    return float(settings.get(hyperparameter.name, hyperparameter.reference))


def _milestones(total_steps: int, settings: Settings) -> list[int]:
    """Return the steps at which the rate drops, rounded up so that none falls on step 0."""
    pieces = int(value(settings, PIECES))
    return [-(-piece * total_steps // pieces) for piece in range(1, pieces)]


def _exponential_gamma(total_steps: int, settings: Settings) -> float:
    return math.exp(math.log(value(settings, FINAL_FRACTION)) / total_steps)


def _cycle_steps(total_steps: int, settings: Settings) -> int:
    return math.ceil(total_steps / int(value(settings, CYCLES)))


def _linear(step: int, total_steps: int, settings: Settings) -> float:  # noqa: ARG001
    return 1 - step / total_steps


def _cosine(step: int, total_steps: int, settings: Settings) -> float:  # noqa: ARG001
    return (1 + math.cos(math.pi * step / total_steps)) / 2


def _step(step: int, total_steps: int, settings: Settings) -> float:
    drops = bisect_right(_milestones(total_steps, settings), step)
    return float(value(settings, GAMMA) ** drops)


def _exponential(step: int, total_steps: int, settings: Settings) -> float:
    return float(_exponential_gamma(total_steps, settings) ** step)


def _cosine_restarts(step: int, total_steps: int, settings: Settings) -> float:
    cycle_steps = _cycle_steps(total_steps, settings)
    return _cosine(step % cycle_steps, cycle_steps, settings)


def _constant_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:  # noqa: ARG001
    return "ConstantLR", {"factor": 1.0, "total_iters": 0}


def _linear_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:  # noqa: ARG001
    return "LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": total_steps}


def _cosine_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:  # noqa: ARG001
    return "CosineAnnealingLR", {"T_max": total_steps}


def _step_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "MultiStepLR", {"milestones": _milestones(total_steps, settings), "gamma": value(settings, GAMMA)}


def _exponential_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "ExponentialLR", {"gamma": _exponential_gamma(total_steps, settings)}


def _cosine_restarts_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "CosineAnnealingWarmRestarts", {"T_0": _cycle_steps(total_steps, settings)}


CONSTANT = ScheduleEntry(
    name="constant",
    title="Constant",
    factor=lambda step, total_steps, settings: 1.0,  # noqa: ARG005
    hyperparameters=(WARMUP,),
    torch_form=_constant_in_torch,
    in_default_search=True,
    says="The rate stays. Simple, and open-ended; but a schedule that decays at all nearly always ends "
    "lower.",
    formula=r"\eta_t = \eta_0",
    references=("D2",),
)

LINEAR = ScheduleEntry(
    name="linear",
    title="Linear decay",
    factor=_linear,
    hyperparameters=(WARMUP,),
    torch_form=_linear_in_torch,
    in_default_search=True,
    says="The rate falls in a straight line to zero at the end: as good as any other in theory and in "
    "practice.",
    formula=r"\eta_t = \eta_0 \left(1 - \frac{t}{T}\right)",
    references=(
        "Defazio et al., Optimal Linear Decay Learning Rate Schedules and Further Refinements, 2023, "
        "arXiv:2310.07831",
    ),
)

COSINE = ScheduleEntry(
    name="cosine",
    title="Cosine annealing",
    factor=_cosine,
    hyperparameters=(WARMUP,),
    torch_form=_cosine_in_torch,
    in_default_search=True,
    says="The rate stays high at first and low at the end, on half a cosine wave down to zero: the usual "
    "choice.",
    formula=r"\eta_t = \frac{\eta_0}{2} \left(1 + \cos \frac{\pi t}{T}\right)",
    references=(
        "Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983",
        "D2",
    ),
)

STEP = ScheduleEntry(
    name="step",
    title="Step decay",
    factor=_step,
    hyperparameters=(WARMUP, PIECES, GAMMA),
    torch_form=_step_in_torch,
    in_default_search=True,
    says="The rate drops by a factor at equal distances: the classic for image nets.",
    formula=r"\eta_t = \eta_0 \gamma^{\lfloor p t / T \rfloor}",
    references=("D2",),
)

EXPONENTIAL = ScheduleEntry(
    name="exponential",
    title="Exponential decay",
    factor=_exponential,
    hyperparameters=(WARMUP, FINAL_FRACTION),
    torch_form=_exponential_in_torch,
    in_default_search=True,
    says="The rate shrinks by the same factor at every step, down to a fraction of where it began.",
    formula=r"\eta_t = \eta_0 e^{-k t}, \quad k = -\frac{\ln f}{T}",
    references=("D2",),
)

COSINE_RESTARTS = ScheduleEntry(
    name="cosine_restarts",
    title="Cosine with warm restarts",
    factor=_cosine_restarts,
    hyperparameters=(WARMUP, CYCLES),
    torch_form=_cosine_restarts_in_torch,
    in_default_search=True,
    says="Cosine annealing again and again: each restart shakes the weights loose, each cycle ends near "
    "zero.",
    formula=r"\eta_t = \frac{\eta_0}{2} \left(1 + \cos \frac{\pi (t \bmod T_0)}{T_0}\right), \quad "
    r"T_0 = \left\lceil \frac{T}{c} \right\rceil",
    references=(
        "Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983",
        "D2",
    ),
)
