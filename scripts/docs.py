"""Build the documentation as a site: README and guides, a page for each entry of the catalogue, the reference."""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from latex2mathml.converter import convert
from mkdocs.commands.build import build
from mkdocs.config import load_config

import autoopt
from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import OptimizerEntry, ScheduleEntry
from autoopt.cli.explain import facts_of, meaning_of
from autoopt.cli.listing import show_range, show_value
from autoopt.guidance.load import load_rules

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".github/SECURITY.md")
ABOUT = ("CONTRIBUTING.md", "CHANGELOG.md", ".github/SECURITY.md", "studies/README.md", "studies/methods.md")
FAMILIES = {"sgd": "Gradient descent", "adam": "Adam and its kin", "rms": "Adaptive rates", "sign": "Signs",
            "matrix": "Matrices", "schedule_free": "Without a schedule", "second_order": "Second order"}  # fmt: skip


def main() -> None:
    """Read the command line, write the pages, and build the site from them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    target = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder)
        nav = write_pages(pages)
        options = yaml.safe_load((ROOT / "scripts" / "docs.yml").read_text(encoding="utf-8"))
        options["nav"] += nav
        file = pages.with_suffix(".yml")
        try:
            file.write_text(
                yaml.safe_dump(options | {"docs_dir": folder, "site_dir": str(target)}), encoding="utf-8"
            )
            build(load_config(str(file), strict=True))
        finally:
            file.unlink()
    print(target / "index.html")


def write_pages(folder: Path) -> list[dict[str, Any]]:
    """Write all pages into a folder, laid out as the links between them want it; return what the menu lacks."""
    for name in PAGES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "studies", folder / "studies", ignore=shutil.ignore_patterns("__pycache__", "*.db*")
    )
    for guide in (folder / "README.md", *folder.glob("studies/**/*.md")):
        text = guide.read_text(encoding="utf-8")
        guide.write_text(re.sub(r"^```\n(?=(?:autoopt|scripts/|python|OMP_))", "```sh\n", text, flags=re.MULTILINE),
                         encoding="utf-8")  # fmt: skip
    (folder / "catalogue").mkdir()
    (folder / "reference").mkdir()
    for entry in (*OPTIMIZERS.values(), *SCHEDULES.values()):
        (folder / "catalogue" / f"{entry.name}.md").write_text(page_of(entry), encoding="utf-8")
    for name, page in reference():
        (folder / "reference" / f"{name}.md").write_text(page, encoding="utf-8")
    families = {title: [f"catalogue/{e.name}.md" for e in OPTIMIZERS.values() if e.family == family]
                for family, title in FAMILIES.items()}  # fmt: skip
    return [
        {"Optimizers": [{title: pages} for title, pages in families.items() if pages]},
        {"Schedules": [f"catalogue/{name}.md" for name in SCHEDULES]},
        {"Python": [f"reference/{name}.md" for name, _ in reference()]},
        {"About": list(ABOUT)},
    ]


def page_of(entry: OptimizerEntry | ScheduleEntry) -> str:
    """Return the page of an optimizer or a schedule: all that the catalogue and the rules know of it."""
    is_optimizer = isinstance(entry, OptimizerEntry)
    lines = [f"# {entry.title}", "", f"`{entry.name}`{alias_of(entry)}", "", entry.says, "", "## Formula", "",
             *(convert(step, display="block") + "\n" for step in entry.formula.split(r", \quad "))]  # fmt: skip
    lines += ["## What is searched", "", *table(
        ("setting", "searched", "best guess", "what it does, and where the range comes from"),
        ((f"`{h.name}`", show_range(h), show_value(h.reference), meaning_of(entry, h)) for h in entry.hyperparameters),
    )] if entry.hyperparameters else []  # fmt: skip
    lines += ["## When", "", *table(("what", "is so"), facts_of(entry))]
    if is_optimizer:
        spoken = [rule for rule in load_rules() if entry.name in (*rule.favours, *rule.over)]
        lines += [f"- {rule.says} ({rule.source})" for rule in spoken]
        if spoken:
            lines += [
                "",
                "`autoopt audit STUDY` holds these rules of the documents against what a study measured.",
                "",
            ]
    option = f"--{'optimizers' if is_optimizer else 'schedules'} {entry.name}"
    lines += [
        "## Try it",
        "",
        "```sh",
        f"autoopt explain {entry.name}",
        f"autoopt tune task.py {option}",
        "```",
        "",
    ]
    lines += ["## References", "", *(f"- {reference}" for reference in entry.references)]
    return "\n".join(lines) + "\n"


def alias_of(entry: OptimizerEntry | ScheduleEntry) -> str:
    """Return under which name a library has it."""
    if isinstance(entry, OptimizerEntry):
        return f", which is `{entry.target.replace(':', '.')}`"
    form = (
        entry.torch_form(100, {h.name: h.reference for h in entry.hyperparameters})
        if entry.torch_form
        else None
    )
    return f", which is `torch.optim.lr_scheduler.{form[0]}`" if form else ""


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    heads = list(heads)
    cells = [[cell.replace("|", "\\|").replace("\n", "; ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *cells)] + [""]


def reference() -> list[tuple[str, str]]:
    """Return name and page of every public name, and of every door for another library."""
    homes = {name: f"{home}.{name}" for name, home in autoopt._HOMES.items()}
    homes |= {name: f"autoopt.integrations.{name}" for name in autoopt._LEAVES}
    return [(name, f"# autoopt.{name}\n\n::: {home}\n") for name, home in homes.items()]


if __name__ == "__main__":
    main()
