"""Advice without training: which recipes to try on a task, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.rate import LONG_STEPS, pace, reference_settings
from autoopt.errors import GuidanceError, unknown_name
from autoopt.guidance.load import load_effects, load_rules
from autoopt.guidance.portfolio import StartRecipe, load_start_recipes
from autoopt.guidance.priors import ALL, RatePrior, prior
from autoopt.guidance.rule import Effect, Rule
from autoopt.recipe import Recipe
from autoopt.space.build import spell_out
from autoopt.space.written import BASELINE, SPARSE_BASELINE

if TYPE_CHECKING:
    from autoopt.tasks.profile import TaskProfile

TELLING_PACE = 2.0  # rates that differ by less are within what a study tries first anyway
_STRONGEST_FIRST = ("strong", "fair", "weak")


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for a recipe, and who says so: ids of documents."""

    says: str
    source: str

    def __str__(self) -> str:
        return f"{self.source}: {self.says}"


@dataclass(frozen=True)
class Advice:
    """A recipe worth trying.

    Attributes:
        recipe: complete, ready to train with.
        why: rules of the documents and published figures that speak for it.
        cautions: what could go wrong, and what speaks against it.
        baseline: there to compare with, not as advice.
        prior: learning rates that tuned runs elsewhere had; ``None`` if nothing is published.
    """

    recipe: Recipe
    why: tuple[Reason, ...]
    cautions: tuple[str, ...] = ()
    baseline: bool = False
    prior: RatePrior | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "why": [{"says": reason.says, "source": reason.source} for reason in self.why],
            "cautions": list(self.cautions),
            "baseline": self.baseline,
            "prior": None if self.prior is None else self.prior.to_dict(),
        }


@dataclass(frozen=True)
class Guidance:
    """What is known about tasks like this one.

    Attributes:
        advice: best first, one for each optimizer, the baseline last.
        rules: those that speak about such tasks, strongest first, whether or not a recipe follows from them.
        effects: what is worth tuning, in the order in which it pays.
        length: what the length of the training says of the rates, if they are those of longer ones.
    """

    advice: tuple[Advice, ...]
    rules: tuple[Rule, ...]
    effects: tuple[Effect, ...] = ()
    length: Reason | None = None

    @property
    def practices(self) -> tuple[Reason, ...]:
        """What to do beside choosing a recipe, as far as it is about tasks like this one and not about all."""
        rules = (_reason(rule) for rule in self.rules if rule.kind == "practice" and rule.when)
        return (*([] if self.length is None else [self.length]), *rules)


def guide(
    profile: TaskProfile,
    optimizers: Iterable[str] | None = None,
    own: Iterable[OptimizerEntry] = (),
    total_steps: int | None = None,
) -> Guidance:
    """Return ranked recipes for a task, each with its reasons and what could go wrong.

    Args:
        profile: of the task; see ``profile_task``.
        optimizers: names that may be advised; ``None`` and ``all`` mean the whole catalogue. The baseline is
            shown whether or not its optimizer is among them.
        own: entries of the user's own optimizers, which come last, since nothing is known of them.
        total_steps: of the training; published rates are those of long ones.

    Raises:
        GuidanceError: an optimizer is not in the catalogue.
    """
    allowed = set(OPTIMIZERS if optimizers is None else spell_out(optimizers, OPTIMIZERS) or ())
    for name in sorted(allowed - set(OPTIMIZERS)):
        raise GuidanceError(unknown_name("optimizer", name, OPTIMIZERS))
    speaking = (rule for rule in load_rules() if rule.kind != "symptom" and rule.applies(profile))
    rules = tuple(sorted(speaking, key=lambda rule: _STRONGEST_FIRST.index(rule.strength)))
    starts = sorted(
        (start for start in load_start_recipes() if start.applies(profile)), key=lambda s: -s.merit
    )
    best: dict[str, StartRecipe] = {}
    for start in starts:
        if start.recipe.optimizer in allowed:
            best.setdefault(start.recipe.optimizer, start)
    advice = [_advice(start, rules, profile) for start in best.values()]
    mine = [_advice_on_own(entry, sparse=profile.sparse_gradients) for entry in own]
    return Guidance(
        (*advice, *mine, _baseline(profile)), rules, load_effects(), _length(profile, total_steps)
    )


