"""What the views show, read from the records and kept until the study changes.

What was read is kept under the ``stamp`` of its study, which moves with each saving; so the database is asked again
only when there is something new. Values are shared between sessions: nobody changes them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from autoopt.dashboard import atwork
from autoopt.dashboard.atwork import Seen
from autoopt.dashboard.server import STORAGE
from autoopt.errors import UsageError
from autoopt.records.endings import Ending, Way, read_endings, read_ways
from autoopt.records.location import shown_url
from autoopt.records.margin import Label, Margin, SittingRecord
from autoopt.records.overview import Level, Overview, Tally, Wanted
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord, StudySummary
from autoopt.run import Direction, EpochReport, Purpose, RunRecord
from autoopt.search.fidelity import rungs_of
from autoopt.verdict.comparison import compare_optimizers
from autoopt.verdict.figures import Comparison
from autoopt.verdict.recommendation import Recommendation

MOST_COMPARED = 400  # trials whose epochs are read to compare optimizers
LARGE = 3000  # trials, from which on a running study is read anew only now and then
EVERY_SECONDS = 30
MOST_EPOCHS = 60_000  # so many in all, and the search is shown epoch by epoch
MOST_ENDINGS = 6


def storage() -> str:
    """Return the URL of the database that the server was started with."""
    return os.environ.get(STORAGE, "autoopt.db")


def shown_storage() -> str:
    """Return the database as a person may see it, without passwords."""
    return shown_url(overview().store.url)


@st.cache_resource(max_entries=4, show_spinner=False)
def _opened(url: str) -> Overview:
    return Overview(Store.open(url, readonly=True))


def overview() -> Overview:
    """Return the reader of the database, opened once for all sessions."""
    return _opened(storage())


def names() -> list[str]:
    """Return the names of all studies, the last one saved to first."""
    return overview().names()


def summaries() -> list[StudySummary]:
    """Return all studies with their totals, the last one saved to first."""
    return overview().store.studies()


def verdicts() -> dict[str, Recommendation | UsageError]:
    """Return the newest verdict of every study that has one, or what is wrong with it."""
    return {name: _verdict(document) for name, document in overview().verdicts().items()}


def _verdict(document: dict[str, Any]) -> Recommendation | UsageError:
    try:
        return Recommendation.from_dict(document)
    except UsageError as error:
        return error


def prepare(study: str) -> None:
    """Read what several views show of a study, its verdict last, which may be unreadable."""
    for read in (summary, tallies, ways, endings, levels, first_scores, comparison, verdict):
        read(study)


def _large_stamp(study: str) -> str:
    """Return the stamp for what takes long to read: of a large running study it moves every half a minute only."""
    stamp, found = overview().stamp(study), summary(study)
    if found.study.state != "running" or sum(found.runs.values()) < LARGE:
        return stamp
    return f"{stamp.split()[0]} {time.time() // EVERY_SECONDS}"


def summary(study: str) -> StudySummary:
    """Return one study with its totals."""
    found: StudySummary = _small(storage(), study, overview().stamp(study), "summary")
    return found


def verdict(study: str) -> Recommendation | None:
    """Return the newest verdict of a study, ``None`` before the first.

    Raises:
        UsageError: it cannot be read.
    """
    found: Recommendation | None = _small(storage(), study, overview().stamp(study), "verdict")
    return found


def tallies(study: str) -> list[Tally]:
    """Return the runs of a study counted by optimizer, purpose and state."""
    found: list[Tally] = _small(storage(), study, overview().stamp(study), "tallies")
    return found


def ways(study: str) -> list[Way]:
    """Return how far the trials of the search came."""
    found: list[Way] = _small(storage(), study, overview().stamp(study), "ways")
    return found


def endings(study: str) -> list[Ending]:
    """Return why most trials that ended early did so, the most frequent note first."""
    found: list[Ending] = _small(storage(), study, overview().stamp(study), "endings", MOST_ENDINGS)
    return found


def sitting(study: str) -> SittingRecord | None:
    """Return what the last sitting of a study set out with, if that is known."""
    found: SittingRecord | None = _small(storage(), study, overview().stamp(study), "sitting")
    return found


def crew(study: str) -> list[Seen] | None:
    """Return who is at work on a study; ``None`` where the database does not tell."""
    return atwork.look(overview().store, study)


def labels() -> dict[str, Label]:
    """Return the notes and tags of all studies that have some."""
    return Margin(overview().store).labels()


def write_label(study: str, label: Label) -> None:
    """Keep a note and tags, the one thing that is ever written from here.

    Raises:
        StorageError: the database cannot be written to.
    """
    with Store.open(storage()) as store:
        Margin(store).write_label(study, label)


def range_tests(study: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the newest range test of every optimizer that is kept with a study: recipe and test as plain data."""
    return Margin(overview().store).range_tests(study)


def page(study: str, wanted: Wanted, offset: int, limit: int) -> list[RunRecord]:
    """Return a page of the runs that are wanted."""
    found: list[RunRecord] = _small(storage(), study, overview().stamp(study), "page", wanted, offset, limit)
    return found


def count(study: str, wanted: Wanted) -> int:
    """Return how many runs are wanted."""
    found: int = _small(storage(), study, overview().stamp(study), "count", wanted)
    return found


