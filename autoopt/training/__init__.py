"""How a recipe is trained: models, optimizers and schedulers as plain torch, behind the one door ``Cohort``.

May import: torch, and of autoopt ``catalogue``, ``tasks``, ``run``, ``recipe`` and ``errors``.
Never: Optuna, the search space, guidance, storage.
"""
