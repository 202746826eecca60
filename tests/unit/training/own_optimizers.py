"""Optimizers as users write them: sound ones, and every way to be unsound."""

import torch
from torch.optim import SGD, Optimizer


class Signs(Optimizer):
    """Steps by the sign of a mean of gradients.

    More is not told.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, slow=False):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "slow": slow})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                self.move(parameter, group)

    def move(self, parameter, group):
        mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
        first, second = group["betas"]
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(group["lr"] * torch.sign(first * mean + (1 - first) * parameter.grad))
        mean.mul_(second).add_(parameter.grad, alpha=1 - second)


class Outer:
    class Inner(SGD):
        pass


class RaisesWhenMade(Signs):
    def __init__(self, params, lr=1e-3):
        raise KeyError("no such thing")


class RaisesInStep(Signs):
    def step(self, closure=None):
        raise RuntimeError("cannot step")


class NeedsClosure(Signs):
    def step(self, closure):
        pass


class HidesItsRate(Optimizer):
    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"rate": lr})

    def step(self, closure=None):
        pass


class Explodes(Signs):
    def move(self, parameter, group):
        parameter.mul_(float("inf"))


class NoOptimizer:
    def __init__(self, params, lr=1e-3):
        pass


an_instance = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
