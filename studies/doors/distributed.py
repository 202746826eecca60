"""Distributed training with DistributedDataParallel; start it with torchrun --nproc-per-node 2."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import autoopt

torch.distributed.init_process_group("gloo")
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
data = TensorDataset(X[:1400], y[:1400])
EPOCHS = 6


def train(trial):
    model = DistributedDataParallel(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=32, sampler=sampler)
    optimizer, scheduler = trial.optimizer(model, total_steps=EPOCHS * len(loader))
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            scheduler.step()
        with torch.no_grad():
            loss = nn.functional.cross_entropy(model.module(X[1400:]), y[1400:])
        trial.report(loss)


print(autoopt.tune(train, budget=8, epochs=EPOCHS))
torch.distributed.destroy_process_group()
