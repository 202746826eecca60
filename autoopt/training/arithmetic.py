"""What optimizers do in a step, as the operations of torch's own step, in its order.

So the weights are the same to the last bit as with ``Optimizer.step`` (numbers below 1e-38 may be zero), in a fraction
of the time where models are small: there most of it goes into Python's part of the step. ``FUSED`` has those that
torch does in one pass over memory; they round differently in the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, Optimizer, RAdam, RMSprop

from autoopt.training.momentum import AveragedMomentum


@dataclass(slots=True)
class Move:
    """What is known at a step of a tensor of weights: one parameter, or several in a vector.

    Attributes:
        settings: those of the group, as torch has them, but for ``weight_decay``.
        weights, gradient: of equal shape; the gradient may be written into.
        state: what the optimizer keeps, by torch's names.
        decays: which part decays how strongly: decay, weights and gradient of the part.
        step: how many steps there were with this one.
    """

    settings: Mapping[str, Any]
    weights: Tensor
    gradient: Tensor
    state: dict[str, Tensor]
    decays: Sequence[tuple[float, Tensor, Tensor]]
    step: int

    def penalise(self) -> None:
        """Add the decay to the gradient, as the gradient of an L2 penalty."""
        for decay, weights, gradient in self.decays:
            gradient.add_(weights, alpha=decay)

    def decay(self) -> None:
        """Shrink the weights by rate times decay, or add the decay to the gradient, as the settings say."""
        if not self.settings.get("decoupled_weight_decay"):
            self.penalise()
            return
        for decay, weights, _ in self.decays:
            weights.mul_(1 - self.settings["lr"] * decay)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Bring the running means of gradient and squared gradient up to date, and return them."""
        (beta1, beta2), gradient = self.settings["betas"], self.gradient
        mean, square = self.state["exp_avg"], self.state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        return mean, square


def _sgd(move: Move) -> None:
    settings, gradient = move.settings, move.gradient
    move.penalise()
    if momentum := settings["momentum"]:
        velocity = move.state["momentum_buffer"]
        velocity.mul_(momentum).add_(gradient, alpha=1 - settings["dampening"])
        gradient = gradient.add_(velocity, alpha=momentum) if settings["nesterov"] else velocity
    move.weights.add_(gradient, alpha=-settings["lr"])


def _averaged_momentum(move: Move) -> None:
    beta, velocity = move.settings["momentum"], move.state["velocity"]
    move.penalise()
    velocity.mul_(beta).add_(move.gradient, alpha=1 - beta)
    move.weights.add_(velocity, alpha=-move.settings["lr"])


def _adam(move: Move) -> None:
    settings, (beta1, beta2) = move.settings, move.settings["betas"]
    move.decay()
    mean, square = move.moments()
    scale = square.sqrt().div_((1 - beta2**move.step) ** 0.5).add_(settings["eps"])
    move.weights.addcdiv_(mean, scale, value=-(settings["lr"] / (1 - beta1**move.step)))


def _nadam(move: Move) -> None:
    settings, step, rate = move.settings, move.step, move.settings["lr"]
    beta1, beta2 = settings["betas"]
    move.decay()
    now = beta1 * (1.0 - 0.5 * (0.96 ** (step * settings["momentum_decay"])))
    then = beta1 * (1.0 - 0.5 * (0.96 ** ((step + 1) * settings["momentum_decay"])))
    # torch keeps the product in its default type, and so does this; where several lie in a vector, all are equal
    product = move.state["mu_product"].mul_(now).flatten()[0].item()
    mean, square = move.moments()
    scale = square.div(1 - beta2**step).sqrt_().add_(settings["eps"])
    move.weights.addcdiv_(move.gradient, scale, value=-rate * (1.0 - now) / (1.0 - product))
    move.weights.addcdiv_(mean, scale, value=(-rate * then) / (1.0 - product * then))


def _radam(move: Move) -> None:
    settings, step = move.settings, move.step
    beta1, beta2 = settings["betas"]
    move.decay()
    mean, square = move.moments()
    correction = 1 - beta2**step
    moved = mean.div(1 - beta1**step).mul_(settings["lr"])
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * (beta2**step) / correction
    if length > 5.0:
        moved.mul_(square.sqrt().add_(settings["eps"]).reciprocal_().mul_(correction**0.5))
        rest = (longest - 4) * (longest - 2) * length
        moved.mul_(((length - 4) * (length - 2) * longest / rest) ** 0.5)
    move.weights.add_(moved, alpha=-1.0)


def _adamax(move: Move) -> None:
    settings, (beta1, beta2) = move.settings, move.settings["betas"]
    move.penalise()
    mean, largest = move.state["exp_avg"], move.state["exp_inf"]
    mean.lerp_(move.gradient, 1 - beta1)
    torch.maximum(largest.mul_(beta2), move.gradient.abs().add_(settings["eps"]), out=largest)
    move.weights.addcdiv_(mean, largest, value=-(settings["lr"] / (1 - beta1**move.step)))


