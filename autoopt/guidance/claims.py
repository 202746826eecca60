"""The documents' comparison tables: how they rank optimizers by speed, stability, memory and score."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import GuidanceError
from autoopt.guidance.checks import as_list, as_mapping, check_choice, check_fields, check_known
from autoopt.guidance.load import load_documents, read_knowledge

Quantity = Literal["speed", "stability", "memory", "score"]
PLAIN_SGD = "plain sgd"


@dataclass(frozen=True)
class Place:
    """Where a table puts a method: a higher ``rank`` is more of the quantity; ``says`` is its own word."""

    method: str
    rank: int
    says: str


@dataclass(frozen=True)
class Claim:
    """One column of a table, or a sentence that ranks optimizers.

    Attributes:
        quantity: ``speed`` of convergence, ``stability``, ``memory`` for state, or ``score`` in the end.
        documents: ids of the documents that hold it.
        places: the methods that it ranks: names of the catalogue, ``plain sgd`` for SGD without momentum.
    """

    quantity: Quantity
    documents: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def source(self) -> str:
        """The documents as cited: ``D3, D4``."""
        return ", ".join(self.documents)


@cache
def load_claims() -> tuple[Claim, ...]:
    """Return the rankings of the documents, in the order of the file.

    Raises:
        GuidanceError: the file has a mistake.
    """
    return parse_claims(read_knowledge("claims.yaml"))


def parse_claims(entries: Any) -> tuple[Claim, ...]:
    """Turn plain data into claims.

    Raises:
        GuidanceError: an unknown field, document or method, or nobody to compare with.
    """
    return tuple(
        _claim(entry, f"claim {number}") for number, entry in enumerate(as_list(entries, "claims"), 1)
    )


def _claim(entry: Any, where: str) -> Claim:
    check_fields(entry, _names(Claim), where, needed=_names(Claim))
    check_choice(entry["quantity"], Quantity, f"the quantity of {where}")
    documents = check_known(entry["documents"], load_documents(), "document", where)
    places = []
    for place in as_list(entry["places"], f"places of {where}"):
        check_fields(as_mapping(place, f"a place of {where}"), _names(Place), f"a place of {where}",
                     needed=("method", "rank", "says"))  # fmt: skip
        check_known([place["method"]], [*OPTIMIZERS, PLAIN_SGD], "method", where)
        if not isinstance(place["rank"], int):
            raise GuidanceError(
                f"{where}: the rank of {place['method']} is {place['rank']!r}; write a whole number"
            )
        places.append(Place(**place))
    if len({place.rank for place in places}) < 2:
        raise GuidanceError(f"{where} ranks nobody above anybody: give two places of different rank")
    return Claim(entry["quantity"], documents, tuple(places))


def _names(shape: type[Any]) -> list[str]:
    return [field.name for field in fields(shape)]
