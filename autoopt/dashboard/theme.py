"""How everything looks: one accent, a colour, a mark and a dash for every optimizer, light and dark alike.

Nothing here names a background: charts are transparent, and lines are mixed from the colour of the text.
"""

from __future__ import annotations

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.lookahead import LOOKAHEAD

ACCENT = "#5b6ee1"
DIVERGED = "#e5484d"
BASELINE = "#8a8f98"
GOOD, WARN = "#1a9c6b", "#c98a10"

# From Okabe and Ito's set and its neighbours, in lightness that reads on white and on black.
_SHADES = {
    "sgd": ("#2f7fd6", "#56b4e9", "#7a9cff", "#0f6fa8"),
    "adam": ("#e8871e", "#d55e00", "#f0b429", "#b9770e", "#ff9f68", "#a8552a", "#dba04e", "#c7502f"),
    "rms": ("#009e73", "#5cbf8f", "#3f8f4f", "#8fbf3f"),
    "sign": ("#a46cd1", "#8157c9"),
    "matrix": ("#c77ddb", "#7d5ba6", "#b05cc0"),
    "schedule_free": ("#8d99a6", "#aab4bf", "#6f7b87"),
    "second_order": ("#cc6f9f", "#d693b6"),
}
_SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "star",
    "hexagon",
    "triangle-down",
    "pentagon",
)
_AROUND = f"{LOOKAHEAD}_"
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def _place(optimizer: str) -> tuple[str, int]:
    """Return the family of an optimizer and its place within it; Lookahead around one has that one's place."""
    optimizer = optimizer.removeprefix(_AROUND)
    if optimizer not in OPTIMIZERS:
        return "schedule_free", 0
    family = OPTIMIZERS[optimizer].family
    kin = [
        name for name, entry in OPTIMIZERS.items() if entry.family == family and not name.startswith(_AROUND)
    ]
    return family, kin.index(optimizer)


def color_of(optimizer: str) -> str:
    """Return the colour of an optimizer, the same in every chart."""
    family, place = _place(optimizer)
    shades = _SHADES.get(family, _SHADES["schedule_free"])
    return shades[place % len(shades)]


def symbol_of(optimizer: str) -> str:
    """Return the mark of an optimizer, different within its family; with a dot in it for Lookahead around one."""
    symbol = _SYMBOLS[_place(optimizer)[1] % len(_SYMBOLS)]
    return f"{symbol}-dot" if optimizer.startswith(_AROUND) else symbol


def dash_of(optimizer: str) -> str:
    """Return the dash of an optimizer's lines, different within its family."""
    return _DASHES[_place(optimizer)[1] % len(_DASHES)]


def title_of(optimizer: str) -> str:
    """Return an optimizer's name as people write it; one that the catalogue does not know as it is."""
    return OPTIMIZERS[optimizer].title if optimizer in OPTIMIZERS else optimizer


_LIGHT = {
    "primaryColor": ACCENT, "backgroundColor": "#ffffff", "secondaryBackgroundColor": "#f5f6f9",
    "textColor": "#1c2230", "borderColor": "#e2e5ec", "linkColor": "#4353c8",
    "sidebar.backgroundColor": "#f7f8fb",
}  # fmt: skip
_DARK = {
    "primaryColor": "#8494ff", "backgroundColor": "#12151c", "secondaryBackgroundColor": "#1b202a",
    "textColor": "#e7eaf1", "borderColor": "#2b3240", "linkColor": "#9aa7ff",
    "sidebar.backgroundColor": "#161a22",
}  # fmt: skip
OPTIONS: dict[str, object] = {
    "theme.baseRadius": "0.6rem",
    "theme.showWidgetBorder": True,
    "theme.showSidebarBorder": True,
    **{f"theme.light.{name}": value for name, value in _LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in _DARK.items()},
}
"""Options of Streamlit; a browser takes the light ones or the dark ones, as its owner likes."""