def levels(study: str) -> list[Level]:
    """Return the cohorts of the search at every epoch, of a large study at its rungs and its end."""
    found_summary = summary(study)
    last = found_summary.study.epochs
    every = found_summary.spent_epochs <= MOST_EPOCHS
    epochs = tuple(range(1, last + 1)) if every else (*rungs_of(last), last)
    found: list[Level] = _large(storage(), study, _large_stamp(study), "levels", epochs)
    return found


def trials(study: str) -> pd.DataFrame:
    """Return the runs of the search, a row each, without what makes rows large."""
    return _large(storage(), study, _large_stamp(study), "trials")


def first_look(record: StudyRecord) -> int:
    """Return the epoch at which the search looks first, where all trials compare."""
    rungs = rungs_of(record.epochs)
    return rungs[0] if rungs else record.epochs


def first_scores(study: str) -> pd.DataFrame:
    """Return ``trials`` with their scores at the first look as ``y``, NaN where a trial did not come so far."""
    return _large(storage(), study, _large_stamp(study), "first_scores")


def comparison(study: str) -> Comparison:
    """Return the optimizers side by side; of a large study from its best trials and a sample of the others."""
    found: Comparison = _small(storage(), study, _large_stamp(study), "comparison")
    return found


def curves(study: str, run_ids: Sequence[int]) -> dict[int, list[EpochReport]]:
    """Return what the epochs of some runs showed."""
    found: dict[int, list[EpochReport]] = _large(
        storage(), study, overview().stamp(study), "curves", tuple(run_ids)
    )
    return found


def _read_summary(reader: Overview, study: str) -> StudySummary:
    return next(each for each in reader.store.studies() if each.study.name == study)


def _read_verdict(reader: Overview, study: str) -> Recommendation | None:
    document = reader.store.verdict(study)
    return None if document is None else Recommendation.from_dict(document)


def _read_trials(reader: Overview, study: str) -> pd.DataFrame:
    kinds = dict.fromkeys(("optimizer", "schedule", "state", "purpose"), "category")
    numbers = dict.fromkeys(
        ("score", "lr", "momentum", "weight_decay", "beta1", "beta2", "batch_size", "warmup"), float
    )
    return pd.DataFrame(reader.columns(study, (Purpose.SEARCH,))).astype({**kinds, **numbers})


def _read_first_scores(reader: Overview, study: str) -> pd.DataFrame:
    trials = _large(reader.store.url, study, _large_stamp(study), "trials")
    scores = reader.scores_at(study, first_look(summary(study).study))
    return trials.assign(y=trials["id"].map(scores).astype(float))


def _read_comparison(reader: Overview, study: str) -> Comparison:
    found = reader.store.study(study)
    direction: Direction = "minimize" if found is None else found.direction
    trials: pd.DataFrame = _large(reader.store.url, study, _large_stamp(study), "trials")
    worst = np.inf if direction == "minimize" else -np.inf
    wanted = thin(trials.assign(score=trials["score"].fillna(worst)), MOST_COMPARED, direction)["id"].tolist()
    fresh = Wanted(purposes=(Purpose.CONFIRM, Purpose.BASELINE), order="id")
    records = [*reader.runs(study, wanted), *reader.page(study, fresh, 0, MOST_COMPARED)]
    reports = reader.store.reports(study, [record.run.id for record in records])
    return compare_optimizers(records, reports, direction)


def thin(trials: pd.DataFrame, most: int, direction: Direction, by: str = "score") -> pd.DataFrame:
    """Return at most so many trials: of every optimizer the best and an even sample of the others, by id."""
    if len(trials) <= most:
        return trials
    share = max(10, most // max(1, trials["optimizer"].nunique()))
    ordered = trials.sort_values(by, ascending=direction == "minimize", kind="stable")
    place = ordered.groupby("optimizer", observed=True).cumcount()
    size = ordered.groupby("optimizer", observed=True)["id"].transform("size")
    best = place < share // 3
    others = share - share // 3
    step = ((size - share // 3) / others).clip(lower=1)
    after = place - share // 3
    sampled = ~best & ((after / step).astype(int) > ((after - 1) / step).astype(int))
    return ordered[best | sampled].sort_values("id")


_READERS: dict[str, Callable[..., Any]] = {
    "summary": _read_summary,
    "verdict": _read_verdict,
    "trials": _read_trials,
    "comparison": _read_comparison,
    "first_scores": _read_first_scores,
    "sitting": lambda reader, study: Margin(reader.store).sitting(study),
    "tallies": Overview.tallies,
    "ways": lambda reader, study: read_ways(reader.store, study),
    "endings": lambda reader, study, most: read_endings(reader.store, study, most),
    "page": Overview.page,
    "count": Overview.count,
    "levels": Overview.levels,
    "curves": lambda reader, study, run_ids: reader.store.reports(study, run_ids),
}


# The stamp is part of what is asked, so that a study that has changed is read anew.
@st.cache_resource(max_entries=64, show_spinner=False)
def _small(url: str, study: str, stamp: str, what: str, *arguments: Any) -> Any:  # noqa: ARG001
    return _READERS[what](_opened(url), study, *arguments)


@st.cache_resource(max_entries=8, show_spinner=False)
def _large(url: str, study: str, stamp: str, what: str, *arguments: Any) -> Any:  # noqa: ARG001
    return _READERS[what](_opened(url), study, *arguments)