def _length(profile: TaskProfile, total_steps: int | None) -> Reason | None:
    """Say that a short training wants higher rates than the published ones, which loaded weights do not."""
    times = 1.0 if total_steps is None or profile.pretrained else pace(total_steps)
    if total_steps is None or times < TELLING_PACE:
        return None
    return Reason(
        f"this training takes {total_steps:,} steps, the published rates come from {LONG_STEPS:,} and more: short "
        f"trainings of small networks did best at up to {times:.0f} times these rates, which is where a study looks "
        "(--probe measures it)", "Pace",
    )  # fmt: skip


def own_recipe(entry: OptimizerEntry, *, sparse: bool) -> Recipe:
    """Return the recipe that a study tries first with an optimizer of the user's own.

    Args:
        sparse: the task has sparse gradients, so there is no weight decay.
    """
    settings = {k: v for k, v in reference_settings(entry).items() if not (sparse and k == "weight_decay")}
    schedule = SCHEDULES["linear"]
    shape = {hyperparameter.name: hyperparameter.reference for hyperparameter in schedule.hyperparameters}
    return Recipe(entry.name, settings, schedule.name, shape, own=entry.own)


def _advice_on_own(entry: OptimizerEntry, *, sparse: bool) -> Advice:
    why = Reason("your own optimizer at its best guesses, where a study begins", entry.target)
    refused = () if entry.accepts(sparse=sparse, dense=True) else ("it takes no sparse gradients",)
    unknown = "nothing published is known of it here: let a study tell"
    return Advice(own_recipe(entry, sparse=sparse), (why,), (*refused, unknown))


def _advice(start: StartRecipe, rules: tuple[Rule, ...], profile: TaskProfile) -> Advice:
    """Join what the file says of a recipe with the rules that favour its optimizer, or another over it."""
    why = [Reason(figure.says, figure.source) for figure in start.why]
    cautions = list(start.cautions)
    rivals = []
    for rule in rules:
        if rule.kind == "choice" and start.recipe.optimizer in rule.favours:
            why.append(_reason(rule))
            cautions.extend(_doubts(rule))
        elif rule.kind == "choice" and start.recipe.optimizer in rule.over:
            rivals.append(f"{rule.says} ({rule.source})")
    if rivals:
        cautions.append(f"speaks for others: {' '.join(rivals)}")
    expected = prior(start.recipe.optimizer, profile)
    if expected is not None and expected.problems:
        cautions.extend(_off_the_prior(start.recipe, expected))
        why.append(Reason(_tuned_rates(expected), "TunedRates"))
    return Advice(start.recipe, tuple(why), tuple(cautions), prior=expected)


def _tuned_rates(expected: RatePrior) -> str:
    kind = "tasks of every kind" if expected.regime == ALL else "such tasks"
    return f"tuned runs on {kind} ({expected.problems} problems): {expected}"


def _off_the_prior(recipe: Recipe, expected: RatePrior) -> list[str]:
    """Say where what a document or portfolio proposes is not what tuned runs had."""
    momentum = (
        float(recipe.settings.get("momentum", 0.0))
        if OPTIMIZERS[recipe.optimizer].momentum_scales_lr
        else 0.0
    )
    rate = float(recipe.settings["lr"]) / (1 - momentum)
    if expected.quantile(0.1) <= rate <= expected.quantile(0.9):
        return []
    than = "lower" if rate < expected.rate else "higher"
    return [f"this rate is {than} than four fifths of the tuned runs elsewhere would have it ({expected})"]


def _baseline(profile: TaskProfile) -> Advice:
    """What is trained for comparison, so that advice can be weighed against doing nothing."""
    recipe = SPARSE_BASELINE if profile.sparse_gradients else BASELINE
    return Advice(recipe, (), ("for comparison: a constant rate, and no look at the task",), baseline=True)


def _reason(rule: Rule) -> Reason:
    unsupported = rule.evidence.verdict == "no data"
    return Reason(f"{rule.says} (No published measurement found.)" if unsupported else rule.says, rule.source)


def _doubts(rule: Rule) -> list[str]:
    if rule.evidence.verdict not in ("mixed", "contradicted"):
        return []
    figures = "; ".join(f"{figure.says} ({figure.source})" for figure in rule.evidence.figures)
    return [f"on “{rule.says}” the measurements are {rule.evidence.verdict}: {figures}"]
