"""Bundle: Plotly's own script, as the installed package ships it, for pages and for reports.

It holds forty kinds of traces, maps among them, and setting all of them up takes a browser 0.7 s of every first page;
lines, marks and bars, which nearly all figures are, take a tenth of that. So the list of kinds that the script ends
with is cut in two: the first kind after those of the core, bars, is set up at once, and all others when a figure asks
for them (``Plotly.others``, which ``static/plot.js`` calls). A script whose list is not found is served as it is.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

_LIST = re.compile(r"\.register\(\[([\w$]+\(\)),((?:[\w$]+\(\),?)+)\]\)")
_NAME = re.compile(r"[\w$]+$")


def put_off(script: str) -> str:
    """Return Plotly's script such that it sets up only the first of its list of kinds; the others with ``others()``.

    >>> put_off("var P=core();P.register([bar(),box(),map()]);return P")
    'var P=core();(P.others=()=>P.register([box(),map()]),P.register([bar()]));return P'
    >>> put_off("of another make")
    'of another make'
    """
    found = list(_LIST.finditer(script))
    name = _NAME.search(script, max(0, found[0].start() - 50), found[0].start()) if len(found) == 1 else None
    if name is None:
        return script
    first, others = found[0].groups()
    cut = f"({name[0]}.others=()=>{name[0]}.register([{others}]),{name[0]}.register([{first}]))"
    return script[: name.start()] + cut + script[found[0].end() :]


def whole() -> str:
    """Return Plotly's script as the installed package ships it."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@cache
def served() -> bytes:
    """Return the script that pages are given."""
    return put_off(whole()).encode()


@cache
def place() -> str:
    """Return where pages find it: a path that changes with what is in it, so that browsers may keep it for good."""
    return f"/ao/plotly-{sha256(served()).hexdigest()[:12]}.js"
