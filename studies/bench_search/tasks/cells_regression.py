"""The ten worst values of a tumour's cells from the other twenty, with a multilayer perceptron.

569 rows that scikit-learn ships (breast cancer Wisconsin, Street, Wolberg and Mangasarian, 1993), standardised: inputs
are means and standard errors of ten measurements of cell nuclei, targets the means of the three worst cells.
"""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

epochs = 9
batch_size = 16
loss = "mse_loss"

values = torch.tensor(load_breast_cancer().data, dtype=torch.float32)
values = values[torch.randperm(len(values), generator=torch.Generator().manual_seed(0))].log1p()
values = (values - values[:369].mean(0)) / values[:369].std(0)
train_data, val_data, test_data = (
    (values[a:b, :20], values[a:b, 20:]) for a, b in ((0, 369), (369, 469), (469, 569))
)


def model():
    return nn.Sequential(nn.Linear(20, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 10))
