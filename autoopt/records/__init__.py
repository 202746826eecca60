"""What happened: studies, runs, epochs and verdicts in one SQLite file or PostgreSQL database.

Everything observed is kept here and comes back as plain values. Optuna's own tables live in the same
database, written by Optuna through an engine that ``secure_sqlite`` made safe for many processes. May import
recipe, run, errors and SQLAlchemy; no torch and no Optuna, so that the dashboard opens in a moment.
"""
