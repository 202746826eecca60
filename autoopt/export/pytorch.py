"""The recommendation as PyTorch code to paste: plain torch classes, every number written out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from importlib.resources import files

from autoopt.catalogue.own import entry_of
from autoopt.export.lines import IN_COMMENT, comment, fold
from autoopt.export.schedules import follows_loss, has_warmup_apart, write_scheduler
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation


def write_pytorch(recommendation: Recommendation) -> str:
    """Return ``make_optimizer(model)`` and ``make_scheduler(optimizer, total_steps)`` as code, and a loop.

    Whatever the study, the task or the recipe are called, it stands in the code as an escaped literal.

    Raises:
        SpaceError: the recipe has an optimizer or a schedule that does not exist.
    """
    recipe = recommendation.recipe
    lines = [
        *definitions(recommendation),
        "",
        "",
        *(f"# {line}".rstrip() for line in _loop(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def definitions(recommendation: Recommendation, imports: Sequence[str] = ()) -> list[str]:
    """Return the lines that define ``make_optimizer`` and ``make_scheduler``, for every library on torch.

    Args:
        imports: further lines to begin with.

    Raises:
        SpaceError: the recipe has an optimizer or a schedule that does not exist.
    """
    recipe = recommendation.recipe
    return [
        *heading(recommendation),
        "import torch",
        *imports,
        *_extra_imports(recipe),
        "from torch.optim import lr_scheduler",
        "",
        *constants(recipe, recommendation.epochs),
        "",
        "",
        *(line for module, _ in _targets(recipe) for line in _own_class(module)),
        *_make_optimizer(recipe),
        "",
        "",
        *write_scheduler(recipe),
    ]


def heading(recommendation: Recommendation) -> list[str]:
    """Return comments that say what the code is for."""
    return [
        *comment(
            f"Recommended by autoopt for {recommendation.task!r} in the study {recommendation.study!r}:"
        ),
        *comment(repr(str(recommendation.recipe))),
    ]


def _targets(recipe: Recipe) -> list[tuple[str, str]]:
    """Return module and class of the optimizer, and of the one within where it goes around another."""
    entry = entry_of(recipe)
    targets = [entry.target, *([entry.around.target] if entry.around else [])]
    return [(module, name) for module, _, name in (target.partition(":") for target in targets)]


def _extra_imports(recipe: Recipe) -> list[str]:
    return [line for module, name in _targets(recipe) for line in _extra_import(module, name)]


def _extra_import(module: str, name: str) -> list[str]:
    if module == "torch.optim" or _is_ours(module):
        return []
    if module == "__main__":
        return comment(f"{name} is the class of the program that called autoopt: define or import it here")
    return [f"from {module} import {name.partition('.')[0]}"]


def _is_ours(module: str) -> bool:
    return module.startswith("autoopt.")


def _own_class(module: str) -> list[str]:
    """Return the source of an optimizer that is autoopt's own, so that the code runs where autoopt is not."""
    if not _is_ours(module):
        return []
    *rooms, file = module.split(".")
    source = files(rooms[0]).joinpath(*rooms[1:], f"{file}.py").read_text(encoding="utf-8")
    kept = [
        statement
        for statement in ast.parse(source).body[1:]  # without the docstring
        if not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
    ]
    return [*source.splitlines()[kept[0].lineno - 1 :], "", ""]


def constants(recipe: Recipe, epochs: int | None) -> list[str]:
    """Return what stands at the top of the code: batch size, epochs, clipping, what the user's loop asked for."""
    rows = None if recipe.batch_size == WHOLE else recipe.batch_size
    values = {"batch_size": rows, "epochs": epochs, "clip_norm": recipe.clip_norm,
              "clip_value": recipe.clip_value}  # fmt: skip
    lines = [f"{name} = {value!r}" for name, value in values.items() if value is not None] or [
        "# batch size and epochs: as in your task"
    ]
    return [*lines, *_own_settings(recipe)]


def _own_settings(recipe: Recipe) -> list[str]:
    """Return a dict of the hyperparameters of the user's own loop; names and choices stand in it as literals."""
    if not recipe.extras:
        return []
    items = (f"    {name!a}: {value!a}," for name, value in recipe.extras.items())
    return ["loop_settings = {  # what your own training loop asks for", *items, "}"]


