"""The recommendation for Lightning: a class to put before a module's own, and the trainer's arguments."""

from __future__ import annotations

from autoopt.catalogue.own import entry_of
from autoopt.export.lines import IN_COMMENT, fold
from autoopt.export.pytorch import definitions
from autoopt.export.refusal import refuse_needs
from autoopt.export.schedules import follows_loss, has_warmup_apart
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation


def write_lightning(recommendation: Recommendation) -> str:
    """Return a class ``Tuned`` with ``configure_optimizers``, to inherit from first, and how to call the trainer.

    Raises:
        SpaceError: an optimizer or schedule that does not exist, or one that Lightning's loop has no place for.
    """
    recipe = recommendation.recipe
    refuse_needs(recipe, "Lightning", "second_derivatives")
    lines = [
        *definitions(recommendation),
        "",
        "",
        "class Tuned:",
        '    """Inherit from it first, then from your module."""',
        "",
        "    def configure_optimizers(self):",
        *(f"        {line}" for line in _configure(recipe)),
        *_judged_weights(recipe),
        "",
        "",
        *(f"# {line}".rstrip() for line in _use(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def _configure(recipe: Recipe) -> list[str]:
    lines = [
        "optimizer = make_optimizer(self)",
        "steps = int(self.trainer.estimated_stepping_batches)",
        "scheduler = make_scheduler(optimizer, total_steps=steps)",
    ]
    if not follows_loss(recipe):
        return [*lines, 'by_step = {"scheduler": scheduler, "interval": "step"}',
                'return {"optimizer": optimizer, "lr_scheduler": by_step}']  # fmt: skip
    plateau = 'by_loss = {"scheduler": scheduler, "monitor": "val_loss"}  # log it'
    if not has_warmup_apart(recipe):
        return [*lines, plateau, 'return {"optimizer": optimizer, "lr_scheduler": by_loss}']
    return [
        *lines,
        plateau,
        "warmup = make_warmup(optimizer, total_steps=steps)",
        'by_step = {"scheduler": warmup, "interval": "step"}',
        "return [optimizer], [by_loss, by_step]",
    ]


def _judged_weights(recipe: Recipe) -> list[str]:
    """Return hooks for an optimizer whose weights to judge are not those that it trains."""
    entry = entry_of(recipe)
    if "switches" in entry.needs:
        return _hooks("self.optimizers().optimizer.train()", "self.optimizers().optimizer.eval()")
    if entry.around is None:
        return []
    return _hooks(
        "self.__dict__.pop('slow').__exit__(None, None, None)",
        "self.slow = self.optimizers().optimizer.slow_weights()",
        "self.slow.__enter__()",
    )


def _hooks(back: str, *there: str) -> list[str]:
    """Return the methods that put the judged weights in for every validation, and at the end of the training."""
    guarded = "slow" in back
    begin = [
        "    def on_train_epoch_start(self):",
        "        super().on_train_epoch_start()",
        f"        {back}",
    ]
    return [
        "",
        *([] if guarded else [*begin, ""]),
        "    def on_validation_start(self):",
        "        super().on_validation_start()",
        *(f"        {line}" for line in there),
        "",
        "    def on_validation_end(self):",
        "        super().on_validation_end()",
        f"        {back}",
        "",
        "    def on_train_end(self):",
        "        super().on_train_end()",
        *(f"        {line}" for line in there),
    ]


def _use(recipe: Recipe, epochs: int | None) -> list[str]:
    clip = {"norm": recipe.clip_norm, "value": recipe.clip_value}
    named = next((kind for kind, value in clip.items() if value is not None), None)
    clipping = f", gradient_clip_val=clip_{named}, gradient_clip_algorithm={named!r}" if named else ""
    rows = "all rows" if recipe.batch_size == WHOLE else "batch_size rows" if recipe.batch_size else ""
    return [
        "YourModule and datamodule are those of your task",
        *([f"its training batches have {rows}"] if rows else []),
        "class TunedModule(Tuned, YourModule): pass",
        *fold(f"trainer = Trainer(max_epochs={'...' if epochs is None else 'epochs'}{clipping})", IN_COMMENT),
        "trainer.fit(TunedModule(), datamodule)",
    ]
