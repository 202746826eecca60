"""Databases that older versions wrote: read as they are, and brought up to date when opened for writing."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_mock_engine, inspect, select

from autoopt.records import schema
from autoopt.records.margin import Label, Margin
from autoopt.records.store import Store
from autoopt.records.tables import COLUMNS_SINCE, METADATA, SCHEMA, TABLES_SINCE

from .examples import in_forks, make_report, make_run

LATER = COLUMNS_SINCE[2]
WRITTEN = make_report(0, 1, gradient_norm=0.5)  # the first report in every old database
FIXTURES = {
    int(file.stem.removeprefix("version_")): file for file in Path(__file__).parent.glob("version_*.sql")
}
SEEN = {name: float(number) for number, name in enumerate(LATER, 1)} | {"steps": 23}


@pytest.fixture
def old(path: Path) -> Path:
    """A database that version 1 wrote: a study of two runs with three epochs and a verdict."""
    return restore(1, path)


def restore(version: int, path: Path) -> Path:
    """Lay down the database that autoopt wrote while its tables had this version; each was written by that code."""
    connection = sqlite3.connect(path)
    connection.executescript(FIXTURES[version].read_text())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


def columns(path: Path) -> dict[str, list[tuple[str, str, bool]]]:
    """Return name, type and whether it may be empty of each column, by table, after opening it for writing."""
    with Store.open(path) as store:
        found = inspect(store.engine)
        return {
            name: [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)]
            for name in METADATA.tables
        }


def test_there_is_a_database_of_every_earlier_version():
    assert set(FIXTURES) >= set(range(1, schema.schema_version()))


@pytest.mark.parametrize("version", FIXTURES)
def test_a_database_of_any_version_is_read_as_it_is(version, path):
    before = restore(version, path).read_bytes()
    with Store.open(path, readonly=True) as store:
        reports, margin = store.reports("digits"), Margin(store)
        assert (reports[0][0], store.verdict("digits")) == (WRITTEN, {"schema": 1})
        assert [record.epochs_done for record in store.runs("digits")] == [2, 1]
        assert reports[1][0].steps == (23 if version >= 2 else None)
        assert reports[1][0].metrics == ({"accuracy": 0.75} if version >= 4 else None)
        assert margin.labels() == ({"digits": Label("old one", ("kept",))} if version >= 3 else {})
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", FIXTURES)
def test_a_database_of_any_version_keeps_everything_when_it_is_brought_up_to_date(version, path, tmp_path):
    with Store.open(restore(version, path), readonly=True) as store:
        before = store.study("digits"), store.runs("digits"), repr(store.reports("digits"))
    assert columns(path) == columns(tmp_path / "new.db")
    with Store.open(path) as store:
        assert (store.study("digits"), store.runs("digits"), repr(store.reports("digits"))) == before
        with store.reading() as connection:
            assert connection.scalar(select(SCHEMA.c.version)) == schema.schema_version()
        Margin(store).begin_sitting("digits", {"runs": 30})
        store.save("digits", runs=[make_run(2)], reports=[make_report(2, 1, **SEEN, metrics={"f1": 0.5})])
        assert store.reports("digits", [2])[2] == [make_report(2, 1, **SEEN, metrics={"f1": 0.5})]


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
    assert made == [table.name for tables in TABLES_SINCE.values() for table in tables]
