"""A training script with a command line, as many repositories have one."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autoopt

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--hidden", type=int, default=32)
args = parser.parse_args()

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
loader = DataLoader(TensorDataset(X[:1400], y[:1400]), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(64, args.hidden), nn.ReLU(), nn.Linear(args.hidden, 10))

trial = autoopt.current_trial(epochs=args.epochs)
optimizer, scheduler = trial.optimizer(model, total_steps=args.epochs * len(loader))
for epoch in range(args.epochs):
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
    model.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(X[1400:]), y[1400:])
    print(f"epoch {epoch + 1}: validation loss {loss:.4f}")
    trial.report(loss)
