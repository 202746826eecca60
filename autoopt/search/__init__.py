"""Which recipe next, and for how long: ask/tell over Optuna, rungs, and the ledger of what was spent.

The only room that imports optuna. It knows training by the Cohort door alone, and no torch; it may import
``space``, ``records``, ``training.cohort`` and what lies below them.
"""
