"""The Adam family: a rate for every weight from running means of its gradient and squared gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.entry import OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import (
    BETA1,
    BETA2,
    COUPLED_DECAY,
    DECOUPLED_DECAY,
    given,
    learning_rate,
)
from autoopt.catalogue.rules.adam import (
    ADAM_RULE,
    ADAMW_RULE,
    NADAM_L2_RULE,
    NADAM_RULE,
    RADAM_L2_RULE,
    RADAM_RULE,
)

_RATE = learning_rate(
    2e-3,
    "Tuned Adam, AdamW, NAdamW and RAdam pooled over DeepOBS, HPOBench, AlgoPerf, TaskSet and language "
    "models: geometric mean 2e-3, 80 % between 3e-4 and 1.5e-2. Fine-tuning wants about 1e-5.",
)
MOMENTS = (
    r"m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \quad "
    r"\hat m_t = \frac{m_t}{1-\beta_1^t}, \quad \hat v_t = \frac{v_t}{1-\beta_2^t}, \quad "
)


def adam_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    """Return rate, decay and the two betas as Adam and its relatives in torch take them."""
    arguments = given(settings, "lr", "weight_decay")
    if "beta1" in settings or "beta2" in settings:
        # the two travel as one tuple: the one that is not set keeps torch's default
        arguments["betas"] = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
    return arguments


def _decoupled_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    return {**adam_arguments(settings), "decoupled_weight_decay": True}


ADAM = OptimizerEntry(
    name="adam",
    title="Adam",
    family="adam",
    target="torch.optim:Adam",
    hyperparameters=(_RATE, COUPLED_DECAY, BETA1, BETA2),
    arguments=adam_arguments,
    state_floats=2.0,
    rank=6,
    needs=frozenset({"dense_gradients"}),
    rule=ADAM_RULE,
    in_default_search=True,
    says="The usual default: fast, with little tuning (D1–D5). Untuned at 1e-3 it loses 2.3 points of "
    "accuracy on average, tuned 0.9 (DeepOBS baselines). Its weight decay is an L2 penalty; AdamW's is the "
    "better one.",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad " + MOMENTS
    + r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}",
    references=("Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, arXiv:1412.6980", "D1–D5"),
)  # fmt: skip

ADAMW = OptimizerEntry(
    name="adamw",
    title="AdamW",
    family="adam",
    target="torch.optim:AdamW",
    hyperparameters=(_RATE, DECOUPLED_DECAY, BETA1, BETA2),
    arguments=adam_arguments,
    state_floats=2.0,
    rank=8,
    needs=frozenset({"dense_gradients"}),
    rule=ADAMW_RULE,
    in_default_search=True,
    says="Adam with weight decay that its adaptive rates leave alone: generalises better, the standard for "
    "transformers and language models (D3). On CIFAR-10 level with SGD, ahead of Adam with L2 (AdaBound's "
    "runs).",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad " + MOMENTS
    + r"\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + "
    r"\epsilon}",
    references=("Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, arXiv:1711.05101", "D3"),
)  # fmt: skip

NADAM = OptimizerEntry(
    name="nadam",
    title="NAdam",
    family="adam",
    target="torch.optim:NAdam",
    hyperparameters=(_RATE, DECOUPLED_DECAY, BETA1, BETA2),
    arguments=_decoupled_arguments,
    state_floats=2.0,
    rank=10,
    needs=frozenset({"dense_gradients"}),
    rule=NADAM_RULE,
    in_default_search=True,
    says="Adam that looks ahead like Nesterov, with decoupled weight decay. One such configuration trains "
    "11 of AlgoPerf's 14 workloads to their targets, more than any other; slightly ahead of AdamW on "
    "language models.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad \mu_t = \beta_1 \left(1 - \tfrac12 0.96^{0.004 "
    r"t}\right), \quad m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) "
    r"g_t^2, \quad \hat m_t = \frac{\mu_{t+1} m_t}{1 - \prod_{i=1}^{t+1} \mu_i} + \frac{(1-\mu_t) g_t}{1 - "
    r"\prod_{i=1}^{t} \mu_i}, \quad \hat v_t = \frac{v_t}{1-\beta_2^t}, \quad \theta_t = \theta_{t-1} - "
    r"\eta \lambda \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}",
    references=(
        "Dozat, Incorporating Nesterov Momentum into Adam, 2016",
        "Dahl et al., Benchmarking Neural Network Training Algorithms (AlgoPerf), 2023, arXiv:2306.07179",
    ),
)  # fmt: skip

NADAM_L2 = replace(
    NADAM,
    name="nadam_l2",
    title="NAdam (L2)",
    hyperparameters=(_RATE, COUPLED_DECAY, BETA1, BETA2),
    arguments=adam_arguments,
    rank=9.5,
    rule=NADAM_L2_RULE,
    in_default_search=False,
    says="NAdam whose weight decay is an L2 penalty, added to the gradient and rescaled with it: torch's NAdam as "
    "it comes. The nadam of this catalogue decays apart from the gradient (elsewhere called NAdamW), as those did "
    "that were measured.",
    formula=NADAM.formula.replace(r"\nabla L(\theta_{t-1})", r"\nabla L(\theta_{t-1}) + \lambda \theta_{t-1}", 1)
    .replace(r" - \eta \lambda \theta_{t-1} -", " -"),
    references=("Dozat, Incorporating Nesterov Momentum into Adam, 2016",),
)  # fmt: skip


def rectified_share(steps: int) -> float:
    """Return the mean of RAdam's r over a training of so many steps, at the reference of its second beta.

    Liu et al. 2020, equation 4. It takes 2,000 steps to come near 1: a training of 200 is over by then.

    >>> round(rectified_share(200), 2), round(rectified_share(40_000), 2)
    (0.2, 0.97)
    """
    beta = float(BETA2.reference)
    most = 2 / (1 - beta) - 1
    total = 0.0
    for t in range(1, steps + 1):
        rho = most - 2 * t * beta**t / (1 - beta**t)
        if rho > 5:
            total += math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return total / steps


RADAM = OptimizerEntry(
    name="radam",
    title="RAdam",
    family="adam",
    target="torch.optim:RAdam",
    hyperparameters=(_RATE, DECOUPLED_DECAY, BETA1, BETA2),
    arguments=_decoupled_arguments,
    state_floats=2.0,
    own_warmup=rectified_share,
    rank=12,
    needs=frozenset({"dense_gradients"}),
    rule=RADAM_RULE,
    in_default_search=True,
    says="Adam that steps carefully while its squared gradients are still guesswork, which is a warmup "
    "built in (named as a trend by D2), with decoupled weight decay.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad " + MOMENTS
    + r"\rho_\infty = \frac{2}{1-\beta_2} - 1, \quad \rho_t = \rho_\infty - \frac{2 t "
    r"\beta_2^t}{1-\beta_2^t}, \quad r_t = "
    r"\sqrt{\frac{(\rho_t-4)(\rho_t-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho_t}}, \quad \theta_t "
    r"= \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta \begin{cases} r_t \dfrac{\hat m_t}{\sqrt{\hat v_t} "
    r"+ \epsilon} & \rho_t > 5 \\ \hat m_t & \text{otherwise} \end{cases}",
    references=(
        "Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020, arXiv:1908.03265",
        "D2",
    ),
)  # fmt: skip

RADAM_L2 = replace(
    RADAM,
    name="radam_l2",
    title="RAdam (L2)",
    hyperparameters=(_RATE, COUPLED_DECAY, BETA1, BETA2),
    arguments=adam_arguments,
    rank=11.5,
    rule=RADAM_L2_RULE,
    in_default_search=False,
    says="RAdam whose weight decay is an L2 penalty, added to the gradient and rescaled with it: torch's RAdam as "
    "it comes. The radam of this catalogue decays apart from the gradient, as AdamW does.",
    formula=RADAM.formula.replace(r"\nabla L(\theta_{t-1})", r"\nabla L(\theta_{t-1}) + \lambda \theta_{t-1}", 1)
    .replace(r" - \eta \lambda \theta_{t-1} -", " -"),
)  # fmt: skip
