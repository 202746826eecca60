"""The views: one module each, one question each. ``PAGES`` is what the navigation shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from autoopt.dashboard import data, page
from autoopt.dashboard.views import (
    compare,
    curves,
    guidance,
    importance,
    optimizers,
    playground,
    rate,
    recommendation,
    search,
    studies,
    trials,
)


@dataclass(frozen=True)
class View:
    """A page: its name in the navigation, its place in the address, its icon, and what draws it."""

    title: str
    path: str
    icon: str
    draw: Callable[..., None]
    of_a_study: bool = True

    @cached_property
    def page(self) -> Any:
        """The page as Streamlit's navigation takes it."""
        return st.Page(self.run, title=self.title, url_path=self.path, icon=f":material/{self.icon}:",
                       default=self.path == "studies")  # fmt: skip

    def run(self) -> None:
        """Draw the page, for the study that the address names."""
        if not self.of_a_study:
            self.draw()
            return
        known = data.names()
        study = st.session_state.get("study") or (known[0] if len(known) == 1 else None)
        if study is None:
            which = "Choose a study on the left, or open one from Studies."
            page.nothing("No study is chosen.", which if known else "Begin with 'autoopt tune TASK'.")
            return
        page.live(study, self.draw)


PAGES: dict[str, list[View]] = {
    "": [
        View("Studies", "studies", "list", studies.draw, of_a_study=False),
        View("Compare studies", "compare", "compare", compare.draw, of_a_study=False),
    ],
    "The study": [
        View("Recommendation", "recommendation", "verified", recommendation.draw),
        View("Search", "search", "query_stats", search.draw),
        View("Optimizers compared", "optimizers", "leaderboard", optimizers.draw),
        View("Learning rate", "rate", "speed", rate.draw),
        View("Curves", "curves", "show_chart", curves.draw),
        View("Importance", "importance", "bar_chart", importance.draw),
        View("Trials", "trials", "table_rows", trials.draw),
    ],
    "To learn": [
        View("Playground", "playground", "landscape", playground.draw, of_a_study=False),
        View("Guidance", "guidance", "menu_book", guidance.draw, of_a_study=False),
    ],
}


def view_at(path: str) -> View:
    """Return the view with that place in the address."""
    return next(view for views in PAGES.values() for view in views if view.path == path)


def page_at(path: str) -> Any:
    """Return the page with that place in the address, for links."""
    return view_at(path).page
