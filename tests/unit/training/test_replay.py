"""Recorded epochs are given as they are; training goes on where they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.training.replay import replay_cohort

RUNS = [Run(number, Recipe("sgd"), seed=number, epochs=4) for number in range(3)]


class Counted:
    """A cohort whose losses tell run and epoch, and which remembers what it was asked."""

    started: list[Counted]

    def __init__(self, runs: Sequence[Run], ends: dict[int, int] | None = None) -> None:
        self.runs = list(runs)
        self.first_runs = [run.id for run in runs]
        self.epochs: Counter[int] = Counter()
        self.ends = ends or {}

    def advance(self, run_ids: Collection[int] | None = None, until: int | None = None) -> list[EpochReport]:
        reports: list[EpochReport] = []
        for run in [run for run in self.runs if run_ids is None or run.id in run_ids]:
            end = self.epochs[run.id] + 1 if until is None else until
            while run in self.runs and self.epochs[run.id] < end:
                reports.append(self._report(run.id))
                if reports[-1].over or self.epochs[run.id] >= run.epochs:
                    self.runs.remove(run)
        return reports

    def _report(self, run_id: int) -> EpochReport:
        self.epochs[run_id] += 1
        epoch = self.epochs[run_id]
        return trained(run_id, epoch, diverged=self.ends.get(run_id) == epoch)

    def add(self, runs: Sequence[Run]) -> None:
        self.runs += runs
        self.first_runs += [run.id for run in runs]
        for run in runs:
            self.epochs.pop(run.id, None)

    def keep(self, run_ids: Collection[int]) -> None:
        self.runs = [run for run in self.runs if run.id in run_ids]


def trained(run_id: int, epoch: int, **more: object) -> EpochReport:
    loss = run_id + epoch / 10
    return EpochReport(run_id, epoch, loss, loss, loss, **more)


def recorded(run_id: int, epochs: int, **last: object) -> list[EpochReport]:
    reports = [replace(trained(run_id, epoch), seconds=9.0) for epoch in range(1, epochs + 1)]
    return [*reports[:-1], replace(reports[-1], **last)]


@pytest.fixture
def started() -> list[Counted]:
    return []


@pytest.fixture
def start(started: list[Counted]):
    def start_counted(runs: Sequence[Run]) -> Counted:
        started.append(Counted(runs))
        return started[-1]

    return start_counted


def _losses(reports: list[EpochReport]) -> list[float]:
    return [report.train_loss for report in reports]


def test_records_that_are_complete_are_given_without_training(start, started) -> None:
    records = {run.id: recorded(run.id, 4) for run in RUNS}
    cohort = replay_cohort(RUNS, records, start)
    given = [list(cohort.advance()) for _ in range(4)]
    assert given == [[records[run.id][epoch] for run in RUNS] for epoch in range(4)]
    assert cohort.runs == []
    assert started == []


def test_without_records_it_is_the_real_cohort(start, started) -> None:
    cohort = replay_cohort(RUNS, {}, start)
    assert list(cohort.advance()) == [trained(0, 1), trained(1, 1), trained(2, 1)]
    assert len(started) == 1


def test_training_goes_on_where_the_records_end(start, started) -> None:
    cohort = replay_cohort(RUNS, {0: recorded(0, 2), 1: recorded(1, 2), 2: recorded(2, 2)}, start)
    seconds = [[report.seconds for report in list(cohort.advance())] for _ in range(4)]
    assert seconds == [[9.0] * 3, [9.0] * 3, [0.0] * 3, [0.0] * 3]
    assert started[0].epochs == {0: 4, 1: 4, 2: 4}


def test_records_cut_in_mid_epoch_are_filled_up(start) -> None:
    cohort = replay_cohort(RUNS, {0: recorded(0, 2), 1: recorded(1, 1)}, start)
    reports = [list(cohort.advance()) for _ in range(3)]
    assert [_losses(epoch) for epoch in reports] == [[0.1, 1.1, 2.1], [0.2, 1.2, 2.2], [0.3, 1.3, 2.3]]
    assert [[report.seconds for report in epoch] for epoch in reports] == [[9, 9, 0], [9, 0, 0], [0, 0, 0]]


def test_only_runs_that_need_training_are_started(start, started) -> None:
    records = {0: recorded(0, 4), 1: recorded(1, 2, diverged=True), 2: recorded(2, 2)}
    cohort = replay_cohort(RUNS, records, start)
    for _ in range(4):
        list(cohort.advance())
    assert [cohort.first_runs for cohort in started] == [[2]]


def test_dropped_runs_are_not_started(start, started) -> None:
    cohort = replay_cohort(RUNS, {run.id: recorded(run.id, 2) for run in RUNS}, start)
    list(cohort.advance())
    cohort.keep([1])
    list(cohort.advance())
    assert _losses(list(cohort.advance())) == [1.3]
    assert started[0].first_runs == [1]


def test_runs_dropped_later_are_dropped_in_the_real_cohort(start, started) -> None:
    cohort = replay_cohort(RUNS, {}, start)
    list(cohort.advance())
    cohort.keep([0, 2])
    assert [run.id for run in started[0].runs] == [0, 2]


@pytest.mark.parametrize("end", [{"diverged": True}, {"failure": "ValueError: bad"}])
def test_a_run_whose_records_end_badly_is_over(start, end: dict) -> None:
    cohort = replay_cohort(RUNS[:2], {0: recorded(0, 1, **end), 1: recorded(1, 1)}, start)
    (first, *_) = cohort.advance()
    assert first.over
    assert cohort.runs == RUNS[1:2]
    assert _losses(list(cohort.advance())) == [1.2]


def test_records_after_a_gap_are_not_used(start) -> None:
    one, _, three = recorded(0, 3)
    cohort = replay_cohort(RUNS[:1], {0: [one, three]}, start)
    assert [list(cohort.advance()).pop().seconds for _ in range(3)] == [9, 0, 0]


def test_a_run_that_ends_earlier_this_time_ends_when_its_records_do() -> None:
    cohort = replay_cohort(RUNS[:2], {0: recorded(0, 2)}, lambda runs: Counted(runs, ends={0: 1}))
    reports = [first for first, *_ in (cohort.advance() for _ in range(3))]
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.over for report in reports] == [False, False, True]
    assert cohort.runs == RUNS[1:2]


def test_an_interrupted_catching_up_begins_again(started) -> None:
    class Interrupted(Counted):
        def advance(
            self, run_ids: Collection[int] | None = None, until: int | None = None
        ) -> list[EpochReport]:
            if len(started) == 1:
                raise KeyboardInterrupt
            return super().advance(run_ids, until)

    def start_interrupted(runs: Sequence[Run]) -> Counted:
        started.append(Interrupted(runs))
        return started[-1]

    cohort = replay_cohort(RUNS[:1], {0: recorded(0, 1)}, start_interrupted)
    list(cohort.advance())
    with pytest.raises(KeyboardInterrupt):
        list(cohort.advance())
    assert _losses(list(cohort.advance())) == [0.2]


def test_runs_that_wait_are_neither_reported_nor_trained(start, started) -> None:
    cohort = replay_cohort(RUNS, {0: recorded(0, 1)}, start)
    list(cohort.advance())
    assert _losses(list(cohort.advance([2, 0]))) == [0.2, 2.2]
    assert _losses(list(cohort.advance([1]))) == [1.2]
    assert _losses(list(cohort.advance())) == [0.3, 1.3, 2.3]
    assert started[0].epochs == {0: 3, 1: 3, 2: 3}


def test_a_run_that_goes_on_alone_is_trained_from_its_start_alone(start, started) -> None:
    cohort = replay_cohort(RUNS, {run.id: recorded(run.id, 2) for run in RUNS}, start)
    list(cohort.advance()), list(cohort.advance())
    assert _losses(list(cohort.advance([1]))) == [1.3]
    assert started[0].epochs == {1: 3}


def test_runs_may_join_later(start, started) -> None:
    cohort = replay_cohort(RUNS[:1], {2: recorded(2, 1)}, start)
    list(cohort.advance())
    cohort.add(RUNS[1:])
    assert _losses(list(cohort.advance())) == [0.2, 1.1, 2.1]
    assert [report.seconds for report in cohort.advance()] == [0, 0, 0]
    assert started[0].epochs == {0: 3, 1: 2, 2: 2}


def test_until_an_epoch_the_records_come_first_and_training_follows(start, started) -> None:
    cohort = replay_cohort(RUNS, {0: recorded(0, 3), 1: recorded(1, 1)}, start)
    given = [(r.run_id, r.epoch, r.seconds) for r in cohort.advance([0, 1], 3)]
    assert given == [(0, 1, 9), (0, 2, 9), (0, 3, 9), (1, 1, 9), (1, 2, 0), (1, 3, 0)]
    assert started[0].epochs == {1: 3}


def test_what_others_record_meanwhile_is_given_and_not_trained_for_reports(start, started) -> None:
    records = {0: recorded(0, 1)}
    cohort = replay_cohort(RUNS[:1], records, start)
    list(cohort.advance([0], 2))
    records[0] = recorded(0, 3)
    assert [(r.epoch, r.seconds) for r in cohort.advance([0], 4)] == [(3, 9), (4, 0)]
    assert started[0].epochs == {0: 4}


def test_a_run_that_was_dropped_and_joins_again_begins_again(start, started) -> None:
    cohort = replay_cohort(RUNS[:2], {}, start)
    list(cohort.advance())
    cohort.keep([1])
    cohort.add(RUNS[:1])
    assert _losses(list(cohort.advance([0]))) == [0.1]
