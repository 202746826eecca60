"""The benchmark of the search: peers and autoopt on the same tasks, the same space and the same trainings.

``scripts/bench_search --help`` says how to run it; ``README.md`` beside this file how to plug in a search of one's
own. From the bottom up: ``suite`` (tasks, space), ``cache`` and ``evaluator`` (trainings, each done once), ``bench``
(what a method is given), ``optuna_peers`` … ``own`` (the methods), ``methods`` (their list), ``cells`` and ``runner``
(who is run on what), ``results`` and ``statistics`` (what came out), ``report`` and ``plots`` (how it is told).
"""
