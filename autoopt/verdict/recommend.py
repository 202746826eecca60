"""From confirmed finalists and a confirmed baseline to one recommendation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoopt.run import Direction
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.contest import Contest
from autoopt.verdict.notes import write_notes
from autoopt.verdict.recommendation import Reason, Recommendation, Spent


def recommend(
    *,
    study: str,
    task: str,
    objective: str,
    direction: Direction,
    finalists: Sequence[Confirmation],
    baseline: Confirmation,
    reasons: Sequence[Reason],
    spent: Spent,
    versions: Mapping[str, str],
    epochs: int | None = None,
    costs: Mapping[str, float] | None = None,
) -> Recommendation:
    """Return which recipe to use and how sure that is.

    The rule:

    1. Diverging is worst: a finalist that failed on a seed gives way to any that failed on fewer; then one
       with scores on fewer seeds (an interrupted confirmation) to one with more; one without any score,
       whatever the search saw, comes last. Those left are compared on the seeds that they share.
    2. The best mean leads. Who is behind by no more than one standard error of the difference is tied with
       the leader, unless taking it would cost the gain over the baseline or its proof. Of the tied, the one whose
       trainings cost least (``costs``) is chosen, of those the simplest (``simplicity``), and of equally simple ones
       that with the better mean.
    3. The gain over the baseline is the mean paired difference. Its interval has confidence 1 − 0.05/F, F being
       the finalists that went beyond one seed, since the best of them was picked on the same seeds: so the chance
       to claim a gain where all are equal stays below 5 %. All above zero: ``better``; else ``tie``: the finalist
       is still recommended, and the notes say what would settle it.
    4. The baseline is recommended, as a ``tie``, where its mean is the best or equal, or where it failed on
       fewer seeds than every finalist. Where it failed on every one of at least three seeds, and the chosen
       one on none, the verdict is ``better`` without a gain in numbers.

    ``worse`` is never the answer, as the baseline is recommended instead.

    Raises:
        StudyFailed: neither a finalist nor the baseline has any score; says the first cause.
    """
    contest = Contest.between(finalists, baseline, direction, costs)
    chosen, leader = contest.choose()
    gain = contest.gain(chosen)
    others = [rival for rival in contest.rivals if rival is not chosen]
    return Recommendation(
        study=study,
        task=task,
        objective=objective,
        direction=direction,
        chosen=chosen,
        baseline=baseline,
        gain=None if gain is None else gain.interval,
        relative_gain=contest.relative_gain(chosen),
        chance_best=contest.chance_best(chosen),
        verdict=contest.verdict(chosen),
        runners_up=tuple(sorted(others, key=contest.order)),
        reasons=tuple(reasons),
        spent=spent,
        epochs=epochs,
        versions=dict(versions),
        costs=dict(costs or {}),
        notes=tuple(write_notes(contest, chosen, leader)),
    )
