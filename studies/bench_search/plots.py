"""Pictures of the benchmark: regret against budget, and mean ranks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoopt.errors import UsageError


def draw(data: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``regret.svg``: mean regret over tasks against complete trainings, with intervals over seeds.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise UsageError(
            "pictures need matplotlib: pip install 'autoopt[bench]', or leave --plots out"
        ) from error
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bench"  # equal figures give equal files
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    methods: dict[str, list[Mapping[str, Any]]] = {}
    for cell in data["regret"]:
        methods.setdefault(cell["title"], []).append(cell)
    for number, (title, cells) in enumerate(methods.items()):
        cells.sort(key=lambda cell: cell["budget"])
        budgets = [cell["budget"] for cell in cells]
        own = cells[0]["method"] == "autoopt"
        style = {"color": "black", "linewidth": 2.5, "zorder": 9} if own else {"color": f"C{number % 10}"}
        axes.plot(budgets, [cell["regret"] for cell in cells], marker="o", markersize=4, label=title, **style)
        axes.fill_between(budgets, [cell["low"] for cell in cells], [cell["high"] for cell in cells], alpha=0.12,
                          color=style["color"], linewidth=0)  # fmt: skip
    axes.set(
        xscale="log",
        xlabel="budget, complete trainings",
        ylabel="regret on fresh seeds (1: AdamW's defaults)",
    )
    ticks = sorted({cell["budget"] for cell in data["regret"]})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncols=2)
    place = folder / "regret.svg"
    figure.savefig(place, metadata={"Date": None})
    pyplot.close(figure)
    return [place]
