"""Recorded studies of a few runs, made by hand."""

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState


class MadeStudy:
    """Runs and reports, added one by one; ``epochs`` is the length of a complete training."""

    def __init__(self, epochs=9, rungs=(1, 3)):
        self.epochs, self.rungs = epochs, rungs
        self.records, self.reports = [], {}

    def add(
        self, optimizer="adam", lr=1e-3, scores=(0.5,), *, state=None, purpose=Purpose.SEARCH, seed=0, cohort=0,
        schedule="constant", batch_size=None, clip_norm=None, seconds=1.0, train=None, averaged=None, **settings,
    ):  # fmt: skip
        """Add a run with these scores after its epochs; the state follows from their number."""
        number = len(self.records)
        rungs = self.rungs if purpose is Purpose.SEARCH else ()
        recipe = Recipe(optimizer, {"lr": lr, **settings}, schedule, {}, batch_size, clip_norm)
        run = Run(number, recipe, seed, self.epochs, purpose, cohort=cohort, rungs=rungs)
        if state is None:
            state = RunState.FINISHED if len(scores) >= self.epochs else RunState.STOPPED
        diverged = state is RunState.DIVERGED
        self.reports[number] = [
            EpochReport(
                number, epoch, score if train is None else train[epoch - 1], score, score,
                averaged_score=averaged if epoch in rungs else None, seconds=seconds,
                diverged=diverged and epoch == len(scores),
            )
            for epoch, score in enumerate(scores, 1)
        ]  # fmt: skip
        last = None if diverged and len(scores) < 2 else scores[-1]
        self.records.append(RunRecord(run, state, last, len(scores), seconds * len(scores)))
        return self

    def confirm(self, optimizer="adam", lr=1e-3, scores=(), **settings):
        """Add complete trainings on seeds 1, 2, …, which end with these scores."""
        for seed, score in enumerate(scores, 1):
            curve = [score + 0.1] * (self.epochs - 1) + [score]
            self.add(optimizer, lr, curve, purpose=Purpose.CONFIRM, seed=seed, **settings)
        return self
