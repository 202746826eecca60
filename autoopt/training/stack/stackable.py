"""What cannot be trained in a stack, and why: of tasks, of models and of recipes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import nn

from autoopt.catalogue.own import entry_of
from autoopt.recipe import WHOLE, Recipe
from autoopt.run import Purpose, Run
from autoopt.tasks.keras_model import KerasModel
from autoopt.tasks.samples import TensorSamples, move_batch
from autoopt.tasks.task import Task
from autoopt.training.stack.by_rule import RULES
from autoopt.training.stack.general import FORMS
from autoopt.training.streams import RandomStreams

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def refuse_task(task: Task) -> str | None:
    """Return why no run of a task can be stacked, as far as this shows without its model; ``None`` if nothing does."""
    for what, samples in (("training", task.train), ("validation", task.valid)):
        if not isinstance(samples, TensorSamples):
            return f"the {what} data are not held as tensors: they come through a DataLoader, whose rows may be random"
    if task.sparse_gradients:
        return "some of its gradients are sparse, which torch.func does not know"
    if task.precision != "float32" or task.accumulate > 1:
        return "its runs are trained in another precision, or add up the gradients of several batches"
    if task.grad_in_evaluation:
        return "its step needs gradients in an evaluation too"
    return None


def refuse_model(model: nn.Module) -> str | None:
    """Return why a model cannot be stacked, as far as its modules tell; ``None`` if nothing does."""
    for name, module in model.named_modules():
        where = f"{type(module).__name__} ({name})" if name else type(module).__name__
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
            return f"{where} is compiled code, which torch.func cannot look into"
        if isinstance(module, KerasModel):
            return f"{where} is a model of Keras, which keeps its tensors in variables of its own"
        if isinstance(module, nn.LSTM):
            return f"{where}: torch runs LSTMs of many rows one after the other, at half the speed"
        if any(getattr(module, hooks, None) for hooks in _HOOKS):
            return f"{where} has hooks, which would run once for all rows"
        if getattr(module, "track_running_stats", False) and getattr(module, "momentum", 0.1) is None:
            return (
                f"{where} has momentum=None: its running statistics depend on a count that rows cannot share"
            )
    kinds = {(p.dtype, p.device) for p in model.parameters() if p.requires_grad}
    if len(kinds) != 1 or not next(iter(kinds))[0].is_floating_point:
        return "its trained parameters are of different types, or lie on different devices"
    return None


def refuse_randomness(task: Task, model: nn.Module, device: str) -> tuple[str | None, bool]:
    """Return why the randomness of a model cannot be stacked, and whether it draws random numbers of torch.

    Args:
        model: its buffers may change.

    Raises:
        Exception: whatever the user's code raises.
    """
    batch = move_batch(next(iter(task.train.batches(min(2, task.train.rows or 2)))), device)
    with task.surroundings(), RandomStreams(0, device).active():
        before = _states(device)
        for training in (True, False):
            task.batch_loss(model.train(training), batch)
        after = _states(device)
    if before[1:] != after[1:]:
        told = "it draws random numbers from Python or NumPy, which would be the same for all rows and steps"
        return told, True
    return None, before[0] != after[0]


def _states(device: str) -> tuple[bytes, object, str]:
    """Return the states of torch's generators, Python's and NumPy's, to be compared."""
    torch_state = torch.get_rng_state().numpy().tobytes()
    if device.startswith("cuda"):
        torch_state += torch.cuda.get_rng_state(torch.device(device)).numpy().tobytes()
    numpy_state: Any = np.random.get_state(legacy=False)
    inner = numpy_state["state"]
    return torch_state, random.getstate(), f"{inner['pos']} {inner['key'].tobytes().hex()}"


def refuse_recipe(recipe: Recipe) -> str | None:
    """Return why a recipe cannot be stacked; ``None`` if it can."""
    entry: Any = entry_of(recipe)
    if recipe.extras:
        return "it sets hyperparameters of a training loop"
    if entry.own is not None:
        return f"{entry.title} is an optimizer of your own, of which only its code knows what it does"
    if entry.batches != "any" or recipe.batch_size == WHOLE:
        return "its batch is the whole training set, or a single row"
    if entry.rule not in FORMS and entry.rule not in RULES:
        return f"{entry.title} has no update that serves many rows at once"
    return None


def refuse_run(run: Run) -> str | None:
    """Return why a run cannot be stacked; ``None`` if it can. What confirms is always trained by itself."""
    if run.purpose is not Purpose.SEARCH:
        return "it confirms"
    return refuse_recipe(run.recipe)
