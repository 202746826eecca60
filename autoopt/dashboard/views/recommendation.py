"""Recommendation: what should be trained with, and how sure is that?"""

from __future__ import annotations

from html import escape

import streamlit as st

from autoopt.dashboard import code, data, page, readable, wording
from autoopt.dashboard.answer import card, reasons
from autoopt.dashboard.charts.finalists import draw_finalists, finalists_table
from autoopt.dashboard.theme import title_of
from autoopt.errors import SpaceError, StorageError, UsageError
from autoopt.export import WRITERS
from autoopt.records.margin import MOST_CHARACTERS, Label
from autoopt.records.study import StudySummary
from autoopt.run import Purpose, RunState
from autoopt.verdict.recommendation import Recommendation

_TITLES = {"pytorch": "PyTorch", "lightning": "Lightning", "transformers": "Transformers", "keras": "Keras",
           "skorch": "skorch", "optax": "Optax (JAX)", "json": "JSON", "yaml": "YAML"}  # fmt: skip
_ENDINGS = {"json": ("json", "application/json"), "yaml": ("yaml", "application/yaml")}
_TIE_RULE = (
    "The best mean leads. A finalist that is behind by no more than one standard error of the difference ties with it, "
    "and of those that tie the simplest and cheapest one is recommended, unless that would cost the gain over the "
    "baseline or its proof. A gain is claimed only where its whole 95 % interval lies above zero; the interval is "
    "widened for having picked the best of several finalists, so that a gain is claimed wrongly in fewer than 5 % of "
    "studies. Where nothing beats the baseline, the baseline is recommended."
)


def draw(study: str) -> None:
    """Show the verdict of a study, or how far it has come on the way to one."""
    summary = data.summary(study)
    try:
        verdict = data.verdict(study)
    except UsageError as error:
        page.heading("What should I train with?", "The answer was written down, but cannot be read")
        page.nothing(f"{error}.", f"'autoopt resume {study}' works it out anew from what is recorded.")
        return
    if verdict is None:
        _without_verdict(summary)
        return
    page.heading("What should I train with?", wording.answer(verdict))
    st.html(card(verdict, page.state_line(summary)))
    _label(study)
    _code(verdict)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        better = "left" if verdict.direction == "minimize" else "right"
        page.figure(
            "finalists", _finalists_statement(verdict),
            "A dot is a complete training on a fresh seed, the tick their mean, the bar its 95 % interval; further "
            f"{better} is better.",
            draw_finalists(verdict), finalists_table(verdict),
        )  # fmt: skip
        _surer(verdict)
    with right, st.container(border=True):
        page.subheading("Why, and what to take care of")
        st.html(reasons(verdict))
    with st.expander("How the winner was chosen, and what it cost"):
        st.html(f'<p class="ao-say">{escape(_TIE_RULE)}</p>')
        page.facts(_facts(verdict, summary))


@st.fragment
def _label(study: str) -> None:
    """Show the note and the tags of a study, and let the reader change them."""
    label = data.labels().get(study, Label())
    chips = "".join(f'<span class="ao-chip">{escape(tag)}</span>' for tag in label.tags)
    note = f'<span class="ao-soft">{escape(label.note)}</span>' if label.note else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if label != Label():
            st.html(f'<div class="ao-chips" style="margin:0; align-items:center">{chips}{note}</div>')
        words = "Change" if label != Label() else "Add a note or tags"
        with st.popover(words, icon=":material/edit_note:", type="tertiary"), st.form("label", border=False):
            text = st.text_area("Note", label.note, max_chars=MOST_CHARACTERS)
            tags = st.text_input("Tags, with commas between them", ", ".join(label.tags))
            if st.form_submit_button("Save", type="primary"):
                try:
                    data.write_label(study, Label(text.strip(), tuple(tags.split(","))))
                except StorageError as error:
                    st.error(page.plain(error))
                else:
                    st.rerun(scope="fragment")


