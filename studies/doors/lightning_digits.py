"""Handwritten digits with Lightning."""

import lightning
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import autoopt


class Digits(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))

    def training_step(self, batch, index):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Data(lightning.LightningDataModule):
    def setup(self, stage):
        X, y = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
        rows = TensorDataset(X.float() / 16, y)
        self.parts = torch.utils.data.random_split(rows, [0.8, 0.2], torch.Generator().manual_seed(0))

    def train_dataloader(self):
        return DataLoader(self.parts[0], batch_size=64, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], batch_size=256)


recommendation = autoopt.lightning.tune(Digits, Data(), {"accelerator": "cpu"}, budget=8, epochs=6)
print(recommendation)
