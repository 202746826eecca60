"""scikit-learn's own checks on the estimators, and on skorch's with a module as favourable to it as can be."""

import warnings
from collections import Counter

import torch
from sklearn.utils.estimator_checks import check_estimator
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from autoopt import AutoOptClassifier, AutoOptRegressor


class Perceptron(nn.Module):
    """Takes any number of features of any type."""

    def __init__(self, outputs=1):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, outputs))

    def forward(self, X):
        return self.layers(X.float())


class AnyShapeLoss(nn.MSELoss):
    """Takes targets of any type, as (rows,) or (rows, 1)."""

    def forward(self, output, target):
        return super().forward(output, target.to(output.dtype).reshape(output.shape))


SETTINGS = {"batch_size": 16, "random_state": 0, "budget": 7, "epochs": 8}
SKORCH = {"batch_size": 16, "max_epochs": 8, "verbose": 0}
ESTIMATORS = [
    AutoOptClassifier(**SETTINGS),
    NeuralNetClassifier(Perceptron, module__outputs=3, criterion=nn.CrossEntropyLoss, lr=0.1, **SKORCH),
    AutoOptRegressor(**SETTINGS),
    NeuralNetRegressor(Perceptron, criterion=AnyShapeLoss, lr=0.01, **SKORCH),
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for estimator in ESTIMATORS:
        torch.manual_seed(0)
        found = check_estimator(estimator, on_fail=None, on_skip=None)
        counts = Counter(result["status"] for result in found)
        print(
            type(estimator).__name__,
            *(f"{counts[status]} {status}" for status in ("passed", "failed", "skipped")),
        )
        for name in sorted({result["check_name"] for result in found if result["status"] == "failed"}):
            print(f"    {name}")
