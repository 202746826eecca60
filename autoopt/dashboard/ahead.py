"""Read ahead: what the first reader of a server would have to wait for, fetched before anybody asks."""

from __future__ import annotations

import gc
import logging


def read_ahead() -> None:
    """Load the views with their libraries, and what several of them show of the study that was saved to last.

    A quarter of a million objects of libraries are then taken off the garbage collector's hands, which Streamlit calls
    after every look.
    """
    try:
        from autoopt.dashboard import data
        from autoopt.dashboard.views import PAGES  # noqa: F401  # all views, and Plotly with them

        gc.freeze()
        for study in data.names()[:1]:
            data.prepare(study)
        import autoopt.search.importance  # noqa: F401  # takes a second, and only one view needs it
    except Exception:  # whoever opens a page is told what is wrong
        logging.getLogger("autoopt.dashboard").debug("could not read ahead", exc_info=True)
