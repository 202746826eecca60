import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import reference_settings
from autoopt.errors import UsageError
from autoopt.recipe import Recipe
from autoopt.verdict.fields import Fields
from autoopt.verdict.pareto import SAME_TIME, Pareto, Point, find_pareto, front
from autoopt.verdict.studied import StudiedRuns
from tests.unit.verdict.studies import MadeStudy


def point(score, seconds, size=8, seeds=3, name="sgd"):
    return Point(Recipe(name, reference_settings(OPTIMIZERS[name])), score, seconds, size, seeds)


def figures(points):
    return [(p.score, p.seconds, p.bytes) for p in points]


def test_what_is_beaten_in_everything_is_left_out():
    kept = front([point(0.3, 2.0), point(0.2, 1.0), point(0.1, 5.0)], "minimize", None)
    assert figures(kept) == [(0.1, 5.0, 8), (0.2, 1.0, 8)]


def test_more_may_be_better():
    kept = front([point(0.9, 5.0), point(0.8, 1.0), point(0.7, 2.0)], "maximize", None)
    assert figures(kept) == [(0.9, 5.0, 8), (0.8, 1.0, 8)]


def test_less_memory_is_a_reason_to_stay():
    kept = front([point(0.2, 1.0, 8), point(0.3, 1.0, 4)], "minimize", None)
    assert len(kept) == 2


def test_a_time_within_a_tenth_is_none_the_better():
    kept = front([point(0.2, 1.05), point(0.3, 1.0)], "minimize", None)
    assert figures(kept) == [(0.2, 1.05, 8)]


def test_of_equal_ones_one_stays():
    assert len(front([point(0.2, 1.0), point(0.2, 1.0)], "minimize", None)) == 1


def test_a_lead_within_the_noise_at_a_higher_price_is_marked():
    dear, cheap = front([point(0.20, 5.0), point(0.21, 1.0)], "minimize", 0.02)
    assert (dear.ties, cheap.ties) == (True, False)
    dear, cheap = front([point(0.20, 5.0), point(0.30, 1.0)], "minimize", 0.02)
    assert (dear.ties, cheap.ties) == (False, False)


def test_memory_that_is_not_known_counts_as_the_largest():
    kept = front([point(0.2, 1.0, None), point(0.3, 1.0, 4), point(0.3, 1.0, None)], "minimize", None)
    assert figures(kept) == [(0.2, 1.0, None), (0.3, 1.0, 4)]


@given(st.lists(st.tuples(*[st.sampled_from([1.0, 1.05, 2.0, 3.0, 5.0])] * 3), min_size=1, max_size=12))
def test_the_front_is_never_empty_and_has_the_best_score(numbers):
    points = [point(score, seconds, int(size * 100)) for score, seconds, size in numbers]
    kept = front(points, "minimize", None)
    assert kept[0].score == min(p.score for p in points)
    for one in kept:
        assert not any(
            p.score < one.score and p.seconds * SAME_TIME <= one.seconds and p.bytes <= one.bytes
            for p in points
        )


def studied():
    made = MadeStudy()
    made.add("sgd", 0.1, [0.5, 0.4, 0.30], seconds=1.0, momentum=0.9)
    made.add("sgd", 0.1, [0.5, 0.4, 0.35], seconds=1.2, momentum=0.5)
    made.add("muon", 0.1, [0.5, 0.3, 0.20], seconds=4.0)
    made.add("muon", 0.2, [0.4], seconds=4.0)
    made.confirm("sgd", 0.1, [0.21, 0.20, 0.22], momentum=0.9)
    made.confirm("muon", 0.1, [0.10, 0.11, 0.12], seconds=4.0)
    return StudiedRuns(made.records, made.reports, "loss", "minimize", made.epochs)


def test_a_study_is_told_by_what_was_confirmed_and_by_what_the_search_took_furthest():
    found = find_pareto(studied())
    assert [p.recipe.optimizer for p in found.confirmed] == ["muon", "sgd"]
    assert [p.seeds for p in found.confirmed] == [3, 3]
    assert found.confirmed[0].low < 0.11 < found.confirmed[0].high
    assert found.epochs == 3
    assert [(p.recipe.optimizer, p.score) for p in found.searched] == [("muon", 0.2), ("sgd", 0.3)]
    assert found.confirmed[0].seconds == pytest.approx(9 * 4.0)  # an epoch of its kind, nine times


def test_an_empty_study_has_no_front():
    assert find_pareto(StudiedRuns((), {}, "loss", "minimize", 9)) == Pareto()


def test_it_comes_back_from_json():
    found = find_pareto(studied())
    assert Pareto.from_fields(Fields(json.loads(json.dumps(found.to_dict())))) == found


def test_a_point_that_makes_no_sense_is_named():
    broken = find_pareto(studied()).to_dict()
    broken["confirmed"][0]["seconds"] = "long"
    with pytest.raises(UsageError, match=r"confirmed\[0\]\.seconds must be a finite number"):
        Pareto.from_fields(Fields(broken))
