"""Recent relatives of Adam: one corrects the gradient before it is averaged, one finds its own rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.adam import adam_arguments
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import BETA1, BETA2, DECOUPLED_DECAY, learning_rate
from autoopt.catalogue.rules.adam_recent import MARS_RULE, PRODIGY_RULE

CORRECTION = Hyperparameter(
    "correction", low=0.005, high=0.1, scale="log", reference=0.025, legal="at least 0",
    says="How far each gradient is moved on by what changed since the last one (γ in the paper). 0.025 in all of "
    "its runs; the range, a fifth to four times that, is a proposal.",
)  # fmt: skip


def _mars_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    both = {"beta1": 0.95, "beta2": 0.99, **settings} if settings.keys() & {"beta1", "beta2"} else settings
    arguments = {**adam_arguments(both), "optimize_1d": True}
    if "correction" in settings:
        arguments["gamma"] = settings["correction"]
    return arguments


MARS = OptimizerEntry(
    name="mars",
    title="MARS",
    family="adam",
    target="pytorch_optimizer:MARS",
    hyperparameters=(
        learning_rate(
            5e-3,
            "Tuned on language models (Fantastic Pretraining Optimizers, epfml, the authors' own): geometric mean "
            "5.7e-3, 80 % between 3e-3 and 8e-3, lower for larger models. No other tuned data were found.",
        ),
        DECOUPLED_DECAY,
        replace(
            BETA1, reference=0.95, says="How slowly the mean of the corrected gradients forgets. 0.95 in the "
            "paper; tuned language models 0.8 to 0.98, median 0.95.",
        ),
        replace(
            BETA2, reference=0.99, says="How slowly the mean of their squares forgets. 0.99 in the paper; tuned "
            "language models 0.965 to 0.999, median 0.985.",
        ),
        CORRECTION,
    ),
    arguments=_mars_arguments,
    state_floats=3.0,
    rank=17,
    needs=frozenset({"dense_gradients"}),
    rule=MARS_RULE,
    extra="optimizers",
    says="AdamW on gradients that are corrected by how they changed since the last step, which takes noise out of "
    "them; each corrected gradient is clipped to length 1. Half as much memory again as Adam. Made for language "
    "models; this is the form for one gradient a step, and for vectors too, as it was tuned there.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad c_t = g_t + \gamma \frac{\beta_1}{1-\beta_1} (g_t - g_{t-1}), \quad "
    r"\tilde c_t = \frac{c_t}{\max(1, \|c_t\|)}, \quad m_t = \beta_1 m_{t-1} + (1-\beta_1) \tilde c_t, \quad v_t = "
    r"\beta_2 v_{t-1} + (1-\beta_2) \tilde c_t^2, \quad \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta "
    r"\frac{m_t}{1-\beta_1^t} \frac{\sqrt{1-\beta_2^t}}{\sqrt{v_t} + \epsilon}",
    references=(
        "Yuan et al., MARS: Unleashing the Power of Variance Reduction for Training Large Models, 2024, "
        "arXiv:2411.10438",
        "Wen et al., Fantastic Pretraining Optimizers and Where to Find Them, 2025, arXiv:2509.02046",
    ),
)  # fmt: skip

PRODIGY = OptimizerEntry(
    name="prodigy",
    title="Prodigy",
    family="adam",
    target="pytorch_optimizer:Prodigy",
    hyperparameters=(
        learning_rate(
            1.0,
            "A multiple of the rate that it finds by itself, so 1 is what it is made for: the authors' figure for "
            "all networks, and epfml's tuned language models.",
        ),
        DECOUPLED_DECAY,
        BETA1,
        BETA2,
    ),
    arguments=adam_arguments,
    state_floats=4.0,
    rank=18,
    rate_by_length=False,
    needs=frozenset({"dense_gradients"}),
    rule=PRODIGY_RULE,
    extra="optimizers",
    says="AdamW that finds its rate while it trains, from how far the weights have come: no rate to tune. The "
    "first steps are tiny and the estimate only grows, so short trainings and restarts of the rate do not suit "
    "it; twice Adam's memory. Its authors train with a constant or a cosine rate.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad m_t = \beta_1 m_{t-1} + (1-\beta_1) d_t g_t, \quad v_t = \beta_2 "
    r"v_{t-1} + (1-\beta_2) d_t^2 g_t^2, \quad r_t = \sqrt{\beta_2} r_{t-1} + \tfrac{\eta d_t^2}{d_0} \langle g_t, "
    r"\theta_0 - \theta_{t-1} \rangle, \quad s_t = \sqrt{\beta_2} s_{t-1} + \tfrac{\eta d_t^2}{d_0} g_t, \quad "
    r"d_{t+1} = \max\left(d_t, \frac{r_t}{\|s_t\|_1}\right), \quad d_1 = d_0 = 10^{-6}, \quad \theta_t = "
    r"\theta_{t-1} - \eta d_t \lambda \theta_{t-1} - \eta d_t \frac{m_t}{\sqrt{v_t} + d_{t+1} \epsilon}",
    references=(
        "Mishchenko and Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, 2023, "
        "arXiv:2306.06101",
    ),
)
