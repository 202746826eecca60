"""Further schedules, tried where somebody names them: a longer list would only thin out small budgets.

Closed forms as in ``autoopt.catalogue.schedules``, and one that follows the validation loss.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, ScheduleEntry
from autoopt.catalogue.schedules import GAMMA, WARMUP, Settings, value

POWER = Hyperparameter(
    "power", low=0.5, high=3.0, scale="log", reference=0.9, legal="above 0",
    says="1 is a straight line; more leaves the full rate sooner and lingers near zero. 0.9 in DeepLab's "
    "runs; the range is a proposal.",
)  # fmt: skip

FIRST_DROP = Hyperparameter(
    "first_drop", low=0.3, high=0.6, reference=0.5, legal="above 0 up to 1",
    says="Share of the training after which the rate drops for the first time. Half in the CIFAR runs of the "
    "ResNet and DenseNet papers.",
)  # fmt: skip

SECOND_DROP = Hyperparameter(
    "second_drop", low=0.65, high=0.9, reference=0.75, legal="above 0 up to 1",
    says="Share of the training after which it drops again. Three quarters in those runs.",
)  # fmt: skip

RISE = Hyperparameter(
    "rise", low=0.1, high=0.5, reference=0.3, legal="from 0 to below 1",
    says="Share of the training in which the rate climbs from a 25th to its full height, in place of a "
    "warmup. 0.3 in torch; the range is a proposal.",
)  # fmt: skip

DECAY_SHARE = Hyperparameter(
    "decay_share", low=0.1, high=0.5, reference=0.2, legal="above 0 up to 1",
    says="Share of the training in which the rate falls, at its end. 0.1 to 0.2 is enough for language models "
    "(Hägele et al.); the range above is a proposal for shorter trainings.",
)  # fmt: skip

TIMESCALE = Hyperparameter(
    "timescale", low=0.01, high=0.3, scale="log", reference=0.05, legal="above 0",
    says="Share of the training after which the rate has fallen to 0.71 of its height. A proposal: in the "
    "transformer paper it is the length of the warmup, 4 % of the steps.",
)  # fmt: skip


FACTOR = Hyperparameter(
    "factor", low=0.1, high=0.7, scale="log", reference=0.3, legal="from 0 to below 1",
    says="What each drop multiplies the rate by. 0.1 in torch, for long trainings; the range is a proposal for "
    "shorter ones.",
)  # fmt: skip

PATIENCE = Hyperparameter(
    "patience", kind="int", low=1, high=5, reference=2, legal="at least 0",
    says="Epochs without a lower validation loss that are borne before the rate drops. 10 in torch, for long "
    "trainings; the range is a proposal for shorter ones.",
)  # fmt: skip

THRESHOLD = 1e-4  # a loss must be lower by this share of the lowest to count as lower; torch's default


def _drops(total_steps: int, settings: Settings) -> list[int]:
    """Return the two steps at which a multi-step schedule drops, rounded up."""
    return sorted(math.ceil(value(settings, drop) * total_steps) for drop in (FIRST_DROP, SECOND_DROP))


def _polynomial(step: int, total_steps: int, settings: Settings) -> float:
    return float((1 - step / total_steps) ** value(settings, POWER))


def _multi_step(step: int, total_steps: int, settings: Settings) -> float:
    return float(value(settings, GAMMA) ** bisect_right(_drops(total_steps, settings), step))


def _one_cycle(step: int, total_steps: int, settings: Settings) -> float:
    lowest = 1 / 25
    top, last = (
        value(settings, RISE) * total_steps - 1,
        total_steps - 1,
    )  # as torch counts: top may be no step
    if step <= top:
        return _half_wave(lowest, 1.0, step / top if top else 1.0)
    return _half_wave(1.0, lowest / 1e4, (step - top) / (last - top))


def _half_wave(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))


def _wsd(step: int, total_steps: int, settings: Settings) -> float:
    decay_steps = max(1, round(value(settings, DECAY_SHARE) * total_steps))
    return min(1.0, (total_steps - step) / decay_steps)


def _inverse_sqrt(step: int, total_steps: int, settings: Settings) -> float:
    return float((1 + step / (value(settings, TIMESCALE) * total_steps)) ** -0.5)


def _reduce_on_plateau(valid_losses: Sequence[float], settings: Settings) -> float:
    """Return factor to the power of the drops so far, counted as torch's ReduceLROnPlateau does."""
    lowest, waited, drops = math.inf, 0, 0
    for loss in valid_losses:
        if loss < lowest * (1 - THRESHOLD):
            lowest, waited = loss, 0
        else:
            waited += 1
        if waited > value(settings, PATIENCE):
            drops, waited = drops + 1, 0
    return float(value(settings, FACTOR) ** drops)


