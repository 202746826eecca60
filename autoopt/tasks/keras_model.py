"""Keras 3 models on the torch backend: torch modules, save for how they are called, named and placed.

Nothing here imports Keras: where no user's code has done so, no model can be one of its.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from torch import nn

_KINDS = {
    "attention": "Attention", "rnn": "LSTM|GRU|RNN", "cnn": "Conv", "embedding": "Embedding", "mlp": "Dense",
}  # fmt: skip


def adapt(model: Any) -> Any:
    """Return a Keras model as a module that acts like any other of torch's; anything else as it is."""
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(model, nn.Module) or not isinstance(model, keras.layers.Layer):
        return model
    return KerasModel(model)


def steady(name: str) -> str:
    """Return the name of a parameter without the numbers that Keras counts up from model to model.

    >>> steady("_functional._torch_params.sequential_3/dense_7/kernel")
    '_functional._torch_params.sequential/dense/kernel'
    """
    head, params, path = name.partition("_torch_params.")
    return head + params + re.sub(r"_\d+(?=/|$)", "", path)


def keras_kinds(model: nn.Module) -> dict[str, str]:
    """Return what each parameter of a Keras model is for, by name, as the classes of its layers say."""
    if not isinstance(model, KerasModel):
        return {}
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    kinds: dict[str, str] = {}
    for layer in model.keras_model._flatten_layers():
        kind = next((k for k, names in _KINDS.items() if re.search(names, type(layer).__name__)), None)
        for variable in layer.variables if kind else ():
            if (name := named.get(id(variable.value))) is not None:
                kinds.setdefault(
                    name, kind or ""
                )  # outer layers come first: what is in attention is attention
    return kinds


def is_keras(function: Any) -> bool:
    """Return whether a loss comes from Keras, where the target comes before the output."""
    home = getattr(function, "__module__", None) or ""
    return f"{home}.".startswith("keras.") or f"{type(function).__module__}.".startswith("keras.")


class KerasModel(nn.Module):
    """A Keras model that is told whether it trains, and computes where its weights are.

    Keras takes ``training`` as an argument of the call and leaves ``train()`` and ``eval()`` without effect, so
    dropout would never act. Its operations run on a device of their own choice unless told otherwise. Whatever
    else is asked of it is the model's own.

    Attributes:
        keras_model: the user's.
    """

    def __init__(self, keras_model: Any) -> None:
        super().__init__()
        self.keras_model = keras_model
        self._track()

    def forward(self, *inputs: Any) -> Any:
        """Run the model; several inputs of a functional model go as a list, as Keras wants them."""
        wanted = getattr(self.keras_model, "inputs", None)
        given = (list(inputs),) if wanted is not None and len(wanted) > 1 else inputs
        place = next((parameter.device for parameter in self.parameters()), inputs[0].device)
        with sys.modules["keras"].device(str(place)):
            output = self.keras_model(*given, training=self.training)
        self._track()
        return output

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("keras_model"), name)

    def __repr__(self) -> str:
        """Return the layers with their settings, without the numbers that Keras counts up."""
        try:
            told = json.dumps(self.keras_model.get_config(), default=str, sort_keys=True)
        except Exception:  # a model of the user's own class need not tell
            told = "…"
        return f"{type(self.keras_model).__name__}({re.sub(r'_[0-9]+(?=[^A-Za-z0-9_])', '', told)})"

    def _track(self) -> None:
        """Let Keras hand its weights to torch, once it has any: before a first call a model may have none."""
        if getattr(self.keras_model, "built", False) and not hasattr(self.keras_model, "_torch_params"):
            self.keras_model.torch_params  # noqa: B018
