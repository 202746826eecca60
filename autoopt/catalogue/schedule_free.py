"""Schedule-Free learning: an average of the weights takes the place of a decaying rate."""

from __future__ import annotations

from dataclasses import replace

from autoopt.catalogue.adam import adam_arguments
from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.hyperparameters import (
    BETA1,
    BETA2,
    COUPLED_DECAY,
    DECOUPLED_DECAY,
    given,
    learning_rate,
)
from autoopt.catalogue.rules.schedule_free import SCHEDULE_FREE_ADAMW_RULE, SCHEDULE_FREE_SGD_RULE
from autoopt.catalogue.sgd import MOMENTUM

_STEP = (
    r"z_t = z_{t-1} - \eta_t (d_t + \lambda y_{t-1}), \quad x_t = (1 - c_t) x_{t-1} + c_t z_t, \quad c_t = "
    r"\frac{\max_{i \le t} \eta_i^2}{\sum_{j \le t} \max_{i \le j} \eta_i^2}, \quad y_t = (1-\beta_1) z_t + "
    r"\beta_1 x_t \quad (\text{gradients at } y, \text{ evaluation at } x)"
)
_REFERENCES = (
    "Defazio et al., The Road Less Scheduled, 2024, arXiv:2405.15682",
    "Dahl et al., Benchmarking Neural Network Training Algorithms (AlgoPerf), 2023, arXiv:2306.07179",
)

SCHEDULE_FREE_ADAMW = OptimizerEntry(
    name="schedule_free_adamw",
    title="Schedule-Free AdamW",
    family="schedule_free",
    target="pytorch_optimizer:ScheduleFreeAdamW",
    hyperparameters=(
        learning_rate(
            2.5e-3,
            "The authors' figure, who advise 1 to 10 times AdamW's. Its fast configurations on AlgoPerf have 1e-3 "
            "to 5e-3, epfml's tuned language models 1e-3.",
        ),
        DECOUPLED_DECAY,
        replace(
            BETA1, reference=0.9, says="Where gradients are taken, between the newest weights (0) and their "
            "average (1). 0.9 in the paper, on AlgoPerf and in epfml's tuned language models; 0.95 or 0.98 for very "
            "long trainings.",
        ),
        BETA2,
    ),
    arguments=adam_arguments,
    state_floats=2.0,
    rank=19,
    needs=frozenset({"dense_gradients", "switches"}),
    schedules=("constant",),
    rule=SCHEDULE_FREE_ADAMW_RULE,
    extra="optimizers",
    says="AdamW at a constant rate whose running average of the weights does what a decaying rate would do: the "
    "training can stop or go on at any time. Fastest on average of AlgoPerf's submissions with tuned settings. No "
    "schedule, warmup alone; the loop must switch between training and evaluation, and statistics of batch "
    "normalisation are gathered anew before each evaluation.",
    formula=r"g_t = \nabla L(y_{t-1}), \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \quad d_t = "
    r"\frac{g_t}{\sqrt{v_t / (1-\beta_2^t)} + \epsilon}, \quad " + _STEP,
    references=_REFERENCES,
)  # fmt: skip

SCHEDULE_FREE_SGD = OptimizerEntry(
    name="schedule_free_sgd",
    title="Schedule-Free SGD",
    family="schedule_free",
    target="pytorch_optimizer:ScheduleFreeSGD",
    hyperparameters=(
        learning_rate(
            1.0,
            "The authors' figure, who advise 10 to 50 times the rate of SGD with momentum; no tuned data were found.",
        ),
        replace(
            MOMENTUM, low=0.5, high=0.98, says="Where gradients are taken, between the newest weights (0) and their "
            "average (1). 0.9 in the paper; the range is a proposal.",
        ),
        replace(COUPLED_DECAY, reference=1e-4),
    ),
    arguments=lambda settings: given(settings, "lr", "momentum", "weight_decay"),
    state_floats=1.0,
    rank=1.5,
    needs=frozenset({"dense_gradients", "switches"}),
    schedules=("constant",),
    rule=SCHEDULE_FREE_SGD_RULE,
    extra="optimizers",
    says="SGD at a constant, high rate whose running average of the weights does what momentum and a decaying rate "
    "would do, at SGD's memory. No schedule, warmup alone; the loop must switch between training and evaluation, "
    "and statistics of batch normalisation are gathered anew before each evaluation.",
    formula=r"d_t = \nabla L(y_{t-1}), \quad " + _STEP.replace(r"\beta_1", r"\beta"),
    references=_REFERENCES[:1],
)  # fmt: skip
