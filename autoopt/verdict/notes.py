"""What a verdict says in sentences beside its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from autoopt.catalogue.own import entry_of
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.contest import Contest


def write_notes(contest: Contest, chosen: Confirmation, leader: Confirmation | None) -> Iterator[str]:
    """Yield what a person should know of the verdict, the most important first."""
    if chosen is contest.baseline:
        yield _nothing_better(contest, leader)
    else:
        yield from _of_the_gain(contest, chosen)
        if leader is not None and leader is not chosen:
            yield (
                f"{leader.recipe} has the better mean, {_apart(leader.mean, chosen.mean)}, but by no more "
                "than one standard error: the simpler and cheaper one is recommended."
            )
    for confirmation in (contest.baseline, *contest.rivals):
        if confirmation.failures:
            yield _failed(contest, confirmation)
    if contest.price(chosen) > 1:
        yield _dear(contest, chosen)
    if contest.verdict(chosen) == "better" and (more := contest.seeds_to_halve(chosen)):
        yield (
            f"To know the gain twice as exactly takes about {_seeds(more)} for it and the baseline "
            f"({2 * more} complete trainings)."
        )


def _dear(contest: Contest, chosen: Confirmation) -> str:
    who, rival = entry_of(chosen.recipe).title, entry_of(contest.baseline.recipe).title
    price = contest.price(chosen)
    return (
        f"{who} takes about {price:g} times as long as {rival} (the baseline) for an epoch here, and was charged so: "
        f"all scores are after equally many epochs, of which {rival} trains {price:g} times as many in the same time."
    )


def _nothing_better(contest: Contest, leader: Confirmation | None) -> str:
    if leader is None:
        return "Nothing beat the baseline, so it is recommended: no finalist has a score."
    gain = contest.gain(leader)
    if leader.failures:
        return "Nothing beat the baseline, so it is recommended: every finalist failed on some seed."
    if gain is None:
        return "Nothing beat the baseline in the search, so it is recommended; no finalist was confirmed."
    if gain.interval.middle == 0:
        return (
            f"Nothing beat the baseline, so it is recommended: the best finalist, {leader.recipe}, equals it."
        )
    return (
        f"Nothing beat the baseline, so it is recommended: the best finalist, {leader.recipe}, was worse by "
        f"{_number(-gain.interval.middle)} on the same seeds."
    )


def _of_the_gain(contest: Contest, chosen: Confirmation) -> Iterator[str]:
    gain = contest.gain(chosen)
    if not chosen.scores:
        yield "Not confirmed: chosen by the scores of the search alone, which flatter the best of many."
    elif gain is None and contest.verdict(chosen) == "better":
        never = "reached the target on no seed" if contest.baseline.missed else "failed on every seed"
        yield f"Better without a gain in numbers: the baseline {never}."
    elif gain is None and contest.baseline.missed:
        yield "The baseline did not reach the target, and the recommended recipe did; one or two seeds prove little."
    elif gain is None and not contest.baseline.scores and not contest.baseline.failures:
        yield (
            "Not compared with the baseline, for which the budget had no room, and one seed tells nothing of the "
            "noise: the same command with a budget of 7 runs or more does both."
        )
    elif gain is None:
        yield "Not compared with the baseline: the two have no seed in common."
    elif gain.seeds == 1:
        yield "Not shown to be better than the baseline: one seed tells nothing of the noise."
    elif contest.verdict(chosen) == "tie" and gain.interval.middle <= 0:
        yield (
            f"The baseline was better by {_number(-gain.interval.middle)} on the seeds where it trained, "
            f"but it did not {'reach the target' if contest.baseline.missed else 'train'} on all of them."
        )
    elif contest.verdict(chosen) == "tie":
        yield (
            f"Not shown to be better than the baseline: a gain of {_number(gain.interval.middle)} may be the "
            f"luck of {gain.seeds} seeds; {_what_would_settle(contest, chosen)}."
        )


def _what_would_settle(contest: Contest, chosen: Confirmation) -> str:
    more = contest.more_seeds(chosen)
    if more is None:
        return "no reasonable number of further seeds would show a gain so small"
    more = max(1, more)
    return (
        f"about {_seeds(more)} for it and the baseline ({2 * more} complete trainings) would show it, if it "
        "stays as large"
    )


def _seeds(more: int) -> str:
    return f"{more} more seed{'s' if more > 1 else ''}"


def _failed(contest: Contest, confirmation: Confirmation) -> str:
    seeds = len(confirmation.failures) + len(confirmation.scores)
    who = "The baseline" if confirmation is contest.baseline else str(confirmation.recipe)
    cause = next(iter(confirmation.failures.values()))
    return f"{who} failed on {len(confirmation.failures)} of {seeds} seeds: {cause}"


def _apart(better: float | None, worse: float | None) -> str:
    """Write two numbers with as many digits, 3 to 6, as it takes to tell them apart."""
    if better is None or worse is None:
        return f"{_number(better)} against {_number(worse)}"
    digits = next((n for n in (3, 4, 5) if f"{better:.{n}g}" != f"{worse:.{n}g}"), 6)
    return f"{better:.{digits}g} against {worse:.{digits}g}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
