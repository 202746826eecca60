"""What a library cannot do as its own loop stands."""

from __future__ import annotations

from autoopt.catalogue.own import entry_of
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe

_SAYS = {"closure": "computes the loss several times a step", "second_derivatives": "derives the loss twice"}


def refuse_needs(recipe: Recipe, library: str, *needs: str) -> None:
    """Refuse a recipe whose optimizer asks of the loop what the library's does not give.

    Raises:
        SpaceError: saying so, and which format to take.
    """
    for need in sorted(set(needs) & entry_of(recipe).needs):
        raise cannot_write(
            recipe, library, f"the optimizer {_SAYS[need]}, and its loop takes one backward pass"
        )


def cannot_write(recipe: Recipe, library: str, because: str) -> SpaceError:
    """Return the error for a recipe that cannot be written for a library."""
    return SpaceError(
        f"{recipe} cannot be written for {library}: {because}; take the format pytorch for a loop of your own"
    )
