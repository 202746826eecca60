"""Rates divided by the root of squared gradients: Adagrad sums these, the others let them fade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import (
    COUPLED_DECAY,
    DECOUPLED_DECAY,
    given,
    learning_rate,
)
from autoopt.catalogue.rules.rms import ADADELTA_RULE, ADAFACTOR_RULE, ADAGRAD_RULE, RMSPROP_RULE

ALPHA = Hyperparameter(
    "alpha", low=0.8, high=0.999, scale="one_minus_log", reference=0.99, legal="from 0 to below 1",
    says="How slowly the mean of the squared gradients forgets. torch's default is 0.99, the usual figure "
    "in texts 0.9; the range holds both with room on either side, for no tuned data were found.",
)  # fmt: skip

RHO = Hyperparameter(
    "rho", low=0.7, high=0.99, scale="one_minus_log", reference=0.9, legal="from 0 to below 1",
    says="How slowly the means of squared gradients and squared updates forget. 0.9 in torch, 0.95 in "
    "Zeiler's paper; no tuned data were found.",
)  # fmt: skip


def _arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    return given(settings, "lr", "weight_decay", "alpha", "rho")


RMSPROP = OptimizerEntry(
    name="rmsprop",
    title="RMSprop",
    family="rms",
    target="torch.optim:RMSprop",
    hyperparameters=(
        learning_rate(
            1e-3,
            "1e-3 by default and 1.3e-3 tuned on a character RNN (Descending through a Crowded Valley). "
            "torch's own default, 1e-2, is ten times that.",
        ),
        COUPLED_DECAY,
        ALPHA,
    ),
    arguments=_arguments,
    state_floats=1.0,
    rank=3,
    needs=frozenset({"dense_gradients"}),
    rule=RMSPROP_RULE,
    in_default_search=True,
    says="Divides each rate by the recent size of its gradients: for goals that move and for recurrent nets "
    "(D1–D5). On character RNNs fine, but not special (DeepOBS baselines, Crowded Valley).",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad s_t = \alpha s_{t-1} + (1-\alpha) "
    r"g_t^2, \quad \theta_t = \theta_{t-1} - \eta \frac{g_t}{\sqrt{s_t} + \epsilon}",
    references=(
        "Tieleman and Hinton, Lecture 6.5 – rmsprop, Neural Networks for Machine Learning, 2012",
        "Schmidt et al., Descending through a Crowded Valley, 2021, arXiv:2007.01547",
        "D1–D5",
    ),
)

ADAGRAD = OptimizerEntry(
    name="adagrad",
    title="Adagrad",
    family="rms",
    target="torch.optim:Adagrad",
    hyperparameters=(
        learning_rate(
            1e-2, "torch's default, and the authors' choice in AdaBound's runs; no tuned data were found."
        ),
        COUPLED_DECAY,
    ),
    arguments=_arguments,
    state_floats=1.0,
    rank=2,
    needs=frozenset({"dense_gradients_to_decay"}),
    rule=ADAGRAD_RULE,
    in_default_search=True,
    says="Divides each rate by the root of all its squared gradients so far: rare features keep large "
    "steps, hence its use on sparse data, and the rate falls to zero by itself (D1, D2, D3, D5).",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad "
    r"G_t = G_{t-1} + g_t^2, \quad \theta_t = \theta_{t-1} - \eta \frac{g_t}{\sqrt{G_t} + \epsilon}",
    references=(
        "Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic "
        "Optimization, 2011",
        "D1, D2, D3, D5",
    ),
)

ADADELTA = OptimizerEntry(
    name="adadelta",
    title="Adadelta",
    family="rms",
    target="torch.optim:Adadelta",
    hyperparameters=(
        learning_rate(
            1.0,
            "The method was made to need none, so 1 is its own scale and torch's default. A rate of 1e-3, "
            "the default elsewhere, leaves a character RNN untrained (Crowded Valley).",
        ),
        COUPLED_DECAY,
        RHO,
    ),
    arguments=_arguments,
    state_floats=2.0,
    rank=11,
    needs=frozenset({"dense_gradients"}),
    rule=ADADELTA_RULE,
    in_default_search=True,
    says="Sizes each step by the ratio of recent updates to recent gradients: no rate to set, at the price "
    "of twice Adagrad's memory and a slow start (D5).",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad s_t = \rho s_{t-1} + (1-\rho) "
    r"g_t^2, \quad \Delta_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{s_t + \epsilon}} g_t, \quad u_t = "
    r"\rho u_{t-1} + (1-\rho) \Delta_t^2, \quad \theta_t = \theta_{t-1} - \eta \Delta_t",
    references=("Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, arXiv:1212.5701", "D5"),
)

ADAFACTOR = OptimizerEntry(
    name="adafactor",
    title="Adafactor",
    family="rms",
    target="torch.optim:Adafactor",
    hyperparameters=(
        learning_rate(
            1e-2,
            "Relative to the size of the weights, and never above 1 / √t. The paper's figure and torch's "
            "default; AlgoPerf searches 1e-4 to 1e-2.",
        ),
        DECOUPLED_DECAY,
    ),
    arguments=_arguments,
    state_floats=2 / 64,
    rank=13,
    needs=frozenset({"dense_gradients"}),
    rule=ADAFACTOR_RULE,
    says="Keeps squared gradients of a matrix as its row and column means: next to no memory, made for "
    "language models too large for Adam. Vectors keep one number each. Steps follow the size of the weights; "
    "without momentum it is somewhat slower than Adam, and each step costs more on small models.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad \beta_t = 1 - t^{-0.8}, \quad r_t = \beta_t r_{t-1} + (1-\beta_t) "
    r"\operatorname{mean}_{\text{rows}} g_t^2, \quad c_t = \beta_t c_{t-1} + (1-\beta_t) "
    r"\operatorname{mean}_{\text{columns}} g_t^2, \quad u_t = g_t \Big/ \sqrt{\frac{r_t c_t}{\operatorname{mean} "
    r"r_t}}, \quad \theta_t = (1 - \eta \lambda) \theta_{t-1} - \min\left(\eta, \tfrac{1}{\sqrt t}\right) "
    r"\max(10^{-3}, \operatorname{rms} \theta_{t-1}) \frac{u_t}{\max(1, \operatorname{rms} u_t)}",
    references=(
        "Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, "
        "arXiv:1804.04235",
        "Dahl et al., Benchmarking Neural Network Training Algorithms (AlgoPerf), 2023, arXiv:2306.07179",
    ),
)
