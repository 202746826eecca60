import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from autoopt.recipe import Recipe
from autoopt.space import parse_recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Reason, Recommendation, Spent
from autoopt.verdict.statistics import Interval

finite = st.floats(allow_nan=False, allow_infinity=False)
any_score = st.floats() | st.floats(0, 1)
seeds = st.integers(0, 2**64)
text = st.text(max_size=20)
recipes = st.sampled_from(
    [
        parse_recipe("sgd lr=0.1 momentum=0.9 schedule=step gamma=0.3 pieces=2"),
        parse_recipe("adamw lr=3e-4 weight_decay=0.1 schedule=cosine warmup=0.05 batch_size=64 clip_norm=1"),
        parse_recipe("nadam lr=1e-2 beta2=0.98"),
        Recipe("adam", {"lr": 1}),
    ]
)
baselines = st.just(parse_recipe("adamw lr=1e-3 decay_all=true"))


def confirmations(recipes, score=any_score):
    return st.builds(
        Confirmation,
        recipes,
        scores=st.dictionaries(st.integers(1, 4), score, max_size=4),
        test_scores=st.dictionaries(seeds, score, max_size=2),
        search_score=st.none() | score,
        failures=st.dictionaries(st.integers(1, 4), text, max_size=2),
    )


intervals = st.builds(Interval, finite | st.just(-math.inf), finite, finite | st.just(math.inf))
recommendations = st.builds(
    Recommendation,
    study=text,
    task=text,
    objective=text,
    direction=st.sampled_from(["minimize", "maximize"]),
    chosen=confirmations(recipes),
    baseline=confirmations(baselines),
    gain=st.none() | intervals,
    relative_gain=st.none() | intervals,
    chance_best=st.floats(0, 1),
    verdict=st.sampled_from(["better", "tie", "worse"]),
    runners_up=st.lists(confirmations(recipes), max_size=2).map(tuple),
    reasons=st.lists(
        st.builds(Reason, text, text, st.sampled_from(["agrees", "disagrees", "measured", "caution"])),
        max_size=2,
    ).map(tuple),
    spent=st.builds(Spent, finite, finite, finite),
    epochs=st.none() | st.integers(1, 1000),
    versions=st.dictionaries(text, text, max_size=2),
    notes=st.lists(text, max_size=2).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(recommendations)
def test_a_recommendation_survives_strict_json(recommendation):
    document = json.loads(json.dumps(recommendation.to_dict(), allow_nan=False))
    assert Recommendation.from_dict(document) == recommendation


@settings(max_examples=150, deadline=None)
@given(
    st.lists(confirmations(recipes), max_size=3),
    confirmations(baselines, st.floats(0, 1)).filter(lambda baseline: baseline.scores),
    st.sampled_from(["minimize", "maximize"]),
)
def test_whatever_the_scores_the_answer_is_finite_and_consistent(finalists, baseline, direction):
    answer = recommend(
        study="s", task="t", objective="loss", direction=direction, finalists=finalists, baseline=baseline,
        reasons=(), spent=Spent(1.0, 1.0, 1.0), versions={},
    )  # fmt: skip
    assert Recommendation.from_dict(json.loads(json.dumps(answer.to_dict(), allow_nan=False))) == answer
    assert 0 <= answer.chance_best <= 1
    assert answer.verdict in ("better", "tie")
    assert answer.recipe in [baseline.recipe, *(finalist.recipe for finalist in finalists)]
    if answer.gain is not None and answer.recipe != baseline.recipe:
        assert answer.gain.low <= answer.gain.middle <= answer.gain.high
        assert (answer.verdict == "better") == (answer.gain.low > 0)
    assert str(answer)
