"""The documents' tables as data."""

from __future__ import annotations

from typing import Any

import pytest

from autoopt.errors import GuidanceError
from autoopt.guidance.claims import load_claims, parse_claims

PLACES = [{"method": "adam", "rank": 1, "says": "fast"}, {"method": "plain sgd", "rank": 0, "says": "slow"}]
GOOD = {"quantity": "speed", "documents": ["D4"], "places": PLACES}


def test_the_table_of_d4_ranks_four_methods_by_speed_stability_and_memory() -> None:
    tables = {claim.quantity: claim.places for claim in load_claims() if claim.documents == ("D4",)}

    assert set(tables) == {"speed", "stability", "memory"}
    for places in tables.values():
        assert [place.method for place in places] == ["plain sgd", "sgd", "rmsprop", "adam"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": "sped"}, "it must be one of speed, stability, memory, score"),
        ({"documents": ["D9"]}, "unknown document 'D9'"),
        ({"places": [{**PLACES[0], "method": "admw"}, PLACES[1]]}, "did you mean 'adamw'"),
        ({"places": [{**PLACES[0], "rank": "high"}, PLACES[1]]}, "write a whole number"),
        ({"places": [{"method": "adam", "rank": 1}, PLACES[1]]}, "has no 'says'"),
        ({"places": PLACES[:1]}, "ranks nobody above anybody"),
        ({"places": "adam"}, "must be a list"),
        ({"ranks": 3}, "unknown field 'ranks'"),
    ],
)
def test_a_mistake_in_a_claim_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(GuidanceError, match=message):
        parse_claims([{**GOOD, **change}])
