"""Playground: how does each optimizer walk down a loss?"""

from __future__ import annotations

import streamlit as st

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.entry import Value
from autoopt.dashboard import page, readable
from autoopt.dashboard.charts.surface import draw_contours, draw_losses, draw_surface, walks_table
from autoopt.dashboard.playground.surfaces import SURFACES, Surface
from autoopt.dashboard.playground.walk import Plan, Walk, extras, good_rate, walk, walkers
from autoopt.dashboard.theme import title_of

MOST = 4
TINY = 1e-12  # of losses and distances: smaller ones are as good as none
_FIRST = ["sgd", "rmsprop", "adam"]


def draw() -> None:
    """Let optimizers walk side by side down a surface, with settings from the address."""
    top = st.container()
    names = st.multiselect("Optimizers, side by side", list(walkers()), default=_FIRST, max_selections=MOST,
                           key="walkers", bind="query-params", format_func=title_of)  # fmt: skip
    left, right = st.columns([1, 3], gap="medium")
    with left:
        name = st.selectbox("Surface", list(SURFACES), key="surface", bind="query-params",
                            format_func=lambda key: SURFACES[key].title) or "ravine"  # fmt: skip
        surface = SURFACES[name]
        st.html(f'<p class="ao-read">{surface.says}</p>')
        plans = _plans(surface, names)
    if not names:
        with top:
            page.heading("How does each optimizer walk down a loss?", "Choose an optimizer")
        return
    walks = {plan.optimizer: walk(surface, plan) for plan in plans}
    with top:
        page.heading("How does each optimizer walk down a loss?", *_answer(surface, walks))
    with right:
        _pictures(surface, walks)
        _figures(surface, walks, plans)


def _plans(surface: Surface, names: list[str]) -> list[Plan]:
    steps = st.slider("Steps", 10, 500, 150, 10, key="steps", bind="query-params")
    left, right = st.columns(2)
    x = left.number_input("Start x", float(surface.x[0]), float(surface.x[1]), float(surface.start[0]), step=0.1,
                          key=f"x-{surface.name}", bind="query-params")  # fmt: skip
    y = right.number_input("Start y", float(surface.y[0]), float(surface.y[1]), float(surface.start[1]), step=0.1,
                           key=f"y-{surface.name}", bind="query-params")  # fmt: skip
    schedule = st.selectbox("Schedule", list(SCHEDULES), key="schedule", bind="query-params",
                            format_func=lambda key: SCHEDULES[key].title) or "constant"  # fmt: skip
    clip = st.number_input("Clip the gradient's norm at", 0.0, 100.0, 0.0, 0.5, key="clip", bind="query-params",
                           help="0 does not clip.")  # fmt: skip
    seed = (
        st.number_input("Seed of the noise", 0, 999, 0, key="seed", bind="query-params")
        if surface.noise
        else 0
    )
    usual = {h.name: h.reference for h in SCHEDULES[schedule].hyperparameters} | {"warmup": 0.0}
    return [
        Plan(name, _settings(surface, name), (float(x), float(y)), int(steps), schedule, usual, clip or None, int(seed))
        for name in names
    ]  # fmt: skip


def _settings(surface: Surface, name: str) -> dict[str, Value]:
    """Let the reader set an optimizer; its rate starts at one that does well here."""
    settings: dict[str, Value] = {}
    with st.expander(title_of(name)):
        for key, usual in {"lr": _good_rate(surface.name, name), **extras(name)}.items():
            label, place = (
                key.replace("_", " "),
                f"{name}-{key}" + (f"-{surface.name}" if key == "lr" else ""),
            )
            if isinstance(usual, bool):
                settings[key] = st.checkbox(label, usual, key=place, bind="query-params")
            else:
                low = 1e-8 if key == "lr" else 0.0
                highest = 0.999999 if key.startswith(("beta", "momentum", "alpha", "rho")) else 1000.0
                settings[key] = st.number_input(label, low, highest, float(usual), format="%.4g", key=place,
                                                bind="query-params", step=float(usual) / 2 or 0.01)  # fmt: skip
    return settings


@st.cache_data(show_spinner=False)
def _good_rate(surface: str, optimizer: str) -> float:
    return good_rate(SURFACES[surface], optimizer, SURFACES[surface].start)


def _small(value: float) -> str:
    return readable.show(value) if value >= TINY else f"below {TINY:.0e}"


def _answer(surface: Surface, walks: dict[str, Walk]) -> tuple[str, str]:
    best = min(
        walks, key=lambda name: float("inf") if walks[name].diverged else float(walks[name].losses[-1])
    )
    if walks[best].diverged:
        return "All of them diverged: take lower rates", ""
    went = walks[best]
    lost = [title_of(name) for name, each in walks.items() if each.diverged]
    return (
        f"{title_of(best)} came lowest: loss {_small(float(went.losses[-1]))} after {len(went.path) - 1} steps",
        f"It ended {_small(went.distance(surface))} away from the nearest minimum."
        + (f" {' and '.join(lost)} diverged." if lost else ""),
    )  # fmt: skip


def _pictures(surface: Surface, walks: dict[str, Walk]) -> None:
    view = st.segmented_control("View", ["contours", "3-D"], default="contours", key="view", bind="query-params",
                                label_visibility="collapsed")  # fmt: skip
    table = walks_table(walks)
    if view == "3-D":
        drawn, title = draw_surface(surface, walks), f"{surface.title}, in three dimensions"
        reading = (
            "Height is the logarithm of the loss; drag to turn, scroll to come closer. A trail is a walk."
        )
    else:
        drawn, title = draw_contours(surface, walks), f"{surface.title}, from above"
        reading = (
            "Bluer is lower, crosses are minima. A trail is a walk, its large mark where it stands; Play lets them "
            "go, the slider steps."
        )
    page.figure("landscape" if view == "3-D" else "contours", title, reading, drawn, table)


def _figures(surface: Surface, walks: dict[str, Walk], plans: list[Plan]) -> None:
    page.figure("losses", "The loss on the way down", "A line is a walk; lower is better, and the axis is logarithmic "
                "where the loss spans a decade.", draw_losses(walks), walks_table(walks))  # fmt: skip
    page.table(
        ("optimizer", "lr", "steps", "loss", "distance to a minimum", "ended"),
        [(title_of(plan.optimizer), readable.show_rate(float(plan.settings["lr"])),
          str(len(walks[plan.optimizer].path) - 1), _small(float(walks[plan.optimizer].losses[-1])),
          _small(walks[plan.optimizer].distance(surface)),
          "diverged" if walks[plan.optimizer].diverged else "here") for plan in plans],
    )  # fmt: skip