@st.fragment
def _code(verdict: Recommendation) -> None:
    """Offer the answer in every format; one is written when its tab is opened."""
    titles = [_TITLES.get(name, name) for name in WRITERS]
    tabs = st.tabs(titles, key="code", on_change="rerun", bind="query-params")
    for tab, name in zip(tabs, WRITERS, strict=True):
        if not tab.open:
            continue
        with tab:
            try:
                text = WRITERS[name](verdict)
            except SpaceError as refusal:  # a library that has the optimizer not, or otherwise
                st.info(page.plain(str(refusal)))
                continue
            ending, kind = _ENDINGS.get(name, ("py", "text/x-python"))
            code.draw(f"code-{name}", text, "python" if ending == "py" else ending)
            st.download_button(f"Download {ending}", text, f"{name}_{verdict.recipe.optimizer}.{ending}", kind,
                               key=f"download-{name}", icon=":material/download:", on_click="ignore")  # fmt: skip


def _finalists_statement(verdict: Recommendation) -> str:
    seeds = len(verdict.chosen.scores)
    if not seeds:
        return "No finalist has been confirmed"
    finalists = len(finalists_table(verdict)["finalist"].unique()) - 1
    if not finalists:
        return f"The baseline on {readable.counted(seeds, 'fresh seed')}"
    return f"{readable.counted(finalists, 'finalist')} and the baseline on {readable.counted(seeds, 'fresh seed')}"


def _surer(verdict: Recommendation) -> None:
    if verdict.notes:
        with st.container(border=True):
            page.subheading("What else to know, and what would make it surer")
            st.html(
                "".join(f'<p class="ao-say" style="margin-top:.35rem">{escape(n)}</p>' for n in verdict.notes)
            )


def _facts(verdict: Recommendation, summary: StudySummary) -> list[tuple[str, str]]:
    spent = verdict.spent
    return [
        ("search", f"{readable.show(spent.search_runs)} runs"),
        ("confirmation", f"{readable.show(spent.confirm_runs)} runs"),
        ("time", readable.show_duration(spent.seconds)),
        ("a run", readable.counted(summary.study.epochs, "epoch")),
        ("task", f"{summary.study.task} ({summary.study.source or 'from Python'})"),
        ("software", ", ".join(f"{name} {version}" for name, version in verdict.versions.items())),
    ]


def _without_verdict(summary: StudySummary) -> None:
    study = summary.study
    tallies = data.tallies(study.name)
    searched = [t for t in tallies if t.purpose is Purpose.SEARCH and t.state is not RunState.DIVERGED]
    values = [(t.lowest if study.direction == "minimize" else t.highest, t.optimizer) for t in searched]
    found = [(value, name) for value, name in values if value is not None]
    if not tallies:
        page.heading("What should I train with?", "Nothing is trained yet")
        page.nothing("This study has no runs.", f"Carry on with 'autoopt resume {study.name}'.")
        return
    best = (min if study.direction == "minimize" else max)(found, default=None)
    leader = (
        f"{title_of(best[1])} leads with {study.objective} {readable.show(best[0])}"
        if best
        else "no score yet"
    )
    page.heading(
        "What should I train with?", f"Not known yet: {leader}",
        "What leads a search is luckier than it is good; the verdict comes after the finalists and the baseline were "
        "trained on fresh seeds.",
    )  # fmt: skip
    failures = [t for t in tallies if t.state is RunState.FAILED]
    st.html(f'<div class="ao-card ao-open">{page.state_line(summary)}{page.progress_bar(summary)}'
            '<div class="ao-figures">'
            + "".join(f'<div class="ao-figure"><div class="l">{label}</div><div class="v">{value}</div></div>'
                      for label, value in (
                          ("trials so far", sum(t.runs for t in tallies if t.purpose is Purpose.SEARCH)),
                          ("spent", f"{readable.show(summary.spent_runs)} runs"),
                          ("training time", readable.show_duration(summary.seconds)),
                          ("failed", sum(t.runs for t in failures))))
            + "</div></div>")  # fmt: skip
    _label(study.name)
    if study.state != "running":
        page.nothing("The study ended before a verdict.", f"Carry on with 'autoopt resume {study.name}'.")
