"""The script that Streamlit runs for every look: which pages there are, and which study they are about."""

from __future__ import annotations

from html import escape

import streamlit as st

from autoopt.dashboard import data, page, plot
from autoopt.dashboard.doors import STATIC
from autoopt.dashboard.theme import STYLE
from autoopt.dashboard.views import PAGES


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="autoopt", page_icon=STATIC / "icon.png", layout="wide")
    st.html(STYLE)
    chosen = st.navigation(
        {section: [view.page for view in views] for section, views in PAGES.items()}, expanded=True
    )
    with page.guarded():
        choose_study()
    with page.guarded():
        chosen.run()


def choose_study() -> None:
    """Let the reader choose a study, for all pages about one; the address holds it."""
    with st.sidebar:
        names = data.names()
        if names:
            st.selectbox("Study", names, index=None, key="study", bind="query-params", on_change=plot.forget_zooms,
                         placeholder="Choose a study", help="All pages but Studies are about this one.")  # fmt: skip
        st.html(
            f'<p class="ao-read">{escape(data.shown_storage())}<br>reads only, but for notes and tags</p>'
        )


if __name__ == "__main__":
    main()
