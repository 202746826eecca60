"""The recommendation for the Trainer of Transformers: optimizer, schedule and the arguments that go with them."""

from __future__ import annotations

from autoopt.catalogue.own import entry_of
from autoopt.export.lines import IN_COMMENT, fold
from autoopt.export.pytorch import definitions
from autoopt.export.refusal import refuse_needs
from autoopt.export.schedules import follows_loss, has_warmup_apart
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation


def write_transformers(recommendation: Recommendation) -> str:
    """Return ``make_optimizer`` and ``make_scheduler``, and how to hand them to a Trainer.

    Raises:
        SpaceError: an optimizer or schedule that does not exist, or one that the Trainer's loop has no place for.
    """
    recipe = recommendation.recipe
    refuse_needs(recipe, "Transformers", "closure", "second_derivatives")
    callback = _callback(recipe)
    imports = ["from transformers import TrainerCallback"] if callback else []
    lines = [
        *definitions(recommendation, imports),
        *callback,
        "",
        "",
        *(f"# {line}".rstrip() for line in _use(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def _callback(recipe: Recipe) -> list[str]:
    """Return a class for what the Trainer does not do by itself."""
    lines: list[str] = []
    if has_warmup_apart(recipe):
        lines += [
            "",
            "    def __init__(self, warmup):",
            "        self.warmup = warmup",
            "",
            "    def on_step_end(self, args, state, control, **kwargs):",
            "        self.warmup.step()",
        ]
    if recipe.clip_value is not None:
        lines += [
            "",
            "    def on_pre_optimizer_step(self, args, state, control, **kwargs):",
            '        parameters = kwargs["model"].parameters()',
            "        torch.nn.utils.clip_grad_value_(parameters, clip_value)",
        ]
    return (
        ["", "", "class Beside(TrainerCallback):", '    """What goes with every step."""', *lines]
        if lines
        else []
    )


def _use(recipe: Recipe, epochs: int | None) -> list[str]:
    rows = "len(train_data)" if recipe.batch_size == WHOLE else "batch_size"
    clip = "clip_norm" if recipe.clip_norm is not None else "0.0"
    follows = follows_loss(recipe)
    beside = f"Beside({'warmup' if has_warmup_apart(recipe) else ''})" if _callback(recipe) else ""
    arguments = [
        '"out"', f"num_train_epochs={'...' if epochs is None else 'epochs'}", f"max_grad_norm={clip}",
        *([f"per_device_train_batch_size={rows}"] if recipe.batch_size else []),
        *(['eval_strategy="epoch"', 'metric_for_best_model="eval_loss"'] if follows else []),
    ]  # fmt: skip
    given = ["model", "arguments", "train_dataset=train_data", "eval_dataset=valid_data",
             "optimizers=(optimizer, scheduler)", *([f"callbacks=[{beside}]"] if beside else [])]  # fmt: skip
    return [
        "model, train_data and valid_data are those of your task",
        *fold(f"arguments = TrainingArguments({', '.join(arguments)})", IN_COMMENT),
        "size = arguments.train_batch_size * arguments.gradient_accumulation_steps",
        "steps = -(-len(train_data) // size) * int(arguments.num_train_epochs)",
        "optimizer = make_optimizer(model)",
        "scheduler = make_scheduler(optimizer, total_steps=steps)",
        *(["warmup = make_warmup(optimizer, total_steps=steps)"] if has_warmup_apart(recipe) else []),
        *fold(f"trainer = Trainer({', '.join(given)})", IN_COMMENT),
        "trainer.train()",
        *(
            ["with optimizer.slow_weights():", "    trainer.evaluate()  # and save with these"]
            if entry_of(recipe).around
            else []
        ),
    ]


_SLOW = ["with optimizer.slow_weights():", "    trainer.evaluate()  # and save with these"]
