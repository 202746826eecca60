"""The recommendation for skorch: a class to put before that of a net."""

from __future__ import annotations

from autoopt.catalogue.own import entry_of
from autoopt.export.lines import IN_COMMENT, fold
from autoopt.export.pytorch import definitions
from autoopt.export.refusal import refuse_needs
from autoopt.export.schedules import follows_loss, has_warmup_apart
from autoopt.recipe import WHOLE, Recipe
from autoopt.verdict.recommendation import Recommendation

_CLIPPED = {
    "clip_norm": "torch.nn.utils.clip_grad_norm_(self.module_.parameters(), clip_norm)",
    "clip_value": "torch.nn.utils.clip_grad_value_(self.module_.parameters(), clip_value)",
}


def write_skorch(recommendation: Recommendation) -> str:
    """Return a class ``Tuned`` that optimizes and schedules, to inherit from first, and how to make the net.

    Raises:
        SpaceError: an optimizer or schedule that does not exist, or one that skorch's loop has no place for.
    """
    recipe = recommendation.recipe
    refuse_needs(recipe, "skorch", "second_derivatives")
    lines = [
        *definitions(recommendation),
        "",
        "",
        "class Tuned:",
        '    """Inherit from it first, then from a net of skorch."""',
        *_methods(recipe),
        "",
        "",
        *(f"# {line}".rstrip() for line in _use(recipe, recommendation.epochs)),
    ]
    return "\n".join(lines) + "\n"


def _methods(recipe: Recipe) -> list[str]:
    follows, apart = follows_loss(recipe), has_warmup_apart(recipe)
    clip = next((line for name, line in _CLIPPED.items() if getattr(recipe, name) is not None), None)
    by_batch = ["self.scheduler_.step()"] * (not follows) + ["self.warmup_.step()"] * apart
    return [
        *_method("initialize_optimizer(self, *args, **kwargs)", [
            "self.optimizer_ = make_optimizer(self.module_)",
            "self.scheduler_ = None",
            "return self",
        ]),
        *_method("on_epoch_begin(self, net, dataset_train=None, **kwargs)", [
            "super().on_epoch_begin(net, dataset_train=dataset_train, **kwargs)",
            "if self.scheduler_ is None:",
            "    batches = self.get_iterator(dataset_train, training=True)",
            "    steps = self.max_epochs * len(batches)",
            "    self.scheduler_ = make_scheduler(self.optimizer_, steps)",
            *(["    self.warmup_ = make_warmup(self.optimizer_, steps)"] if apart else []),
            *(["else:", '    self.scheduler_.step(self.history[-2, "valid_loss"])'] if follows else []),
        ]),
        *(_method("on_grad_computed(self, net, named_parameters, **kwargs)", [
            "super().on_grad_computed(net, named_parameters, **kwargs)", clip,
        ]) if clip else []),
        *(_method("on_batch_end(self, net, batch=None, training=False, **kwargs)", [
            "super().on_batch_end(net, batch, training, **kwargs)",
            "if training:",
            *(f"    {line}" for line in by_batch),
        ]) if by_batch else []),
        *(_SWITCHES if "switches" in entry_of(recipe).needs else []),
    ]  # fmt: skip


def _method(head: str, body: list[str]) -> list[str]:
    return ["", f"    def {head}:", *(f"        {line}" for line in body)]


_SWITCHES = [
    *_method(
        "on_batch_begin(self, net, batch=None, training=False, **kwargs)",
        [
            "super().on_batch_begin(net, batch, training, **kwargs)",
            "self.optimizer_.train() if training else self.optimizer_.eval()",
        ],
    ),
    *_method("on_train_end(self, net, **kwargs)",
             ["super().on_train_end(net, **kwargs)", "self.optimizer_.eval()  # the weights to predict with"]),
]  # fmt: skip


def _use(recipe: Recipe, epochs: int | None) -> list[str]:
    size = "-1" if recipe.batch_size == WHOLE else "batch_size" if recipe.batch_size else ""
    given = ["YourModule", f"max_epochs={'...' if epochs is None else 'epochs'}",
             *([f"batch_size={size}"] if size else []), "iterator_train__shuffle=True"]  # fmt: skip
    return [
        "YourModule is that of your task; the net any of skorch",
        "class TunedNet(Tuned, NeuralNetClassifier): pass",
        *fold(f"net = TunedNet({', '.join(given)})", IN_COMMENT),
        "net.fit(X, y)",
        *(
            ["with net.optimizer_.slow_weights():", "    ...  # predict with these"]
            if entry_of(recipe).around
            else []
        ),
    ]
