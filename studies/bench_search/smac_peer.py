"""SMAC3's Hyperband with random forests (its multi-fidelity facade, BOHB's successor), over autoopt's space."""

from __future__ import annotations

import logging
import math
import tempfile
from pathlib import Path
from typing import Any

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer
from smac import MultiFidelityFacade, Scenario
from smac.runhistory.dataclasses import TrialValue
from smac.runhistory.enumerations import StatusType

from autoopt.space.build import SearchSpace
from autoopt.space.choose import suggest
from autoopt.space.question import Question
from studies.bench_search.bench import Bench, BudgetSpentError, Training
from studies.bench_search.flat import Answers, questions_of

MANY = 100_000  # trials; the till of the bench ends the search
DIVERGED = 1e6  # the cost of a run without a score; forests split, so its size does not matter


def search(bench: Bench) -> None:
    """Ask SMAC for recipes and budgets, and carry runs on where it wants them trained longer."""
    logging.getLogger("smac").setLevel(logging.ERROR)
    epochs = bench.task.epochs
    space, questions = _space(bench.space, bench.seed)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(space, output_directory=Path(folder), deterministic=True, n_trials=MANY, seed=bench.seed,
                            min_budget=max(1, epochs // 9), max_budget=epochs)  # fmt: skip
        facade = MultiFidelityFacade(scenario, _never_called, overwrite=True, logging_level=logging.ERROR,
                                     intensifier=MultiFidelityFacade.get_intensifier(scenario, eta=3))  # fmt: skip
        begun: dict[Any, Training] = {}
        while True:
            asked = facade.ask()
            recipe = suggest(bench.space, Answers(_answers(dict(asked.config), questions)))
            training = begun.setdefault(asked.config, bench.start(recipe))
            try:
                report = training.upto(round(asked.budget or epochs))
            except BudgetSpentError:
                return
            sound = not training.over and math.isfinite(report.score)
            cost = bench.sign * report.score if sound else DIVERGED
            facade.tell(asked, TrialValue(cost, status=StatusType.SUCCESS), save=False)


def _never_called(config: Any, seed: int = 0, budget: float = 0.0) -> float:
    """Stand where SMAC wants a function; it is asked and told instead."""
    raise NotImplementedError(f"{config} at {budget} with seed {seed}")


def _space(space: SearchSpace, seed: int) -> tuple[ConfigurationSpace, dict[str, Question]]:
    """Return the space as ConfigSpace has it: what belongs to an optimizer or schedule exists with it alone."""
    questions = {question.name: question for question in questions_of(space)}
    made = {name: _parameter(question) for name, question in questions.items()}
    found = ConfigurationSpace(seed=seed)
    found.add(list(made.values()))
    for name, parameter in made.items():
        owner = name.partition(".")[0]
        parent = next(
            (p for p in ("optimizer", "schedule") if "." in name and owner in questions[p].choices), None
        )
        if parent is not None:
            found.add(EqualsCondition(parameter, made[parent], owner))
    return found, questions


def _parameter(question: Question) -> Any:
    if question.kind == "categorical":
        return Categorical(question.name, [str(choice) for choice in question.choices])
    if question.kind == "int":
        return Integer(question.name, (int(question.low), int(question.high)))
    return Float(question.name, (question.low, question.high), log=question.log)


def _answers(values: dict[str, Any], questions: dict[str, Question]) -> dict[str, Any]:
    """Return SMAC's values with choices in their own types again."""
    return {
        name: next(c for c in questions[name].choices if str(c) == value)
        if questions[name].kind == "categorical"
        else value
        for name, value in values.items()
    }
