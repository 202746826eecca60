"""Methods of curvature: they evaluate the loss several times a step, on the whole training set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import given, learning_rate

_RATE = learning_rate(
    1.0,
    "The step length that the line search tries first; 1 is the method's own, and torch's default. Others cost "
    "evaluations, and the search corrects them. No tuned data were found.",
)

MAX_ITER = Hyperparameter(
    "max_iter", kind="int", low=2, high=20, reference=10, legal="at least 1",
    says="Iterations an epoch; each evaluates loss and gradient of the whole training set once or more often, about "
    "1.25 times this in all. 20 in torch; the range is a proposal.",
)  # fmt: skip

HISTORY_SIZE = Hyperparameter(
    "history_size", kind="int", low=3, high=50, reference=10, legal="at least 1",
    says="Steps back that the curvature is learned from; each keeps two copies of the parameters. 10 in SciPy, 3 to "
    "20 in Nocedal and Wright, 100 in torch.",
)  # fmt: skip

DAMPING = Hyperparameter(
    "damping", low=1e-6, high=1.0, scale="log", reference=1e-3, legal="above 0",
    says="What is first added to the Hessian's diagonal, against curvature that is negative or next to nothing; it "
    "adapts itself at every step. The range is a proposal.",
)  # fmt: skip


def _lbfgs_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    return {**given(settings, "lr", "max_iter", "history_size"), "line_search_fn": "strong_wolfe"}


LBFGS = OptimizerEntry(
    name="lbfgs",
    title="L-BFGS",
    family="second_order",
    target="torch.optim:LBFGS",
    hyperparameters=(_RATE, MAX_ITER, HISTORY_SIZE),
    arguments=_lbfgs_arguments,
    state_floats=22.0,
    rank=50,
    needs=frozenset({"closure"}),
    batches="whole",
    takes_schedule=False,
    says="Learns the curvature from the last few gradients of the whole training set, and finds the length of each "
    "step by a line search (strong Wolfe): cheaper curvature than Newton's (D2), strong on small and smooth problems. "
    "An epoch is one step of max_iter iterations, so it costs about 1.25 × max_iter gradients of all rows where "
    "others take one. Memory is 2 × history_size + 2 times the "
    "parameters. No weight decay.",
    formula=r"\theta_{t+1} = \theta_t + \alpha_t d_t, \quad d_t = -H_t \nabla L(\theta_t) \text{ by two loops over the "
    r"last } m \text{ pairs } s_i = \theta_{i+1} - \theta_i, \; y_i = \nabla L(\theta_{i+1}) - \nabla L(\theta_i), "
    r"\quad \alpha_t \text{ by strong Wolfe from } \eta",
    references=(
        "Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989",
        "Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.5",
        "D2",
    ),
)

BFGS = OptimizerEntry(
    name="bfgs",
    title="BFGS",
    family="second_order",
    target="autoopt.training.second_order:BFGS",
    hyperparameters=(_RATE, MAX_ITER),
    arguments=lambda settings: given(settings, "lr", "max_iter"),
    state_floats=64.0 * 64.0,
    rank=51,
    needs=frozenset({"closure"}),
    batches="whole",
    most_parameters=5_000,
    takes_schedule=False,
    says="Learns the whole inverse Hessian from how the gradient of the whole training set changes, with a line search "
    "(strong Wolfe): quicker to the end than L-BFGS on small smooth problems (D2), but it keeps as many numbers for "
    "each parameter as there are parameters (100 MB at 5,000, where it is refused beyond). An epoch is one step of "
    "max_iter iterations, about 1.25 × max_iter gradients of all rows. No weight decay.",
    formula=r"\theta_{t+1} = \theta_t - \alpha_t H_t \nabla L(\theta_t), \quad H_{t+1} = (I - \rho s y^\top) H_t (I - "
    r"\rho y s^\top) + \rho s s^\top, \quad \rho = \frac{1}{y^\top s}, \quad \alpha_t \text{ by strong Wolfe from } "
    r"\eta",
    references=("Nocedal and Wright, Numerical Optimization, 2006, algorithm 6.1", "D2"),
)

NEWTON = OptimizerEntry(
    name="newton",
    title="Newton",
    family="second_order",
    target="autoopt.training.second_order:Newton",
    hyperparameters=(
        learning_rate(
            1.0,
            "Share of Newton's step that is taken; 1 is the method's own. A longer one that does not lower the loss "
            "is damped until it does.",
        ),
        DAMPING,
    ),
    arguments=lambda settings: given(settings, "lr", "damping"),
    state_floats=0.0,
    rank=52,
    needs=frozenset({"dense_gradients", "second_derivatives"}),
    batches="whole",
    most_parameters=2_000,
    takes_schedule=False,
    says="Solves for the minimum of the parabola that the exact Hessian of the whole training set gives: doubles the "
    "correct digits at every step near a minimum, and too costly for large nets (D2), so refused above 2,000 "
    "parameters: an epoch is one step, which costs as many backward passes as there are parameters, and a matrix of "
    "all by all. Damped so that it descends where the curvature is negative. The model's operations must have second "
    "derivatives. No weight decay, no clipping.",
    formula=r"\theta_{t+1} = \theta_t - \eta \left(\nabla^2 L(\theta_t) + \lambda_t I\right)^{-1} \nabla L(\theta_t), "
    r"\quad \lambda_{t+1} = \lambda_t / 4, \text{ or } 4 \lambda_t \text{ until the step lowers } L",
    references=(
        "Levenberg, A Method for the Solution of Certain Non-Linear Problems in Least Squares, 1944",
        "Nocedal and Wright, Numerical Optimization, 2006, section 3.4",
        "D2",
    ),
)
