"""Margin: what stands beside the runs of a study: its budget, notes and tags of its readers, range tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select

from autoopt.errors import StorageError
from autoopt.records.store import Store
from autoopt.records.tables import LABELS, RANGE_TESTS, RUNS, SCHEMA, SITTINGS, STUDIES, TABLES_SINCE

MOST_CHARACTERS = 4000  # of a note
MOST_TAGS, LONGEST_TAG = 12, 40
_SINCE = {table.name: version for version, tables in TABLES_SINCE.items() for table in tables}


@dataclass(frozen=True)
class SittingRecord:
    """What a sitting set out with.

    Attributes:
        started: in UTC.
        epochs_before, seconds_before: trained, and gone by, in earlier sittings of the study.
        budget: what may be spent in all, by the names of ``Budget``: ``runs`` in complete trainings, ``seconds``,
            ``trials``, ``seeds``.
    """

    started: datetime
    epochs_before: int
    seconds_before: float
    budget: Mapping[str, Any]


@dataclass(frozen=True)
class Label:
    """What a reader wrote to a study.

    Attributes:
        note: free text; ``tags`` single words or a few, in the order given, none twice.
    """

    note: str = ""
    tags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.note) > MOST_CHARACTERS:
            raise StorageError(
                f"a note has at most {MOST_CHARACTERS} characters, this one {len(self.note)}: shorten it"
            )
        tags = tuple(dict.fromkeys(tag.strip() for tag in self.tags if tag.strip()))
        if len(tags) > MOST_TAGS:
            raise StorageError(f"a study has at most {MOST_TAGS} tags, these are {len(tags)}: leave some out")
        if long := next((tag for tag in tags if len(tag) > LONGEST_TAG), None):
            raise StorageError(f"a tag has at most {LONGEST_TAG} characters: shorten {long[:60]!r}")
        object.__setattr__(self, "tags", tags)


class Margin:
    """Reads and writes what stands beside the runs. None of it makes a study another one, or moves its heartbeat.

    Example:
        >>> Margin(Store.open(":memory:")).labels()
        {}
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin_sitting(self, study: str, budget: Mapping[str, Any], seconds_before: float = 0.0) -> None:
        """Write down what a sitting that begins now may spend."""
        with self.store.writing() as connection:
            study_id = self.store.study_id(connection, study)
            trained = select(func.coalesce(func.sum(RUNS.c.epochs_done), 0)).where(
                RUNS.c.study_id == study_id
            )
            connection.execute(
                insert(SITTINGS).values(
                    study_id=study_id, started=datetime.now(UTC), epochs_before=int(connection.scalar(trained) or 0),
                    seconds_before=seconds_before, budget=dict(budget),
                )
            )  # fmt: skip

    def sitting(self, study: str) -> SittingRecord | None:
        """Return what the last sitting set out with; ``None`` where that was not written down."""
        with self.store.reading() as connection:
            study_id = self.store.study_id(connection, study)
            if not has_table(connection, SITTINGS):
                return None
            columns = (
                SITTINGS.c.started,
                SITTINGS.c.epochs_before,
                SITTINGS.c.seconds_before,
                SITTINGS.c.budget,
            )
            query = select(*columns).where(SITTINGS.c.study_id == study_id).order_by(SITTINGS.c.id.desc())
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else SittingRecord(*row)

    def write_label(self, study: str, label: Label) -> None:
        """Keep a note and tags instead of those that were there."""
        with self.store.writing() as connection:
            study_id = self.store.study_id(connection, study)
            connection.execute(delete(LABELS).where(LABELS.c.study_id == study_id))
            connection.execute(
                insert(LABELS).values(study_id=study_id, note=label.note, tags=list(label.tags))
            )

    def labels(self) -> dict[str, Label]:
        """Return the notes and tags of all studies that have some, by name of the study."""
        with self.store.reading() as connection:
            if not has_table(connection, LABELS):
                return {}
            query = select(STUDIES.c.name, LABELS.c.note, LABELS.c.tags).where(
                STUDIES.c.id == LABELS.c.study_id
            )
            return {row.name: Label(row.note, tuple(row.tags)) for row in connection.execute(query)}

    def save_range_tests(
        self, study: str, tests: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> None:
        """Keep range tests beside earlier ones.

        Args:
            tests: pairs of a recipe and a test as plain data.
        """
        new = [{"recipe": dict(recipe), "document": dict(test)} for recipe, test in tests]
        with self.store.writing() as connection:
            known = {"study_id": self.store.study_id(connection, study), "created": datetime.now(UTC)}
            if new:
                connection.execute(insert(RANGE_TESTS), [known | each for each in new])

    def range_tests(self, study: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the newest range test of every optimizer of the study: recipe and test as plain data."""
        with self.store.reading() as connection:
            study_id = self.store.study_id(connection, study)
            if not has_table(connection, RANGE_TESTS):
                return []
            query = select(RANGE_TESTS.c.recipe, RANGE_TESTS.c.document).where(
                RANGE_TESTS.c.study_id == study_id
            )
            found = connection.execute(query.order_by(RANGE_TESTS.c.id)).all()
        newest = {recipe.get("optimizer"): (recipe, document) for recipe, document in found}
        return list(newest.values())


def has_table(connection: Connection, table: Table) -> bool:
    """Say whether a database has a table; one of an older version that is read as it is may lack it."""
    return int(connection.scalar(select(SCHEMA.c.version)) or 0) >= _SINCE[table.name]
