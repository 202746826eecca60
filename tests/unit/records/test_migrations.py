"""Databases that older versions wrote: read as they are, and brought up to date when opened for writing."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_mock_engine, inspect, select

from autoopt.records import schema
from autoopt.records.store import Store
from autoopt.records.tables import COLUMNS_SINCE, METADATA, SCHEMA, TABLES_SINCE

from .examples import in_forks, make_report, make_run

LATER = COLUMNS_SINCE[2]
WRITTEN = make_report(0, 1, gradient_norm=0.5)  # the first report in the old database
SEEN = {name: float(number) for number, name in enumerate(LATER, 1)} | {"steps": 23}


@pytest.fixture
def old(path: Path) -> Path:
    """A database that version 1 wrote: a study of two runs with three epochs and a verdict."""
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


def test_an_old_database_is_read_as_it_is(old):
    before = old.read_bytes()
    with Store.open(old, readonly=True) as store:
        reports = store.reports("digits")
        assert (len(store.runs("digits")), store.verdict("digits")) == (2, {"schema": 1})
    assert reports[0][0] == WRITTEN
    assert [len(each) for each in reports.values()] == [2, 1]
    assert all(getattr(reports[0][0], name) is None for name in LATER)
    assert old.read_bytes() == before


def test_opened_for_writing_an_old_database_keeps_everything_and_takes_the_new_fields(old):
    with Store.open(old) as store:
        assert store.reports("digits")[0][0] == WRITTEN
        store.save("digits", reports=[make_report(1, 2, **SEEN)])
        assert store.reports("digits", [1])[1][1] == make_report(1, 2, **SEEN)
        with store.engine.connect() as connection:
            assert connection.scalar(select(SCHEMA.c.version)) == schema.schema_version()


def test_a_migrated_database_has_the_tables_of_a_new_one(old, tmp_path):
    def columns(path: Path) -> dict[str, list[tuple[str, str, bool]]]:
        with Store.open(path) as store:
            found = inspect(store.engine)
            return {
                name: [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)]
                for name in METADATA.tables
            }

    assert columns(old) == columns(tmp_path / "new.db")


def test_a_reader_sees_the_new_fields_once_somebody_else_has_migrated(old):
    with Store.open(old, readonly=True) as reader:
        assert reader.reports("digits")[0][0].steps is None
        with Store.open(old) as writer:
            writer.save("digits", reports=[make_report(0, 3, **SEEN)])
        assert reader.reports("digits")[0][2].steps == 23


def test_many_processes_may_open_an_old_database_at_once(old):
    def open_and_count() -> int:
        with Store.open(old) as store:
            return len(store.reports("digits"))

    assert in_forks([open_and_count] * 4) == ["2"] * 4


def test_a_new_run_and_its_reports_survive_the_way_to_the_database(file_store):
    reports = [make_report(0, 1, **SEEN), make_report(0, 2, gradient_peak=float("inf"))]
    file_store.save("digits", runs=[make_run(0)], reports=reports)
    assert file_store.reports("digits")[0] == reports


def test_postgresql_is_asked_for_columns_of_its_own_types():
    asked: list[str] = []
    engine = create_mock_engine("postgresql+psycopg://", lambda sql, *_, **__: asked.append(str(sql)))
    engine.connection = engine  # type: ignore[attr-defined]
    for migrate in schema.MIGRATIONS:
        migrate(engine)  # type: ignore[arg-type]
    altered = [sql for sql in asked if "ALTER TABLE" in sql]
    added = [re.fullmatch(r"ALTER TABLE autoopt_epochs ADD COLUMN (\w+) ([A-Z ]+)", sql) for sql in altered]
    assert [match and match[1] for match in added] == [*LATER, *COLUMNS_SINCE[4]]
    assert {match and match[2] for match in added} == {"BIGINT", "DOUBLE PRECISION", "TEXT"}
    made = [match[1] for sql in asked if (match := re.search(r"CREATE TABLE (\w+)", sql))]
    assert made == [table.name for table in TABLES_SINCE[3]]