def _make_optimizer(recipe: Recipe) -> list[str]:
    made, *within = [
        f"torch.optim.{name}" if module == "torch.optim" else name for module, name in _targets(recipe)
    ]
    arguments = entry_of(recipe).arguments(recipe.settings)
    written = "".join(
        f", {argument}={within[0] if within and argument == 'inner' else repr(value)}"
        for argument, value in arguments.items()
    )
    lines = [
        "def make_optimizer(model):",
        "    parameters = [p for p in model.parameters() if p.requires_grad]",
    ]
    all_alike = recipe.decay_all or not recipe.settings.get("weight_decay")
    if "hidden_matrices" in entry_of(recipe).needs:
        return [*lines, *_groups_for_muon(all_alike), *fold(f"    return {made}(groups{written})")]
    if all_alike:
        return [*lines, *fold(f"    return {made}(parameters{written})")]
    return [
        *lines,
        "    decayed = [p for p in parameters if p.ndim >= 2]",
        "    others = [p for p in parameters if p.ndim < 2]  # biases and normalisation",
        '    groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]',
        '    groups = [group for group in groups if group["params"]]',
        *fold(f"    return {made}(groups{written})"),
    ]


def _loop(recipe: Recipe, epochs: int | None) -> list[str]:
    rows = "len(train_data)" if recipe.batch_size == WHOLE else "batch_size"
    batch_size = "" if recipe.batch_size is None else f", batch_size={rows}"
    apart, switches = has_warmup_apart(recipe), "switches" in entry_of(recipe).needs
    return [
        "model, train_data and loss_function are those of your task",
        *(_ON_WHOLE if recipe.batch_size == WHOLE else []),
        *fold(f"loader = torch.utils.data.DataLoader(train_data, shuffle=True{batch_size})", IN_COMMENT),
        *(["epochs = ...  # as many as in your task"] if epochs is None else []),
        "optimizer = make_optimizer(model)",
        "scheduler = make_scheduler(optimizer, total_steps=epochs * len(loader))",
        *(["warmup = make_warmup(optimizer, total_steps=epochs * len(loader))"] if apart else []),
        "for epoch in range(epochs):",
        *(["    optimizer.train()  # the weights to train"] if switches else []),
        "    for inputs, targets in loader:",
        *(f"        {line}".rstrip() for line in _step(recipe)),
        *(["        warmup.step()  # after every batch"] if apart else []),
        "    scheduler.step(valid_loss)  # on your validation data, every epoch"
        if follows_loss(recipe)
        else "        scheduler.step()  # after every batch",
        *(_SWITCHED if switches else []),
        *(_SLOW if entry_of(recipe).around else []),
    ]


_ON_WHOLE = [
    "# the whole training set is one batch; where memory is too small for that,",
    "# add up the gradients of parts of it before every step",
]


def _groups_for_muon(all_alike: bool) -> list[str]:
    rest = [
        "    decayed = [p for p in rest if p.ndim >= 2]",
        "    others = [p for p in rest if p.ndim < 2]  # biases and normalisation",
    ]
    groups = ['{"params": decayed, "use_muon": False}',
              '{"params": others, "use_muon": False, "weight_decay": 0.0}']  # fmt: skip
    return [
        "    hidden = set(hidden_matrices(model))",
        "    matrices = [p for p in parameters if p in hidden]",
        "    rest = [p for p in parameters if p not in hidden]  # AdamW's",
        *([] if all_alike else rest),
        "    groups = [",
        '        {"params": matrices, "use_muon": True},',
        *(
            f"        {group},"
            for group in (['{"params": rest, "use_muon": False}'] if all_alike else groups)
        ),
        "    ]",
        '    groups = [group for group in groups if group["params"]]',
    ]


_SLOW = [
    "    with optimizer.slow_weights():",
    "        ...  # evaluate and save the model with these",
]


_SWITCHED = [
    "    optimizer.eval()  # the averaged weights: evaluate and save these",
    "    # with batch normalisation, first show 50 training batches to the",
    "    # model, in training mode and without gradients",
]


def _step(recipe: Recipe) -> list[str]:
    needs, loss = entry_of(recipe).needs, "loss_function(model(inputs), targets)"
    if "second_derivatives" in needs:
        return [
            "# no backward pass: the optimizer derives the loss itself, twice",
            f"optimizer.step(lambda: {loss})",
        ]
    if "closure" in needs:
        inside = ["optimizer.zero_grad()", f"loss = {loss}", "loss.backward()", *_clip(recipe), "return loss"]
        return ["def closure():", *(f"    {line}" for line in inside), "", "optimizer.step(closure)"]
    return ["optimizer.zero_grad()", f"{loss}.backward()", *_clip(recipe), "optimizer.step()"]


def _clip(recipe: Recipe) -> list[str]:
    if recipe.clip_norm is not None:
        return ["torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)"]
    if recipe.clip_value is not None:
        return ["torch.nn.utils.clip_grad_value_(model.parameters(), clip_value)"]
    return []