_LINE = "color-mix(in srgb, currentColor 16%, transparent)"
_SOFT = "color-mix(in srgb, currentColor 66%, transparent)"
STYLE = f"""<style>
.stMainBlockContainer {{padding-top: 3.9rem; padding-bottom: 3rem; max-width: 1240px}}
.ao-head {{margin: 0 0 .3rem}}
.ao-question {{font-size: .85rem; color: {_SOFT}; margin: 0}}
.ao-head h1 {{font-size: 1.6rem; line-height: 1.25; font-weight: 650; margin: 0; padding: .1rem 0 .2rem;
  letter-spacing: -.01em; overflow-wrap: anywhere}}
.ao-say {{margin: 0; color: {_SOFT}; overflow-wrap: anywhere}}
.ao-h {{font-size: 1.02rem; line-height: 1.35; font-weight: 600; margin: 0; padding: 0; overflow-wrap: anywhere}}
.ao-read {{font-size: .82rem; color: {_SOFT}; margin: 0; line-height: 1.4}}
.ao-card {{border: 1px solid {_LINE}; border-radius: .7rem; padding: 1.05rem 1.25rem; margin: 0}}
.ao-better {{border-left: 5px solid {GOOD}}} .ao-tie {{border-left: 5px solid {WARN}}}
.ao-worse {{border-left: 5px solid {DIVERGED}}} .ao-open {{border-left: 5px solid {ACCENT}}}
.ao-row {{display: flex; flex-wrap: wrap; gap: .3rem 1rem; justify-content: space-between; align-items: baseline}}
.ao-dot {{display: inline-block; width: .62em; height: .62em; border-radius: 50%; margin-right: .45em}}
.ao-soft {{color: {_SOFT}}}
.ao-recipe {{font-size: 1.32rem; font-weight: 640; margin: .5rem 0 .15rem; line-height: 1.3; overflow-wrap: anywhere}}
.ao-chips {{display: flex; flex-wrap: wrap; gap: .35rem; margin: .35rem 0 .1rem}}
.ao-chip {{border: 1px solid {_LINE}; border-radius: 1rem; padding: .08rem .62rem; font-size: .9rem;
  white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis}}
.ao-figures {{display: flex; flex-wrap: wrap; gap: .7rem 2.2rem; margin-top: .8rem}}
.ao-figure .l {{font-size: .8rem; color: {_SOFT}}}
.ao-figure .v {{font-size: 1.22rem; font-weight: 620; font-variant-numeric: tabular-nums}}
.ao-figure .i {{font-size: .86rem; color: {_SOFT}; font-variant-numeric: tabular-nums}}
.ao-why {{margin: .3rem 0 0; font-size: .93rem; line-height: 1.42}}
.ao-why > div {{display: flex; gap: .55rem; margin: 0 0 .5rem; padding: 0; overflow-wrap: anywhere}}
.ao-mark {{flex: none; width: 1.25em; height: 1.25em; border-radius: 50%; text-align: center; line-height: 1.2em;
  font-weight: 700; font-size: .8rem; margin-top: .15em; border: 1.5px solid currentColor}}
.ao-bar {{height: .5rem; border-radius: .3rem; overflow: hidden; margin: .7rem 0 .25rem;
  background: color-mix(in srgb, currentColor 12%, transparent)}}
.ao-bar i {{display: block; height: 100%; background: {ACCENT}; border-radius: .3rem}}
.ao-pulse {{animation: ao-pulse 1.6s ease-in-out infinite}}
@keyframes ao-pulse {{50% {{opacity: .25}}}}
.ao-mono {{font-family: "Source Code Pro", monospace; font-size: .88rem; white-space: pre-wrap;
  overflow-wrap: anywhere}}
.ao-code {{position: relative}}
.ao-code pre {{margin: 0; max-height: 15rem; overflow: auto; padding: .8rem 1rem; border-radius: .6rem;
  line-height: 1.5; background: color-mix(in srgb, currentColor 5%, transparent); color: inherit}}
.ao-code code {{font-family: "Source Code Pro", monospace; font-size: .84rem; background: none; color: inherit;
  padding: 0}}
.ao-code.ao-wrap pre {{white-space: pre-wrap; overflow-wrap: anywhere; padding-right: 5.5rem}}
.ao-code button {{position: absolute; top: .5rem; right: .9rem; font: inherit; font-size: .8rem; color: inherit;
  padding: .1rem .6rem; border: 1px solid {_LINE}; border-radius: .5rem; cursor: pointer;
  background: color-mix(in srgb, currentColor 9%, var(--st-background-color))}}
.ao-code :is(button, pre):focus-visible, [data-testid="stMain"] :is(a, button, summary, input):focus-visible {{
  outline: 2px solid {ACCENT}; outline-offset: 2px}}
.ao-code :is(.c, .c1, .cm, .ch) {{color: {_SOFT}; font-style: italic}}
.ao-code :is(.k, .kn, .kc, .ow, .kd) {{color: color-mix(in srgb, #7c3aed 72%, currentColor)}}
.ao-code :is(.s, .s1, .s2, .sd, .sa, .si, .nt) {{color: color-mix(in srgb, {GOOD} 78%, currentColor)}}
.ao-code :is(.mi, .mf, .mb, .m) {{color: color-mix(in srgb, #d97706 78%, currentColor)}}
.ao-code :is(.nf, .nc, .nd) {{color: color-mix(in srgb, {ACCENT} 80%, currentColor)}}
.ao-table {{width: 100%; border-collapse: collapse; font-size: .9rem}}
.ao-table th, .ao-table td {{text-align: left; padding: .3rem .5rem .3rem 0; vertical-align: top; border: none;
  border-bottom: 1px solid {_LINE}; font-weight: 400}}
.ao-scroll {{overflow-x: auto}}
.ao-table th {{font-weight: 600}}
.ao-facts {{display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .93rem;
  margin: 0 !important; padding: 0 !important}}
.ao-facts dt {{color: {_SOFT}; margin: 0}} .ao-facts dd {{margin: 0 !important; overflow-wrap: anywhere}}
[class*="st-key-wide-"] {{overflow-x: auto}}
@media (max-width: 640px) {{
  [class*="st-key-wide-"] :is(.ao-plot, [data-testid="stPlotlyChart"], [data-testid="stFullScreenFrame"]) {{
    min-width: 640px}}
  .stMainBlockContainer {{padding-left: .9rem; padding-right: .9rem}}
  .ao-head h1 {{font-size: 1.32rem}} .ao-recipe {{font-size: 1.12rem}} .ao-figures {{gap: .6rem 1.3rem}}
  .ao-card {{padding: .85rem .9rem}}
}}
@media print {{[data-testid="stSidebar"], header {{display: none}}}}
@media (prefers-reduced-motion: reduce) {{.ao-pulse {{animation: none}}}}
</style>"""