def _plateau_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:  # noqa: ARG001
    patience = int(value(settings, PATIENCE))
    return "ReduceLROnPlateau", {
        "factor": value(settings, FACTOR), "patience": patience, "threshold": THRESHOLD, "eps": 0.0
    }  # fmt: skip


def _polynomial_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "PolynomialLR", {"total_iters": total_steps, "power": value(settings, POWER)}


def _multi_step_in_torch(total_steps: int, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "MultiStepLR", {"milestones": _drops(total_steps, settings), "gamma": value(settings, GAMMA)}


POLYNOMIAL = ScheduleEntry(
    name="polynomial",
    title="Polynomial decay",
    factor=_polynomial,
    hyperparameters=(WARMUP, POWER),
    torch_form=_polynomial_in_torch,
    says="The rate falls to zero along a power of what is left of the training: a straight line, bent.",
    formula=r"\eta_t = \eta_0 \left(1 - \frac{t}{T}\right)^p",
    references=(
        "Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, "
        "and Fully Connected CRFs, 2017, arXiv:1606.00915",
    ),
)

MULTI_STEP = ScheduleEntry(
    name="multi_step",
    title="Multi-step decay",
    factor=_multi_step,
    hyperparameters=(WARMUP, FIRST_DROP, SECOND_DROP, GAMMA),
    torch_form=_multi_step_in_torch,
    says="The rate drops by a factor twice, each time when you say: as image nets on CIFAR are trained.",
    formula=r"\eta_t = \eta_0 \gamma^{[t \ge a T] + [t \ge b T]}",
    references=("He et al., Deep Residual Learning for Image Recognition, 2016, arXiv:1512.03385", "D2"),
)

WSD = ScheduleEntry(
    name="wsd",
    title="Warmup–stable–decay",
    factor=_wsd,
    hyperparameters=(WARMUP, DECAY_SHARE),
    says="The rate stays at its full height, then falls in a straight line to zero: the long middle can be "
    "carried on from where it stopped, and only the fall is trained anew.",
    formula=r"\eta_t = \eta_0 \min\left(1, \frac{T - t}{d T}\right)",
    references=(
        "Hu et al., MiniCPM: Unveiling the Potential of Small Language Models, 2024, arXiv:2404.06395",
        "Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, "
        "arXiv:2405.18392",
    ),
)

INVERSE_SQRT = ScheduleEntry(
    name="inverse_sqrt",
    title="Inverse square root",
    factor=_inverse_sqrt,
    hyperparameters=(WARMUP, TIMESCALE),
    says="The rate falls with the root of the steps, fast at first and ever more slowly, and never to zero: "
    "the transformer paper's, for trainings without a set end. One that ends near zero mostly ends lower.",
    formula=r"\eta_t = \eta_0 \Big/ \sqrt{1 + \frac{t}{s T}}",
    references=("Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762",),
)

ONE_CYCLE = ScheduleEntry(
    name="one_cycle",
    title="One cycle",
    factor=_one_cycle,
    hyperparameters=(RISE,),
    says="The rate climbs on half a cosine wave to its full height and falls on another to next to nothing: "
    "one long warmup, for high rates and short trainings. Here the rate alone goes through the cycle, and "
    "momentum stays.",
    formula=r"\eta_t = \frac{\eta_0}{2} \begin{cases} 1.04 - 0.96 \cos \frac{\pi t}{r T - 1} & t \le r T - 1 \\ "
    r"1 + \cos \frac{\pi (t - r T + 1)}{(1 - r) T} & \text{otherwise, down to } 4 \cdot 10^{-6} \end{cases}",
    references=(
        "Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, "
        "2018, arXiv:1708.07120",
    ),
)

PLATEAU = ScheduleEntry(
    name="plateau",
    title="Reduce on plateau",
    factor=lambda step, total_steps, settings: 1.0,  # noqa: ARG005
    hyperparameters=(WARMUP, FACTOR, PATIENCE),
    torch_form=_plateau_in_torch,
    follow=_reduce_on_plateau,
    says="The rate drops by a factor whenever the validation loss has not fallen for some epochs: no closed form of "
    "the steps, for it waits and sees, and it looks at the validation data, which the loop must therefore evaluate "
    "every epoch. In trainings of few epochs it hardly ever drops.",
    formula=r"\eta_t = \eta_0 f^{d}, \quad d = \text{how often the validation loss } L_e \text{ was not below } "
    r"(1 - 10^{-4}) \min_{i < e} L_i \text{ for more than } p \text{ epochs in a row}",
    references=("torch.optim.lr_scheduler.ReduceLROnPlateau",),
)
