"""Importance: which settings mattered?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from autoopt.catalogue import OPTIMIZERS
from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.pairs import draw_pairs, interactions
from autoopt.dashboard.charts.weights import draw_importance, draw_parallel, draw_slices
from autoopt.dashboard.theme import title_of
from autoopt.records.study import StudyRecord
from autoopt.run import Direction

if TYPE_CHECKING:
    from autoopt.search.importance import Method

_ALL = "all optimizers"
_NAMES = {"lr": "learning rate", "weight_decay": "weight decay", "batch_size": "batch size", "beta1": "1 − beta1",
          "beta2": "1 − beta2", "momentum": "1 − momentum"}  # fmt: skip
_MOST: dict[Method, int] = {"PED-ANOVA": 600, "fANOVA": 150}  # trials judged, the best and an even sample
_LOOKS = ["each setting", "pairs of settings", "all at once"]
MOST_DRAWN = 240  # trials in a picture, each with a mark in every panel
FEWEST_OTHERS, OTHERS = 3, 0.05  # trials, and share of them, that must differ from the most frequent value
NOTABLE = 0.03  # of the order of trials: a smaller share is told as none
RATE = "rate, × best guess"


def draw(study: str) -> None:
    """Show which settings the scores depend on, over all optimizers or within one of them."""
    from autoopt.search.importance import FEWEST  # brings Optuna and scikit-learn, for this view alone

    record, trials = data.summary(study).study, data.first_scores(study)
    first = data.first_look(record)
    trials = trials[trials["y"].notna() & (trials["state"] != "failed")]
    if len(trials) < FEWEST:
        page.heading("Which settings mattered?", "Too few trials to say")
        page.nothing(f"{readable.counted(len(trials), 'trial')} came to the first look; {FEWEST} are needed.",
                     f"Carry on with 'autoopt resume {study}', with a larger --budget.")  # fmt: skip
        return
    top = st.container()
    counts = trials["optimizer"].value_counts()
    enough = [str(name) for name in counts.index if counts[name] >= FEWEST]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        of = st.selectbox(
            "Of", [_ALL, *enough], key="within", bind="query-params", format_func=title_of, width=220
        )
        method = st.segmented_control("By", list(_MOST), default="PED-ANOVA", key="by", bind="query-params",
                                      help="PED-ANOVA: what sets the best tenth apart. fANOVA: where the variance "
                                      "comes from; it takes some seconds.")  # fmt: skip
    of, method = of or _ALL, method or "PED-ANOVA"
    own = trials if of == _ALL else trials[trials["optimizer"] == of]
    thinned = data.thin(own, _MOST[method], record.direction, by="y")
    table = settings_table(thinned, whole=of == _ALL)
    shares = _shares(table, record.direction, method)
    with top:
        judged = f"From {readable.counted(len(thinned), 'trial')} of {readable.grouped(len(own))}"
        when = f"by their {record.objective} after {readable.counted(first, 'epoch')}, where all compare"
        page.heading("Which settings mattered?", _answer(shares, of), f"{judged}, {when}.")
    if not shares:
        page.nothing("Nothing differs between these trials.", "Choose all optimizers.")
        return
    _pictures(table.assign(optimizer=thinned["optimizer"].astype(str).to_numpy()), shares, record)


def _pictures(table: pd.DataFrame, shares: dict[str, float], record: StudyRecord) -> None:
    ordered, objective, direction = list(shares), record.objective, record.direction
    page.figure("importance", "Share of each setting in how the scores differ",
                "A longer bar matters more; the shares add up to 100 %. What nearly all trials share is left out.",
                draw_importance(shares), pd.DataFrame(list(shares.items()), columns=["setting", "share"]))  # fmt: skip
    look = st.segmented_control("Look at", _LOOKS, default=_LOOKS[0], key="look", bind="query-params",
                                label_visibility="collapsed")  # fmt: skip
    if look == "pairs of settings":
        _pairs(table, ordered, objective, direction)
    elif look == "all at once":
        drawn = data.thin(table, MOST_DRAWN, direction, by="y")
        page.figure("parallel", "All settings at once",
                    "A line is a trial; bluer is better. Drag along an axis to keep the lines that pass there.",
                    draw_parallel(drawn, ordered[:7], objective, direction), table, wide=True)  # fmt: skip
    else:
        drawn = data.thin(table, MOST_DRAWN, direction, by="y")
        page.figure("slices", f"The {objective} along each setting",
                    "A mark is a trial in the colour of its optimizer; the axis leaves the worst out.",
                    draw_slices(drawn, ordered[:6], objective, direction), table, wide=True)  # fmt: skip


def _pairs(table: pd.DataFrame, ordered: list[str], objective: str, direction: Direction) -> None:
    found = interactions(table, ordered[:6])
    if found.empty:
        page.nothing("Too few trials to look at pairs.", "Choose all optimizers, or come back later.")
        return
    top = found.iloc[0]
    strong = top["share"] >= NOTABLE
    title = (
        f"{top['first'].capitalize()} and {top['second']} act together: "
        f"{readable.show_percent(top['share'])} of the order of trials"
        if strong
        else "No pair of settings acts together beyond what each does alone"
    )
    page.figure(
        "pairs", title, f"A field is the median {objective} of the trials in it; greener is better. Where rows differ "
        "in which column is best, the two must be tuned together. Share: of the order of trials that a pair explains "
        "beyond the sum of both (two-way analysis of variance of ranks).",
        draw_pairs(table, [(row.first, row.second) for row in found.head(2).itertuples()], objective, direction), found,
        wide=True,
    )  # fmt: skip


@st.cache_data(max_entries=32, show_spinner="Growing a forest …")
def _shares(table: pd.DataFrame, direction: Direction, method: Method) -> dict[str, float]:
    from autoopt.search.importance import importance

    names = [column for column in table.columns if column not in ("id", "y")]
    enough = max(FEWEST_OTHERS, OTHERS * len(table))
    judged = [name for name in names if table[name].notna().all()
              and len(table) - table[name].value_counts().max() >= enough]  # fmt: skip
    return importance(table[judged].to_dict("records"), table["y"].tolist(), direction, method)


def settings_table(trials: pd.DataFrame, *, whole: bool) -> pd.DataFrame:
    """Return the settings that can be judged, a column each, beside ``id`` and ``y``.

    Args:
        whole: over all optimizers, whose rates compare only as multiples of their best guess.
    """
    table = trials[["id", "y", "schedule", "warmup", "batch_size", "weight_decay"]].copy()
    table["schedule"] = table["schedule"].astype(str)
    table["warmup"] = table["warmup"].fillna(0.0)
    if whole:
        table["optimizer"] = trials["optimizer"].astype(str)
        guesses = {name: float(entry.hyperparameter("lr").reference) for name, entry in OPTIMIZERS.items()}
        momentum = trials["momentum"].fillna(0.0).where(trials["optimizer"].astype(str) == "sgd", 0.0)
        table[RATE] = (
            trials["lr"] / (1 - momentum) / trials["optimizer"].astype(str).map(guesses).astype(float)
        )
    else:
        table["lr"] = trials["lr"]
        for name in ("momentum", "beta1", "beta2"):
            table[name] = 1 - trials[name]
    return table.rename(columns=_NAMES).reset_index(drop=True)


def _answer(shares: dict[str, float], of: str) -> str:
    if not shares:
        return "Nothing differs"
    (first, share), *rest = ((name.partition(",")[0], share) for name, share in shares.items())
    within = "" if of == _ALL else f" for {title_of(of)}"
    second = f", then the {rest[0][0]} ({readable.show_percent(rest[0][1])})" if rest else ""
    return f"The {first} mattered most{within} ({readable.show_percent(share)}){second}"