def _rmsprop(move: Move) -> None:
    settings, gradient = move.settings, move.gradient
    alpha, square = settings["alpha"], move.state["square_avg"]
    move.penalise()
    square.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
    if settings["centered"]:
        mean = move.state["grad_avg"].lerp_(gradient, 1 - alpha)
        scale = square.addcmul(mean, mean, value=-1).sqrt_()
    else:
        scale = square.sqrt()
    scale.add_(settings["eps"])
    if settings["momentum"] > 0:
        velocity = move.state["momentum_buffer"].mul_(settings["momentum"]).addcdiv_(gradient, scale)
        move.weights.add_(velocity, alpha=-settings["lr"])
    else:
        move.weights.addcdiv_(gradient, scale, value=-settings["lr"])


def _adagrad(move: Move) -> None:
    settings, gradient = move.settings, move.gradient
    move.penalise()
    scale = move.state["sum"].addcmul_(gradient, gradient, value=1).sqrt().add_(settings["eps"])
    rate = settings["lr"] / (1 + (move.step - 1) * settings["lr_decay"])
    move.weights.addcdiv_(gradient, scale, value=-rate)


def _adadelta(move: Move) -> None:
    settings, gradient = move.settings, move.gradient
    rho, square, length = settings["rho"], move.state["square_avg"], move.state["acc_delta"]
    move.penalise()
    square.mul_(rho).addcmul_(gradient, gradient, value=1 - rho)
    moved = length.add(settings["eps"]).sqrt_().div_(square.add(settings["eps"]).sqrt_()).mul_(gradient)
    length.mul_(rho).addcmul_(moved, moved, value=1 - rho)
    move.weights.add_(moved, alpha=-settings["lr"])


def _fused_adam(settings: Mapping[str, Any], decay: float, weights: list[Tensor], gradients: list[Tensor],
                state: Mapping[str, list[Tensor]]) -> None:  # fmt: skip
    beta1, beta2 = settings["betas"]
    take_step: Any = torch._fused_adamw_ if settings["decoupled_weight_decay"] else torch._fused_adam_
    take_step(weights, gradients, state["exp_avg"], state["exp_avg_sq"], [], state["step"], lr=settings["lr"],
              beta1=beta1, beta2=beta2, weight_decay=decay, eps=settings["eps"], amsgrad=False,
              maximize=False)  # fmt: skip


def _fused_sgd(settings: Mapping[str, Any], decay: float, weights: list[Tensor], gradients: list[Tensor],
               state: Mapping[str, list[Tensor]]) -> None:  # fmt: skip
    torch._fused_sgd_(weights, gradients, state.get("momentum_buffer", []), weight_decay=decay, lr=settings["lr"],
                      momentum=settings["momentum"], dampening=settings["dampening"], nesterov=settings["nesterov"],
                      maximize=False, is_first_step=False)  # fmt: skip


@dataclass(frozen=True)
class Arithmetic:
    """The step of an optimizer class.

    Attributes:
        take_step: moves the weights.
        keeps: names of its tensors in the state.
        keeps_if: names that are there only if a setting is not zero: name → setting.
    """

    take_step: Callable[[Move], None]
    keeps: tuple[str, ...] = ()
    keeps_if: tuple[tuple[str, str], ...] = ()

    def names(self, settings: Mapping[str, Any]) -> list[str]:
        """Return the names of all tensors in the state of a parameter."""
        return [*self.keeps, *(name for name, setting in self.keeps_if if settings[setting])]


_MOMENTS = ("step", "exp_avg", "exp_avg_sq")

ARITHMETIC: dict[type[Optimizer], Arithmetic] = {
    SGD: Arithmetic(_sgd, keeps_if=(("momentum_buffer", "momentum"),)),
    AveragedMomentum: Arithmetic(_averaged_momentum, ("velocity",)),
    Adam: Arithmetic(_adam, _MOMENTS),
    AdamW: Arithmetic(_adam, _MOMENTS),
    NAdam: Arithmetic(_nadam, (*_MOMENTS, "mu_product")),
    RAdam: Arithmetic(_radam, _MOMENTS),
    Adamax: Arithmetic(_adamax, ("step", "exp_avg", "exp_inf")),
    RMSprop: Arithmetic(
        _rmsprop, ("step", "square_avg"), (("grad_avg", "centered"), ("momentum_buffer", "momentum"))
    ),
    Adagrad: Arithmetic(_adagrad, ("step", "sum")),
    Adadelta: Arithmetic(_adadelta, ("step", "square_avg", "acc_delta")),
}
"""The classes whose step is known; of all others, ``Optimizer.step`` is called."""

FUSED: dict[type[Optimizer], Callable[..., None]] = {SGD: _fused_sgd, Adam: _fused_adam, AdamW: _fused_adam}
"""In one pass: (settings, decay, weights, gradients, state by name), all but the settings as lists."""

OTHERWISE = ("maximize", "capturable", "differentiable", "amsgrad")
"""Settings with which the arithmetic is another."""
