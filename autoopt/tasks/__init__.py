"""What is trained: the user's model, data, loss and metric, in whatever form they came, as one ``Task``.

``load.load_task`` reads a task from the user's file or module, ``make.make_task`` from Python objects,
``describe.describe_task`` tells what was found and inferred, ``profile.profile_task`` what kind of problem it is
(from the modules: ``layers``; from one batch: ``seen`` and ``graph``; from the first weights: ``pretrained``).
May import torch, NumPy, scikit-learn (the stratified hold-out), torchmetrics (metrics by name) and, of autoopt,
``errors`` and ``run``; knows nothing of recipes, the catalogue or the search.
"""
