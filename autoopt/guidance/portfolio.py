"""Start recipes by regime: what is worth trying on a task like this before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.rate import learning_rate, reference_settings
from autoopt.errors import GuidanceError, SpaceError
from autoopt.guidance.checks import as_list, as_mapping, as_texts, check_fields, check_known, check_unique
from autoopt.guidance.load import load_documents, parse_conditions, parse_figures, read_knowledge
from autoopt.guidance.rule import Condition, Document, Figure
from autoopt.recipe import Recipe
from autoopt.space.check import check_recipe

if TYPE_CHECKING:
    from autoopt.tasks.profile import TaskProfile

_FIELDS = (
    "id", "when", "merit", "optimizer", "settings", "schedule", "schedule_settings", "clip_norm", "why",
    "cautions",
)  # fmt: skip


@dataclass(frozen=True)
class StartRecipe:
    """A complete recipe for a regime, with what speaks for it.

    Attributes:
        id: unique, words with hyphens.
        when: conditions on the profile, all of which must hold.
        merit: 0 to 100, the higher the earlier it is advised.
        recipe: complete: what the file leaves out has the catalogue's reference values.
        why: what speaks for its numbers, each with a source.
        cautions: what could go wrong.
    """

    id: str
    when: tuple[Condition, ...]
    merit: int
    recipe: Recipe
    why: tuple[Figure, ...]
    cautions: tuple[str, ...] = ()

    def applies(self, profile: TaskProfile) -> bool:
        """Say whether the recipe is for tasks like this one, and can run on them at all."""
        needs = OPTIMIZERS[self.recipe.optimizer].needs
        decays = bool(self.recipe.settings.get("weight_decay"))
        dense = "dense_gradients" in needs or (decays and "dense_gradients_to_decay" in needs)
        return not (dense and profile.sparse_gradients) and all(c.holds(profile) for c in self.when)


@cache
def load_start_recipes() -> tuple[StartRecipe, ...]:
    """Return the start recipes of all regimes, in the order of the file.

    Raises:
        GuidanceError: the file has a mistake; the message names the recipe and the field.
    """
    return parse_start_recipes(read_knowledge("recipes.yaml"), load_documents())


def parse_start_recipes(entries: Any, documents: Mapping[str, Document]) -> tuple[StartRecipe, ...]:
    """Turn plain data into start recipes.

    Raises:
        GuidanceError: an unknown field, optimizer, schedule or setting, or no source.
    """
    recipes = tuple(_start_recipe(entry, documents) for entry in as_list(entries, "recipes"))
    check_unique([recipe.id for recipe in recipes], "recipe")
    return recipes


def _start_recipe(data: Any, documents: Mapping[str, Document]) -> StartRecipe:
    where = f"recipe {data.get('id', str(data)[:60])!r}" if isinstance(data, Mapping) else "a recipe"
    check_fields(data, _FIELDS, where, needed=("id", "merit", "optimizer", "schedule", "why"))
    if not isinstance(data["merit"], int) or not 0 < data["merit"] <= 100:
        raise GuidanceError(f"the merit of {where} is {data['merit']!r}; write a whole number from 1 to 100")
    return StartRecipe(
        id=data["id"],
        when=parse_conditions(data.get("when", {}), where),
        merit=data["merit"],
        recipe=_complete(data, where),
        why=parse_figures(data["why"], documents, where),
        cautions=as_texts(data.get("cautions", []), f"cautions of {where}"),
    )


def _complete(data: Mapping[str, Any], where: str) -> Recipe:
    """Fill in the catalogue's reference values; a rate that is not given follows from the momentum."""
    check_known([data["optimizer"]], OPTIMIZERS, "optimizer", where)
    check_known([data["schedule"]], SCHEDULES, "schedule", where)
    entry, schedule = OPTIMIZERS[data["optimizer"]], SCHEDULES[data["schedule"]]
    given, shape = (
        as_mapping(data.get(name, {}), f"{name} of {where}") for name in ("settings", "schedule_settings")
    )
    settings = {**reference_settings(entry), **given}
    if "lr" not in given:
        settings["lr"] = learning_rate(entry, 1.0, settings)
    recipe = Recipe(
        entry.name,
        settings,
        schedule.name,
        {**{h.name: h.reference for h in schedule.hyperparameters}, **shape},
        clip_norm=data.get("clip_norm"),
    )
    try:
        return check_recipe(recipe)
    except SpaceError as error:
        raise GuidanceError(f"{where}: {error}") from error
