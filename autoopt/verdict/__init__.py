"""Which recipe is best, and how sure that is: confirming runs in, a recommendation out; how optimizers compare.

May import ``guidance``, ``space``, ``catalogue``, the profile of tasks, ``run``, ``recipe``, ``errors``; scipy,
numpy; no Optuna. torch comes in only when a recommendation is asked for an optimizer or a scheduler.
"""
