"""The tables. All names begin with ``autoopt_``, so that they stand beside Optuna's in one database."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, MetaData, Table

from autoopt.records.columns import Document, Moment, Number, Whole, Words

METADATA = MetaData()

SCHEMA = Table(
    "autoopt_schema",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

STUDIES = Table(
    "autoopt_studies",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Words, nullable=False, unique=True),
    Column("task", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("fingerprint", Words, nullable=False),
    Column("objective", Words, nullable=False),
    Column("direction", Words, nullable=False),
    Column("epochs", Whole, nullable=False),
    Column("options", Document, nullable=False),
    Column("seed", Whole, nullable=False),
    Column("state", Words, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

RUNS = Table(
    "autoopt_runs",
    METADATA,
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("recipe", Document, nullable=False),
    Column("seed", Whole, nullable=False),
    Column("epochs", Whole, nullable=False),
    Column("purpose", Words, nullable=False),
    Column("trial", Whole),
    Column("cohort", Whole, nullable=False),
    Column("rungs", Document, nullable=False),
    Column("state", Words, nullable=False),
    Column("score", Number),
    Column("epochs_done", Whole, nullable=False),
    Column("seconds", Number, nullable=False),
    Column("note", Words, nullable=False),
    Column("test_score", Number),
    sqlite_with_rowid=False,
)

# The totals of all studies come from this index alone, without touching the runs and their recipes.
Index(
    "autoopt_runs_totals",
    *(RUNS.c[name] for name in ("study_id", "state", "score", "epochs_done", "seconds")),
)

# Without row ids the curve of a run lies in one piece on the disk, in the order in which it is read.
EPOCHS = Table(
    "autoopt_epochs",
    METADATA,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Whole, primary_key=True, autoincrement=False),
    Column("epoch", Whole, primary_key=True, autoincrement=False),
    Column("train_loss", Number, nullable=False),
    Column("valid_loss", Number, nullable=False),
    Column("score", Number, nullable=False),
    Column("averaged_score", Number),
    Column("learning_rate", Number, nullable=False),
    Column("gradient_norm", Number),
    Column("seconds", Number, nullable=False),
    Column("diverged", Boolean, nullable=False),
    Column("failure", Words),
    Column("test_score", Number),
    Column("steps", Whole),
    Column("start_loss", Number),
    Column("end_loss", Number),
    Column("worst_loss", Number),
    Column("gradient_median", Number),
    Column("gradient_peak", Number),
    Column("gradient_turn", Number),
    Column("update_ratio", Number),
    Column("lost_updates", Number),
    Column("metrics", Document),
    ForeignKeyConstraint(["study_id", "run_id"], [RUNS.c.study_id, RUNS.c.id]),
    sqlite_with_rowid=False,
)

# Columns of epochs that came later, by the version of the schema that has them first; older ones lack them.
COLUMNS_SINCE = {
    2: (
        "steps", "start_loss", "end_loss", "worst_loss", "gradient_median", "gradient_peak", "gradient_turn",
        "update_ratio", "lost_updates",
    ),
    4: ("metrics",),
}  # fmt: skip

VERDICTS = Table(
    "autoopt_verdicts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), nullable=False, index=True),
    Column("created", Moment, nullable=False),
    Column("document", Document, nullable=False),
)

SITTINGS = Table(
    "autoopt_sittings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), nullable=False, index=True),
    Column("started", Moment, nullable=False),
    Column("epochs_before", Whole, nullable=False),
    Column("seconds_before", Number, nullable=False),
    Column("budget", Document, nullable=False),
)

LABELS = Table(
    "autoopt_labels",
    METADATA,
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), primary_key=True, autoincrement=False),
    Column("note", Words, nullable=False),
    Column("tags", Document, nullable=False),
)

RANGE_TESTS = Table(
    "autoopt_range_tests",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), nullable=False, index=True),
    Column("created", Moment, nullable=False),
    Column("recipe", Document, nullable=False),
    Column("document", Document, nullable=False),
)

# Who is at work on a study now. ``beat`` is a count and no time: clocks of machines differ and jump.
PROCESSES = Table(
    "autoopt_processes",
    METADATA,
    Column("token", Words, primary_key=True),
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), nullable=False, index=True),
    Column("host", Words, nullable=False),
    Column("boot", Words, nullable=False),
    Column("pid", Whole, nullable=False),
    Column("started", Words, nullable=False),
    Column("crew", Words, nullable=False),
    Column("beat", Whole, nullable=False),
)

# What is to be trained now, and by whom: runs that are to reach an epoch; run -1 stands for the lead of the study.
LEASES = Table(
    "autoopt_leases",
    METADATA,
    Column("study_id", Integer, ForeignKey(STUDIES.c.id), primary_key=True, autoincrement=False),
    Column("run_id", Whole, primary_key=True, autoincrement=False),
    Column("owner", Words),
    Column("place", Whole, nullable=False),
    Column("until", Whole, nullable=False),
    Column("reached", Whole, nullable=False),
    Column("strikes", Whole, nullable=False),
    Column("trouble", Words, nullable=False),
    sqlite_with_rowid=False,
)

# Tables that came later, by the version of the schema that has them first; they hold a study's margin, and who works.
TABLES_SINCE = {3: (SITTINGS, LABELS, RANGE_TESTS), 5: (PROCESSES, LEASES)}
