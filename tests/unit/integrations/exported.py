"""Exported code, run: the recipes to export, what they do in torch, and the usage in comments made code."""

import re

import numpy as np
import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate_factor, reference_settings
from autoopt.export import write
from autoopt.recipe import Recipe
from autoopt.training.build import build_optimizer, build_scheduler
from tests.conformance.test_exporters import recommendation

STEPS = 12


def needs_library(optimizer):
    """Skip the test where the optimizer's own library is not installed."""
    pytest.importorskip(OPTIMIZERS[optimizer].target.partition(":")[0])


def recipe(optimizer="adamw", schedule="linear", **changes):
    needs_library(optimizer)
    settings = {"settings": reference_settings(OPTIMIZERS[optimizer]), "batch_size": 8, **changes}
    return Recipe(optimizer, schedule=schedule, **{"schedule_settings": {"warmup": 0.2}, **settings})


def define(recipe, format):
    """What the code defines."""
    names = {}
    exec(compile(write(recommendation(recipe), format), format, "exec"), names)
    return names


def use(recipe, format, **around):
    """Everything after the code was run together with the usage that stands in its last comment."""
    code = write(recommendation(recipe), format)
    definitions, usage = code.rstrip().rsplit("\n\n\n", 1)
    lines = [re.sub("^# ?", "", line) for line in usage.splitlines()]
    lines = [
        line for line in lines if re.match(r"[\w. ]+(=|\()|[ )]|class|with", line)
    ]  # without its sentences
    names = dict(around)
    exec(compile("\n".join([definitions, *lines]), format, "exec"), names)
    return names


def rates(recipe, steps):
    """The rate at every step."""
    lr = recipe.settings["lr"]
    return [
        lr * learning_rate_factor(recipe.schedule, recipe.schedule_settings, n, steps) for n in range(steps)
    ]


def start():
    draw = np.random.default_rng(0)
    return draw.normal(size=(3, 2)), draw.normal(size=2)


def gradients():
    draw = np.random.default_rng(1)
    return [(draw.normal(size=(3, 2)), draw.normal(size=2)) for _ in range(STEPS)]


def walk_in_torch(recipe):
    """Where a matrix and a bias come to with given gradients."""
    needs_library(recipe.optimizer)
    module = torch.nn.Module()
    module.kernel, module.bias = (torch.nn.Parameter(torch.tensor(part)) for part in start())
    optimizer = build_optimizer(module, recipe)
    scheduler = build_scheduler(optimizer, recipe, STEPS)
    for pair in gradients():
        for parameter, gradient in zip(module.parameters(), pair, strict=True):
            parameter.grad = torch.tensor(gradient)
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip_norm)
        if recipe.clip_value is not None:
            torch.nn.utils.clip_grad_value_(module.parameters(), recipe.clip_value)
        optimizer.step()
        scheduler.step()
    return [parameter.detach().numpy() for parameter in module.parameters()]
