"""A training loop, as it stands in many notebooks."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autoopt

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
loader = DataLoader(TensorDataset(X[:1400], y[:1400]), batch_size=64, shuffle=True)
EPOCHS = 6


def train(trial):
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer, scheduler = trial.optimizer(model, total_steps=EPOCHS * len(loader))
    for _ in range(EPOCHS):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            scheduler.step()
        model.eval()
        with torch.no_grad():
            loss = nn.functional.cross_entropy(model(X[1400:]), y[1400:])
        trial.report(loss)


print(autoopt.tune(train, budget=8, epochs=EPOCHS))
