import ast
import dataclasses
import inspect
from importlib import import_module

import pytest
import yaml

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import SpaceError, UsageError
from autoopt.export import WRITERS, write
from autoopt.export.lines import WIDTH
from autoopt.recipe import Recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Recommendation

CODE = [name for name in WRITERS if name not in ("json", "yaml")]
BASELINE = Confirmation(Recipe("adamw", {"lr": 1e-3}, decay_all=True), {1: 0.4})


def recommendation(recipe, **changes):
    made = Recommendation(
        study="s", task="t", objective="loss", direction="minimize", chosen=Confirmation(recipe, {1: 0.3}),
        baseline=BASELINE, gain=None, relative_gain=None, chance_best=0.5, verdict="tie",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def test_an_unknown_format_offers_the_nearest():
    with pytest.raises(UsageError, match="unknown format 'pytorh': did you mean 'pytorch'"):
        write(recommendation(Recipe("sgd", {"lr": 0.1})), "pytorh")


def test_numbers_stand_as_they_are():
    recipe = Recipe("adamw", {"lr": 0.0031, "weight_decay": 0.1}, batch_size=64, clip_norm=0.5)
    code = write(recommendation(recipe, epochs=7), "pytorch")
    for part in ("torch.optim.AdamW(groups, lr=0.0031, weight_decay=0.1)", "batch_size = 64", "epochs = 7",
                 "clip_norm = 0.5", "clip_grad_norm_(model.parameters(), clip_norm)"):  # fmt: skip
        assert part in code


def test_what_is_not_used_is_not_written():
    code = write(recommendation(Recipe("sgd", {"lr": 0.1})), "pytorch")
    for part in ("clip", "warmup", "weight_decay", "batch_size"):
        assert part not in code


@pytest.mark.parametrize("format", CODE)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_line_is_longer_than_a_terminal(optimizer, format):
    for schedule in SCHEDULES:
        no_line_is_too_long(optimizer, schedule, format)


def is_refused(recipe, format):
    """Say whether a library cannot have a recipe; what it says must help."""
    try:
        write(recommendation(recipe), format)
    except SpaceError as refusal:
        return "take the format pytorch" in str(refusal)
    return False


def no_line_is_too_long(optimizer, schedule, format):
    third = 1 / 3  # as many digits as numbers have
    settings = {
        each.name: third if each.kind == "float" else each.reference
        for each in OPTIMIZERS[optimizer].hyperparameters
    }
    shape = {
        each.name: third if each.kind == "float" else each.reference
        for each in SCHEDULES[schedule].hyperparameters
    }
    recipe = Recipe(optimizer, settings, schedule, shape, 64, third)
    if format != "pytorch" and is_refused(recipe, format):
        return
    code = write(recommendation(recipe), format)
    module = import_module(OPTIMIZERS[optimizer].target.partition(":")[0])
    own = inspect.getsource(module).splitlines() if module.__name__.startswith("autoopt") else []
    assert max(len(line) for line in code.splitlines() if line not in own) <= WIDTH
    assert ast.parse(code)


@pytest.mark.parametrize("epochs", [None, 3])
@pytest.mark.parametrize("clipping", [{}, {"clip_norm": 2.0}, {"clip_value": 0.5}])
def test_the_loop_is_code_once_uncommented(epochs, clipping):
    code = write(recommendation(Recipe("sgd", {"lr": 0.1}, **clipping), epochs=epochs), "pytorch")
    for name, value in clipping.items():
        assert f"{name} = {value}" in code
        assert f"clip_grad_{name.removeprefix('clip_')}_(model.parameters(), {name})" in code
    loop = [line.removeprefix("# ") for line in code[code.index("# loader") :].splitlines()]
    assert ast.parse("\n".join(loop))


@pytest.mark.parametrize("format", CODE)
@pytest.mark.parametrize(
    "name", ["x\nimport os", "x\rimport os", "\u2028import os", '"""', "\ud800", "\\", "\0"]
)
def test_names_cannot_become_code(name, format):
    harmless, code = (
        write(recommendation(Recipe("sgd", {"lr": 0.1}), study=each, task=each), format)
        for each in ("x", name)
    )
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(harmless))


@pytest.mark.parametrize("format", CODE)
def test_the_code_holds_what_the_loop_of_the_user_asked_for(format):
    extras = {"width": 4, "slope": 0.1, "act": '"}\nimport os', "\u2028# {": True}
    code = write(recommendation(Recipe("sgd", {"lr": 0.1}, extras=extras)), format)
    (written,) = (each for each in ast.parse(code).body
                  if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "loop_settings")  # fmt: skip
    assert ast.literal_eval(written.value) == extras


@pytest.mark.parametrize("recipe", [Recipe("adamv"), Recipe("sgd", schedule="cosin")])
def test_a_recipe_outside_the_catalogue_is_refused(recipe):
    with pytest.raises(SpaceError, match="unknown"):
        write(recommendation(recipe), "pytorch")


@pytest.mark.parametrize("name", ["\ud800", "\u2028\x85é\x00", "no", "1e5", "a: b\n- c", ""])
def test_yaml_holds_the_document(name):
    answer = recommendation(Recipe("sgd", {"lr": 1e-5}), study=name)
    assert Recommendation.load(yaml.safe_load(write(answer, "yaml"))) == answer
