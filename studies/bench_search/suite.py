"""The tasks of the benchmark, which of them are kept aside, and the one space that every method searches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from autoopt.options import Options, study_space
from autoopt.space.build import SearchSpace
from autoopt.subject import task_subject
from autoopt.tasks.load import load_task
from autoopt.tasks.task import Task

TASKS_FOLDER = Path(__file__).parent / "tasks"
Part = Literal["development", "kept-aside"]

OPTIMIZERS = ("sgd", "adam", "adamw", "nadam", "radam", "rmsprop", "adagrad", "adadelta")
SCHEDULES = ("constant", "linear", "cosine", "step", "exponential", "cosine_restarts")
"""The default search of 2026-11-21, named here so that figures stay comparable when the default changes."""


@dataclass(frozen=True)
class Member:
    """A task of the benchmark: its file, its family, and the part that it was put in before anything was run."""

    name: str
    family: str
    part: Part

    def load(self) -> Task:
        """Return the task; its data are made or read, never downloaded."""
        return load_task(TASKS_FOLDER / f"{self.name}.py")


SUITE = {
    member.name: member
    for member in (
        Member("digits_mlp", "multilayer perceptron, classification", "development"),
        Member("digits_cnn", "convolutional network", "development"),
        Member("waves_gru", "recurrent network (GRU)", "development"),
        Member("words_sparse", "matrix factorisation, sparse gradients", "development"),
        Member("cells_regression", "multilayer perceptron, regression", "development"),
        Member("digits_resnet", "residual network with batch norm", "development"),
        Member("help_transformer", "transformer, language model", "development"),
        Member("digits_autoencoder", "autoencoder", "development"),
        Member("digits_vit", "vision transformer with dropout", "kept-aside"),
        Member("photo_denoise", "convolutional network, regression", "kept-aside"),
        Member("photo_field", "neural field, regression", "kept-aside"),
        Member("help_lstm", "recurrent network (LSTM), language model", "kept-aside"),
    )
}


def members(part: Part) -> list[Member]:
    """Return the tasks of a part, in order."""
    return [member for member in SUITE.values() if member.part == part]


def space_of(task: Task) -> SearchSpace:
    """Return the space that every method searches on a task: autoopt's default one, as it was when frozen."""
    return study_space(task_subject(task), Options(optimizers=OPTIMIZERS, schedules=SCHEDULES))


@cache
def loaded(name: str) -> Task:
    """Return a task of the suite, loaded once a process."""
    return SUITE[name].load()
