"""Which values next: what is known to be good first, then where a model of all trials expects the most."""

# ruff: noqa: ARG002 - the methods have the signatures that Optuna calls

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autoopt.search.candidates import Candidate, any_candidate, newcomer, proposed_or_drawn
from autoopt.search.standing import Known, level_scores, most_telling, standings
from autoopt.search.surrogate import Array, Surrogate, expected_improvement
from autoopt.search.table import Table

STARTUP = 8  # random trials where there is no portfolio
CANDIDATES = 256
MANY = 300  # trials after which proposals keep apart from so many of the latest only, and from those of the model
CANDIDATES_OF_MANY = 96  # then, so that a proposal takes no longer, however many trials there are
LENGTHS = {"lr_relative": 0.25}
APART = 0.005  # about a twentieth of one number's range, where nothing else differs
REFINE = 5  # every fifth proposal may be as near to a trial as it likes
PRIORS = {"lr_relative": (2.0, 4.0)}  # around which value a number is good, and within which factor
BELIEF = 20.0  # trials after which a prior counts as much as it says; more wear it off


class Sampler(BaseSampler):
    """Sampler for Optuna studies whose trials can be stopped early and whose settings hang on one choice.

    A Gaussian process learns from every trial at once: complete, pruned, diverged (failed), and under way. It
    tells apart short and long trainings by what trials ``report``, shares what it learns about a number among
    all values of the main choice as far as the data bear that out, and proposes what is expected to improve
    most on the best, among neighbours of good trials and newcomers. Proposals for trials asked for at once differ.

    Every proposal has a random stream of its own, made of ``seed`` and the trial's number.

    Args:
        seed: of all proposals together.
        first: values by parameter name for the first trials, in this order; a name that is missing is drawn.
        main: the choice that other parameters hang on; ``None`` if there is none.
        longest: the step that a complete training reports last; the largest one seen if ``None``.
        apart: how unlike (0 to 1) anything tried a proposal must be, but for one in five. Nearer settings teach
            little of where else it may be good, and noisy scores tell them apart by luck only; 0.15 for a search whose
            question is the main choice.
        complete: makes values whole: drops what does not exist beside the choices among them and draws what lacks,
            where a program knows. Without it values have the shape of some trial.
        lengths: by name, over which share of its range a number makes a difference (0.6 where nobody says).
        later: scores of complete trainings, by number, of trials that had ended before (NaN for one that diverged):
            Optuna leaves trials as they ended. It is looked at for every proposal.
        priors: by name, the value around which a number is believed to be good at first, and within which factor.
        costs: by value of the main choice, how many times as long a training takes as others (1 where nobody says).
            What is expected of a proposal is divided by it: the expected improvement per second of Snoek, Larochelle
            and Adams, Practical Bayesian Optimization of Machine Learning Algorithms, 2012.

    >>> study = optuna.create_study(sampler=Sampler(seed=1, main="optimizer"))
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        first: Sequence[Mapping[str, Any]] = (),
        main: str | None = "optimizer",
        longest: int | None = None,
        lengths: Mapping[str, float] = LENGTHS,
        apart: float = APART,
        complete: Callable[[Mapping[str, Any], np.random.Generator], Candidate] | None = None,
        later: Mapping[int, float] | None = None,
        priors: Mapping[str, tuple[float, float]] = PRIORS,
        costs: Mapping[Any, float] | None = None,
    ) -> None:
        self._seed, self._first, self._main = seed, list(first), main
        self._longest, self._lengths = longest, dict(lengths)
        self._apart, self._complete = apart, complete
        self._later: Mapping[int, float] = {} if later is None else later
        self._priors, self._costs = priors, costs or {}
        self._values: Mapping[str, Any] = {}
        self._view: _View | None = None
        self._known = Known()
        self._taken_apart: dict[int, Candidate] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Settle on the values of the trial; they are handed out one by one, as the trial asks."""
        self._values, self._random = self.propose(study)
        return {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Return nothing: which names a trial asks for is known only when it asks."""
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value settled on, or a random one where there is none or it is not possible here."""
        return proposed_or_drawn(self._values, param_name, param_distribution, self._random)

    def reseed_rng(self) -> None:
        """Do nothing: every proposal has its own stream already."""

    def rank(self, study: optuna.Study, numbers: Collection[int]) -> list[int]:
        """Return trials, best first, as the model expects them after a complete training; all must have reported."""
        view = self._current_view(study)
        trials = [study.get_trials(deepcopy=False)[number] for number in numbers]
        runs = np.array([float(trial.number) for trial in trials])
        worth, _ = view.model.predict(view.table.rows(self._as_candidates(trials)), runs)
        return [trials[place].number for place in np.argsort(worth, kind="stable")]

    def propose(
        self, study: optuna.Study, most: float = math.inf
    ) -> tuple[Mapping[str, Any], np.random.Generator]:
        """Return the values of the next trial by name, and the random stream for names that are not among them.

        Args:
            most: it may cost, where there is such a candidate.
        """
        trials, scores = self._scored(study)
        number = len(trials)
        first = number < len(self._first)
        values = self._first[number] if first else self._best_candidate(trials, scores, most)
        return values, np.random.default_rng([self._seed, number])

    def pick(
        self, study: optuna.Study, numbers: Collection[int], done: Collection[int], most: float = math.inf
    ) -> int | Mapping[str, Any]:
        """Return what to train completely next: the number of a trial, or values that none had.

        Args:
            numbers: trials that may be picked.
            done: trials that were trained completely.
            most: it may cost, where there is such a one.
        """
        view = self._current_view(study)
        trials = study.get_trials(deepcopy=False)
        open_, ahead = [number for number in numbers if number not in done], view.ahead
        choices = [*ahead.candidates, *self._as_candidates([trials[number] for number in open_])]
        rows = view.table.rows(choices)
        tried = view.table.rows(self._as_candidates([trials[number] for number in done]))
        gain = expected_improvement(*view.model.predict(rows), view.best)
        new = len(ahead.candidates)
        gain[:new] *= ahead.weights
        gain = self._charged(gain, choices, most)
        gain[view.model.likeness(rows, tried) > 1 - self._apart] -= 1e3
        place = int(np.argmax(gain))
        return ahead.candidates[place].params if place < new else open_[place - new]

    def _charged(self, gain: Array, choices: Sequence[Candidate], most: float) -> Array:
        """Return what is expected of choices for what they cost, and next to nothing of those that cost too much."""
        if not self._costs:
            return gain
        costs = np.array([self._costs.get(each.params.get(self._main or ""), 1.0) for each in choices])
        return np.asarray(gain / costs - 1e5 * (costs > most), dtype=np.float64)

    def _best_candidate(
        self, trials: Sequence[FrozenTrial], scores: Sequence[dict[int, float]], most: float
    ) -> Mapping[str, Any]:
        if sum(map(bool, scores)) < (2 if self._first else STARTUP):
            return {}
        view = self._view_of(trials, scores)
        ahead = view.ahead
        pending = [
            t for t, found in zip(trials, scores, strict=True) if not found and not t.state.is_finished()
        ]
        model = view.model.believe(view.table.rows(self._as_candidates(pending)))
        gain = expected_improvement(*model.predict(ahead.rows), view.best)
        tried = view.table.rows(self._as_candidates(_near_enough(trials, view.trials)))
        gain = self._charged(gain * ahead.weights, ahead.candidates, most)
        if len(trials) % REFINE:
            gain[view.model.likeness(ahead.rows, tried) > 1 - self._apart] -= 1e3
        gain[list(ahead.taken)] = -1e6
        place = int(np.argmax(gain))
        ahead.taken.add(place)
        return ahead.candidates[place].params

    def _scored(self, study: optuna.Study) -> tuple[list[FrozenTrial], list[dict[int, float]]]:
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.params]
        maximize = study.direction is StudyDirection.MAXIMIZE
        return trials, level_scores(
            trials, maximize=maximize, longest=self._longest, later=self._later, known=self._known
        )

    def _current_view(self, study: optuna.Study) -> _View:
        return self._view_of(*self._scored(study))

    def _view_of(self, everyone: Sequence[FrozenTrial], everything: Sequence[dict[int, float]]) -> _View:
        """Return what the trials look like; it is made anew only when there is something new."""
        seen = [place for place, found in enumerate(everything) if found]
        trials, scores = [everyone[place] for place in seen], [everything[place] for place in seen]
        key = [trial.number for trial in trials], scores
        if self._view is None or self._view.key != key:
            known, stands = most_telling(trials, standings(scores))
            table = Table(known, self._main, self._lengths)
            numbers = np.array([float(trial.number) for trial in known])
            tried = self._as_candidates(known)
            model = table.model(tried, stands, numbers)
            rows = table.rows(tried)
            plain, _ = model.predict(rows)
            worth, _ = model.predict(rows, numbers)
            ranked = [known[i] for i in np.argsort(worth, kind="stable")]
            look_ahead = partial(self._look_ahead, table, ranked, list(everyone), len(stands))
            self._view = _View(key, table, model, float(plain.min()), known, look_ahead)
        return self._view

    def _look_ahead(
        self, table: Table, ranked: Sequence[FrozenTrial], everyone: Sequence[FrozenTrial], known: int
    ) -> _Ahead:
        random = np.random.default_rng([self._seed, len(everyone), known])
        candidates = self._candidates(ranked, everyone, random)
        return _Ahead(candidates, table.rows(candidates), self._prior_weights(candidates, len(everyone)))

    def _candidates(
        self, ranked: Sequence[FrozenTrial], everyone: Sequence[FrozenTrial], random: np.random.Generator
    ) -> list[Candidate]:
        """Return what could come next; nothing that was tried, and nothing twice."""
        tried = {tuple(sorted(trial.params.items())) for trial in _near_enough(everyone, ranked)}
        found = []
        for _ in range(CANDIDATES if len(everyone) <= MANY else CANDIDATES_OF_MANY):
            candidate = any_candidate(ranked, self._main, random)
            if self._complete is not None:
                candidate = self._complete(candidate.params, random)
            if (key := tuple(sorted(candidate.params.items()))) not in tried:
                tried.add(key)
                found.append(candidate)
        return found or [newcomer(ranked[0], self._main, random)]

    def _as_candidates(self, trials: Sequence[FrozenTrial]) -> list[Candidate]:
        """Return the values of trials; they are taken apart once only."""
        found = []
        for trial in trials:
            old = self._taken_apart.get(trial.number)
            if old is None or old.params is not trial.params or len(old.places) < len(trial.params):
                old = self._taken_apart[trial.number] = Candidate(trial.params, trial.distributions)
            found.append(old)
        return found

    def _prior_weights(self, candidates: Sequence[Candidate], trials: int) -> Array:
        """How much candidates are believed in before anything is known: Hvarfner and others, πBO, 2022."""
        found = np.zeros(len(candidates))
        for name, (center, factor) in self._priors.items():
            for place, candidate in enumerate(candidates):
                if name in candidate.params:
                    found[place] -= 0.5 * (math.log(candidate.params[name] / center) / math.log(factor)) ** 2
        return np.exp(found * BELIEF / max(trials, 1))


@dataclass(frozen=True)
class _Ahead:
    """What could come next: ``rows`` of its ``candidates``, and how much they are believed in.

    Those that are ``taken`` are not proposed twice, even before the trial has asked for their values.
    """

    candidates: Sequence[Candidate]
    rows: Array
    weights: Array
    taken: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _View:
    """What is known of a study at one time: a model made of ``trials``, the best it has seen, and what is ahead."""

    key: object
    table: Table
    model: Surrogate
    best: float
    trials: Sequence[FrozenTrial]
    look_ahead: Callable[[], _Ahead]

    @cached_property
    def ahead(self) -> _Ahead:
        """What could come next; worked out where it is asked for, which a ranking does not."""
        return self.look_ahead()


def _near_enough(everyone: Sequence[FrozenTrial], known: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
    """Return the trials that proposals keep apart from: all, or of many the latest and those known to the model."""
    if len(everyone) <= MANY:
        return everyone
    latest = everyone[-MANY:]
    return [*(trial for trial in known if trial.number < latest[0].number), *latest]
