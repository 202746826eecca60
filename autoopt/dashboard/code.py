"""Code: text to copy, in colours from the server; for Streamlit's own element a browser reads 1.5 MB of scripts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

import streamlit as st

from autoopt.dashboard.doors import STATIC


@cache
def _element() -> Callable[..., Any]:
    code = (STATIC / "code.js").read_text(encoding="utf-8")
    element: Callable[..., Any] = st.components.v2.component("autoopt_code", js=code, isolate_styles=False)
    return element


def draw(name: str, text: str, language: str = "") -> None:
    """Show code with a button that copies it.

    Args:
        name: key of the widget.
        language: as Pygments calls it; without one the text has one colour, and its lines wrap.
    """
    _element()(key=name, data={"text": text, "html": colored(text, language), "wraps": not language})


def colored(text: str, language: str) -> str:
    """Return code as HTML, a span around what has a kind of its own.

    >>> colored("a < 1", "python")
    '<span class="n">a</span> <span class="o">&lt;</span> <span class="mi">1</span>\\n'
    """
    if not language:
        return escape(text)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    html: str = highlight(text, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    return html
