"""Relatives of Adam: other norms, bounds, orders and memories of the same two running means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.adam import MOMENTS, adam_arguments
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import (
    BETA1,
    BETA2,
    COUPLED_DECAY,
    DECOUPLED_DECAY,
    given,
    learning_rate,
)
from autoopt.catalogue.rules.adam import ADABOUND_RULE, ADAMAX_RULE, ADEMAMIX_RULE, ADOPT_RULE

FINAL_LR = Hyperparameter(
    "final_lr", low=1e-2, high=1.0, scale="log", reference=0.1, legal="above 0",
    says="The one rate for all weights that it ends with, as SGD would have it. 0.1 in the authors' runs; the "
    "range, a tenth to ten times that, is a proposal.",
)  # fmt: skip

BETA3 = Hyperparameter(
    "beta3", low=0.99, high=0.9999, scale="one_minus_log", reference=0.999, legal="from 0 to below 1",
    says="How slowly the second, long mean of the gradients forgets. 0.9999 in the paper, for trainings of "
    "100,000 steps and more; 0.999 in epfml's tuned language models.",
)  # fmt: skip

SLOW_WEIGHT = Hyperparameter(
    "slow_weight", low=1.0, high=10.0, scale="log", reference=5.0, legal="at least 0",
    says="Weight of the long mean beside the short one. 5 in the library, 4 to 10 in the paper.",
)  # fmt: skip


def _filled(settings: Mapping[str, Value], **usual: float) -> Mapping[str, Value]:
    """Return the settings with all of these, if one of them was set: they travel as one tuple."""
    return {**usual, **settings} if settings.keys() & usual.keys() else settings


def _decoupled_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    return {**adam_arguments(settings), **given(settings, "final_lr"), "weight_decouple": True}


def _adopt_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    return _decoupled_arguments(_filled(settings, beta1=0.9, beta2=0.9999))


def _ademamix_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    arguments = {**given(settings, "lr", "weight_decay"), "weight_decouple": True}
    betas = _filled(settings, beta1=0.9, beta2=0.999, beta3=0.9999)
    if "beta3" in betas:
        arguments["betas"] = (betas["beta1"], betas["beta2"], betas["beta3"])
    if "slow_weight" in settings:
        arguments["alpha"] = settings["slow_weight"]
    return arguments


ADAMAX = OptimizerEntry(
    name="adamax",
    title="Adamax",
    family="adam",
    target="torch.optim:Adamax",
    hyperparameters=(
        learning_rate(2e-3, "The paper's figure and torch's default; no tuned data were found."),
        COUPLED_DECAY,
        BETA1,
        BETA2,
    ),
    arguments=adam_arguments,
    state_floats=2.0,
    rank=9,
    needs=frozenset({"dense_gradients"}),
    rule=ADAMAX_RULE,
    says="Adam with the largest recent gradient in place of the root of their mean square: steps stay bounded "
    "by the rate, and rare large gradients are remembered for long. Seldom used, and no comparison was found.",
    formula=r"g_t = \nabla L(\theta_{t-1}) + \lambda \theta_{t-1}, \quad m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, "
    r"\quad u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon), \quad \theta_t = \theta_{t-1} - "
    r"\frac{\eta}{1-\beta_1^t} \frac{m_t}{u_t}",
    references=("Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, arXiv:1412.6980",),
)

ADABOUND = OptimizerEntry(
    name="adabound",
    title="AdaBound",
    family="adam",
    target="pytorch_optimizer:AdaBound",
    hyperparameters=(
        learning_rate(
            1e-3,
            "The authors' figure on image nets, 1e-2 on recurrent nets (AdaBound's and AdaBelief's runs). It "
            "rules the beginning alone; later final_lr does.",
        ),
        DECOUPLED_DECAY,
        BETA1,
        BETA2,
        FINAL_LR,
    ),
    arguments=_decoupled_arguments,
    state_floats=2.0,
    rank=15,
    needs=frozenset({"dense_gradients"}),
    rule=ADABOUND_RULE,
    extra="optimizers",
    says="Begins as Adam and ends as SGD: the rates of all weights are squeezed together over some thousand "
    "steps (named as a trend by D2). Fast at first, and final_lr matters as much as SGD's rate; published "
    "figures are its authors' own.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad " + MOMENTS
    + r"\eta_t = \operatorname{clip}\left(\frac{\eta \sqrt{1-\beta_2^t}}{(1-\beta_1^t)(\sqrt{v_t} + \epsilon)}, "
    r"\; \eta^* \left(1 - \tfrac{1}{\gamma t + 1}\right), \; \eta^* \left(1 + \tfrac{1}{\gamma t}\right)\right), "
    r"\quad \gamma = 10^{-3}, \quad \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta_t m_t",
    references=(
        "Luo et al., Adaptive Gradient Methods with Dynamic Bound of Learning Rate, 2019, arXiv:1902.09843",
        "D2",
    ),
)  # fmt: skip

ADOPT = OptimizerEntry(
    name="adopt",
    title="ADOPT",
    family="adam",
    target="pytorch_optimizer:ADOPT",
    hyperparameters=(
        learning_rate(1e-3, "The authors' figure, and epfml's tuned language models (one source)."),
        DECOUPLED_DECAY,
        BETA1,
        replace(
            BETA2,
            says="How slowly the mean of the squared gradients forgets. 0.9999 in the paper, 0.999 in epfml's "
            "tuned language models.",
        ),
    ),
    arguments=_adopt_arguments,
    state_floats=2.0,
    rank=14,
    needs=frozenset({"dense_gradients"}),
    rule=ADOPT_RULE,
    extra="optimizers",
    says="Adam that divides a gradient by those before it, itself left out, and takes the mean afterwards: "
    "proven to converge with any beta2. The first step only looks; normalised gradients are clipped at t^¼.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad v_1 = g_1^2, \quad m_t = \beta_1 m_{t-1} + (1-\beta_1) "
    r"\operatorname{clip}\left(\frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)}, \pm t^{1/4}\right), \quad \theta_t = "
    r"\theta_{t-1} - \eta \lambda \theta_{t-1} - \eta m_t, \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2",
    references=(
        "Taniguchi et al., ADOPT: Modified Adam Can Converge with Any β2 with the Optimal Rate, 2024, "
        "arXiv:2411.02853",
    ),
)

ADEMAMIX = OptimizerEntry(
    name="ademamix",
    title="AdEMAMix",
    family="adam",
    target="pytorch_optimizer:AdEMAMix",
    hyperparameters=(
        learning_rate(1e-3, "The authors' figure, and epfml's tuned language models (one source)."),
        DECOUPLED_DECAY,
        BETA1,
        BETA2,
        BETA3,
        SLOW_WEIGHT,
    ),
    arguments=_ademamix_arguments,
    state_floats=3.0,
    rank=16,
    needs=frozenset({"dense_gradients"}),
    rule=ADEMAMIX_RULE,
    extra="optimizers",
    says="AdamW with a second, much longer mean of the gradients added: uses old gradients for long trainings "
    "of language models. Costs half as much memory again, and can be unsteady at the beginning: the authors "
    "let slow_weight and beta3 rise slowly, which is not done here, so let the rate warm up.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad " + MOMENTS
    + r"s_t = \beta_3 s_{t-1} + (1-\beta_3) g_t, \quad \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta "
    r"\frac{\hat m_t + \alpha s_t}{\sqrt{\hat v_t} + \epsilon}",
    references=(
        "Pagliardini, Ablin and Grangier, The AdEMAMix Optimizer: Better, Faster, Older, 2024, "
        "arXiv:2409.03137",
    ),
)  # fmt: skip

SPARSE_ADAM = OptimizerEntry(
    name="sparse_adam",
    title="SparseAdam",
    family="adam",
    target="torch.optim:SparseAdam",
    hyperparameters=(
        learning_rate(
            5e-3,
            "A proposal: torch's default is 1e-3, but on the matrix factorisation of studies/embedding_sparse.py "
            "rates around 2e-2 were best. No published tuned data of sparse gradients were found.",
        ),
        BETA1,
        BETA2,
    ),
    arguments=lambda settings: adam_arguments({k: v for k, v in settings.items() if k != "weight_decay"}),
    state_floats=2.0,
    rank=7,
    needs=frozenset({"sparse_gradients"}),
    says="Adam for embeddings with sparse=True: moves the rows that a batch used and leaves the others, their "
    "running means included. For models all of whose gradients are sparse (adaptive methods for sparse data: "
    "D5); its state is dense, and it has no weight decay.",
    formula=r"\text{in rows with a gradient: } g_t = \nabla L(\theta_{t-1}), \quad " + MOMENTS
    + r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon / \sqrt{1-\beta_2^t}}",
    references=("Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, arXiv:1412.6980", "D5"),
)  # fmt: skip
