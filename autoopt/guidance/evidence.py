"""Published measurements as data: the tables in ``knowledge/evidence``, and rows of them that rules cite.

Each table is computed from files of public repositories; the README beside the tables names repository, commit
and licence of each.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import mean, median
from typing import Any

from autoopt.errors import GuidanceError, unknown_name
from autoopt.guidance.checks import as_list, as_mapping, check_fields

Row = Mapping[str, str]

_TAKES: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": mean, "median": median, "min": min, "max": max, "count": len
}  # fmt: skip
_FIELDS = ("file", "where", "column", "take", "value")


@dataclass(frozen=True)
class Citation:
    """Where a figure stands in a table of evidence.

    Attributes:
        file: name of the table, without ``.csv``.
        where: what the row has in other columns; without it all rows are meant.
        column: that the figure stands in.
        take: what is made of several rows: ``mean``, ``median``, ``min``, ``max`` or ``count``; of a single row
            nothing.
        value: the figure, to as many digits as are cited.
    """

    file: str
    column: str
    value: float
    where: Mapping[str, str]
    take: str = ""

    def __str__(self) -> str:
        rows = ", ".join(f"{name} {wanted}" for name, wanted in self.where.items())
        return f"{self.file}.csv: {f'{self.take} of ' if self.take else ''}{self.column}{f' ({rows})' if rows else ''}"


def table_names() -> list[str]:
    """Return the names of all tables."""
    return sorted(
        path.name.removesuffix(".csv") for path in _folder().iterdir() if path.name.endswith(".csv")
    )


@cache
def read_table(name: str) -> tuple[Row, ...]:
    """Return the rows of a table, each a mapping from column to text as it stands there.

    Raises:
        GuidanceError: there is no table of that name.
    """
    if name not in table_names():
        raise GuidanceError(unknown_name("evidence file", name, table_names()))
    with (_folder() / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def number_or_none(text: str) -> float | None:
    """Return the number in a cell; ``None`` where it is empty or is none."""
    try:
        return float(text)
    except ValueError:
        return None


def parse_citations(entries: Any, where: str) -> tuple[Citation, ...]:
    """Turn plain data into citations that were looked up.

    Raises:
        GuidanceError: the table, the row or the column does not exist, or holds another figure.
    """
    citations = []
    for entry in as_list(entries, f"'cites' of {where}"):
        check_fields(entry, _FIELDS, f"a citation of {where}", needed=("file", "column", "value"))
        wanted = as_mapping(entry.get("where", {}), f"'where' in a citation of {where}")
        if isinstance(entry["value"], bool) or not isinstance(entry["value"], int | float):
            raise GuidanceError(
                f"the 'value' in a citation of {where} must be a number, got {entry['value']!r}"
            )
        citation = Citation(
            entry["file"], entry["column"], entry["value"], {k: str(v) for k, v in wanted.items()},
            entry.get("take", ""),
        )  # fmt: skip
        try:
            check_citation(citation)
        except GuidanceError as error:
            raise GuidanceError(f"{where} cites {citation}: {error}") from error
        citations.append(citation)
    return tuple(citations)


def check_citation(citation: Citation) -> None:
    """Look a figure up.

    Raises:
        GuidanceError: the table, the row or the column does not exist, or holds another figure.
    """
    found = look_up(citation)
    digits = len(f"{citation.value!r}".partition("e")[0].lstrip("-0.").replace(".", "")) or 1
    if float(f"{found:.{digits}g}") != float(citation.value):
        raise GuidanceError(f"there it is {found:.6g}, and not {citation.value}")


def look_up(citation: Citation) -> float:
    """Return the figure that a citation points to.

    Raises:
        GuidanceError: see ``check_citation``.
    """
    table = read_table(citation.file)
    for name in (citation.column, *citation.where):
        if name not in table[0]:
            raise GuidanceError(unknown_name("column", name, list(table[0])))
    rows = [row for row in table if all(row[name] == wanted for name, wanted in citation.where.items())]
    values = [value for row in rows if (value := number_or_none(row[citation.column])) is not None]
    if not values:
        raise GuidanceError("no row has that and a number in this column")
    if citation.take:
        if citation.take not in _TAKES:
            raise GuidanceError(unknown_name("'take'", citation.take, list(_TAKES)))
        return float(_TAKES[citation.take](values))
    if len(values) > 1:
        raise GuidanceError(
            f"{len(values)} rows fit; narrow 'where' down to one, or say what to 'take' of them"
        )
    return values[0]


def _folder() -> Any:
    return files("autoopt.guidance") / "knowledge" / "evidence"
