"""Rule: a piece of advice with its conditions, its citation, and what measurements say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from autoopt.guidance.evidence import Citation
    from autoopt.tasks.profile import TaskProfile

Kind = Literal["choice", "alike", "practice", "symptom"]
Question = Literal[
    "rate_matters_most", "choice_pays", "decay_beats_constant", "batch_size_in_range", "clipping_helps",
    "momentum_helps", "low_rates_are_slow", "high_rates_are_worse", "divergence_comes_of_high_rates",
    "stopping_early_gains",
]  # fmt: skip
"""What a study can be asked of a rule that favours no optimizer; ``autoopt.verdict.questions`` answers."""

Strength = Literal["weak", "fair", "strong"]
Verdict = Literal["supported", "mixed", "contradicted", "no data"]
Plain = str | int | float | bool


@dataclass(frozen=True)
class Document:
    """Something that rules cite: one of the articles D1–D5, a paper, or published measurements.

    Attributes:
        id: short name used in citations: ``D3``, ``DeepOBS``.
        kind: ``article`` claims, ``measurement`` has figures.
        where: repository, or what kind of article it is; licence of the figures.
    """

    id: str
    title: str
    kind: Literal["article", "measurement"]
    where: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Condition:
    """One thing that must hold of a profile: one of some values, or a number within bounds.

    Attributes:
        field: of ``TaskProfile``.
        one_of: allowed values; empty means that the bounds decide.
        at_least, below: lowest allowed number, and the first one that is too large.
    """

    field: str
    one_of: tuple[Plain, ...] = ()
    at_least: float | None = None
    below: float | None = None

    def holds(self, profile: TaskProfile) -> bool:
        """Say whether the profile meets the condition; what is unknown (``None``) never does."""
        value = getattr(profile, self.field)
        if value is None:
            return False
        if self.one_of:
            return value in self.one_of
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
        )


@dataclass(frozen=True)
class Figure:
    """What one publication measured, in a sentence; ``source`` is the id of a document.

    ``cites`` are the rows of the tables in ``knowledge/evidence`` that hold its numbers, looked up on loading.
    """

    says: str
    source: str
    cites: tuple[Citation, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What measurements published elsewhere say of a rule."""

    verdict: Verdict
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Effect:
    """How much a kind of setting matters, as published runs have it; see ``load_effects``.

    Attributes:
        name: what is tuned, in words.
        settings: names in recipes that belong to it.
        figures: what it is worth, each with its source.
    """

    name: str
    settings: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of choice, practice or remedy.

    Attributes:
        id: unique, words with hyphens.
        kind: ``choice`` favours optimizers over others; ``alike`` says that those named do equally well;
            ``practice`` is about anything else; ``symptom`` says what to do when a run shows something.
        says: the rule in a sentence.
        documents: ids of the documents that hold it, at least one.
        when: conditions on the profile, all of which must hold; none means always.
        favours, over: names of optimizers; an empty ``over`` means all others.
        strength: how far the advice leans on it.
        tested_by: the question to a study that tests it; nothing where optimizers are compared, or none can.
        symptom, remedies: of a ``symptom``: what is seen, and what helps, in the documents' order.
    """

    id: str
    kind: Kind
    says: str
    documents: tuple[str, ...]
    when: tuple[Condition, ...] = ()
    favours: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    strength: Strength = "fair"
    evidence: Evidence = Evidence("no data")
    tested_by: Question | None = None
    symptom: str = ""
    remedies: tuple[str, ...] = ()

    def applies(self, profile: TaskProfile) -> bool:
        """Say whether the rule speaks about tasks like this one."""
        return all(condition.holds(profile) for condition in self.when)

    @property
    def source(self) -> str:
        """The documents that hold the rule, as cited: ``D2, D3``."""
        return ", ".join(self.documents)
