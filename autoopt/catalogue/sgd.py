"""Stochastic gradient descent: plain, with momentum of either form, with Nesterov's look-ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import COUPLED_DECAY, DECOUPLED_DECAY, given, learning_rate
from autoopt.catalogue.rules.sgd import GD_RULE, MOMENTUM_RULE, SGD_RULE, SGDW_RULE

MOMENTUM = Hyperparameter(
    "momentum", low=0.0, high=0.995, scale="one_minus_log", reference=0.9, legal="from 0 to below 1",
    says="Share of the last step that the next one keeps; 0 is plain SGD. About 0.9 in D2–D5; AlgoPerf "
    "searches 1 − momentum from 0.005 to 0.3, and its tuned runs with Nesterov end from 0.94 to 0.98.",
)  # fmt: skip

NESTEROV = Hyperparameter(
    "nesterov", kind="bool", reference=True,
    says="Takes the gradient where the momentum is about to lead (D2); without momentum it changes nothing. "
    "The one configuration that trains AlgoPerf's ResNet-50 to its target in all five studies has it.",
)  # fmt: skip


def _arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    arguments = given(settings, "lr", "weight_decay", "momentum", "nesterov")
    if not arguments.get("momentum"):
        arguments.pop("nesterov", None)  # torch refuses the look-ahead where nothing leads ahead
    return arguments


SGD = OptimizerEntry(
    name="sgd",
    title="SGD",
    family="sgd",
    target="torch.optim:SGD",
    hyperparameters=(
        learning_rate(
            0.2,
            "The effective rate lr / (1 − momentum), which compares across momenta. Tuned runs of DeepOBS, "
            "LCBench and AlgoPerf: geometric mean 0.16, around 0.04 on tables, 0.5 on image nets, 16 on "
            "recurrent nets.",
        ),
        MOMENTUM,
        NESTEROV,
        replace(COUPLED_DECAY, reference=1e-4),
    ),
    arguments=_arguments,
    state_floats=1.0,
    rank=0,
    needs=frozenset({"dense_gradients_to_decay"}),
    momentum_scales_lr=True,
    rule=SGD_RULE,
    in_default_search=True,
    says="One rate for all weights, smoothed by momentum: the least memory, and the choice for image nets "
    "trained long and tuned (D2, D3, D4; AlgoPerf). Wants a schedule that decays, and a well-chosen rate.",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad v_t = \mu v_{t-1} + g_t, \quad "
    r"\theta_t = \theta_{t-1} - \eta v_t \quad "
    r"(\text{Nesterov: } \theta_t = \theta_{t-1} - \eta (g_t + \mu v_t))",
    references=(
        "Robbins and Monro, A Stochastic Approximation Method, 1951",
        "Polyak, Some methods of speeding up the convergence of iteration methods, 1964",
        "Sutskever et al., On the importance of initialization and momentum in deep learning, 2013",
        "D1–D5",
    ),
)

SGDW = replace(
    SGD,
    name="sgdw",
    title="SGDW",
    target="pytorch_optimizer:SGDW",
    hyperparameters=(
        *SGD.hyperparameters[:-1],
        replace(
            DECOUPLED_DECAY,
            low=1e-5,
            high=0.1,
            reference=5e-4,
            says="Shrinks the weights by rate × this at every step, apart from the gradient and its momentum. "
            "An L2 penalty acts through the momentum and so shrinks by 1 / (1 − momentum) times as much. 2.4e-4 "
            "in the configuration that trains AlgoPerf's ResNet-50; the range is a proposal.",
        ),
    ),
    rank=0.5,
    needs=frozenset({"dense_gradients"}),
    rule=SGDW_RULE,
    in_default_search=False,
    extra="optimizers",
    says="SGD whose weight decay is apart from the gradient: momentum does not pile it up, so that it can be set "
    "without finding new momentum and rate. AlgoPerf's SGD decays this way.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad v_t = \mu v_{t-1} + g_t, \quad "
    r"\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta v_t \quad "
    r"(\text{Nesterov: } - \eta (g_t + \mu v_t))",
    references=(
        "Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, arXiv:1711.05101",
        "Dahl et al., Benchmarking Neural Network Training Algorithms (AlgoPerf), 2023, arXiv:2306.07179",
    ),
)

AVERAGED_MOMENTUM = OptimizerEntry(
    name="momentum",
    title="Averaged momentum",
    family="sgd",
    target="autoopt.training.momentum:AveragedMomentum",
    hyperparameters=(
        learning_rate(
            0.2,
            "In this form the rate is the effective one of SGD, lr / (1 − momentum): tuned runs of DeepOBS, "
            "LCBench and AlgoPerf have the geometric mean 0.16.",
        ),
        MOMENTUM,
        replace(COUPLED_DECAY, reference=1e-4),
    ),
    arguments=lambda settings: given(settings, "lr", "momentum", "weight_decay"),
    state_floats=1.0,
    rank=1,
    needs=frozenset({"dense_gradients_to_decay"}),
    rule=MOMENTUM_RULE,
    says="Steps along the running mean of the gradients, which smooths the path (D1). Heavy-ball momentum at "
    "the rate lr × (1 − momentum), so that momentum can be changed without finding a new rate; no look-ahead.",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad v_t = \beta v_{t-1} + (1-\beta) g_t, "
    r"\quad \theta_t = \theta_{t-1} - \eta v_t",
    references=(
        "Polyak, Some methods of speeding up the convergence of iteration methods, 1964",
        "D1",
    ),
)

GD = OptimizerEntry(
    name="gd",
    title="Batch gradient descent",
    family="sgd",
    target="torch.optim:SGD",
    hyperparameters=(
        learning_rate(
            0.2,
            "The effective rate of tuned SGD (DeepOBS, LCBench, AlgoPerf: geometric mean 0.16). No tuned data of "
            "whole-set gradients were found; without their noise higher rates hold, up to 2 / the curvature.",
        ),
        replace(COUPLED_DECAY, reference=1e-4),
    ),
    arguments=lambda settings: given(settings, "lr", "weight_decay"),
    state_floats=0.0,
    rank=0.2,
    needs=frozenset({"dense_gradients_to_decay"}),
    batches="whole",
    rule=GD_RULE,
    says="Steps down the exact gradient of the whole training set: steady, no noise, but one step an epoch, so slow "
    "(D2, D3, D5). It reaches the global minimum of convex losses, not of all (D3 errs there). The gradient is added "
    "up over parts of the data, so memory is that of a few batches; with batch norm, or a loss that is no mean over "
    "rows, all rows are one batch.",
    formula=r"\theta_t = \theta_{t-1} - \eta \left(\frac{1}{n} \sum_{i=1}^{n} \nabla L_i(\theta_{t-1}) + \lambda "
    r"\theta_{t-1}\right)",
    references=(
        "Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847",
        "D2, D3, D5",
    ),
)

SINGLE_SGD = replace(
    GD,
    name="single_sgd",
    title="Single-sample SGD",
    hyperparameters=(
        learning_rate(
            1e-2,
            "A proposal: SGD's rate, scaled down with the batch from the usual 32 to 256 rows, as its noise wants. No "
            "tuned data were found.",
        ),
        *GD.hyperparameters[1:],
    ),
    rank=0.4,
    batches="single",
    says="One row a step, as stochastic gradient descent was first meant: cheap and frequent updates whose noise can "
    "leave local minima, but of high variance (D2, D3, D5), and an epoch has as many steps as there are rows, so it "
    "takes many times as long as with mini-batches (sgd). Not for models with batch norm.",
    formula=r"\theta_t = \theta_{t-1} - \eta \left(\nabla L_{i_t}(\theta_{t-1}) + \lambda \theta_{t-1}\right)",
    references=("Robbins and Monro, A Stochastic Approximation Method, 1951", "D2, D3, D5"),
)
