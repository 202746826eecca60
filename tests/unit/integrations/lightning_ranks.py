"""What each of two processes runs in test_lightning: a study of a module under DDP, and what it found.

Arguments: a file for the answer, with the rank after it.
"""

import json
import os
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import lightning  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

import autoopt  # noqa: E402

X = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
ROWS = TensorDataset(X, X.sum(1, keepdim=True))
ENDED: list[list[float]] = []  # of every run: how many processes, and the weights in the end


class Line(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch, index):
        return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]), sync_dist=True)

    def on_train_end(self) -> None:
        ENDED.append([self.trainer.world_size, *self.layer.weight.detach().flatten().tolist()])

    def configure_optimizers(self):
        raise AssertionError("autoopt passes it over")


class Rows(lightning.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(ROWS, batch_size=8, shuffle=True)

    def val_dataloader(self):
        return DataLoader(ROWS, batch_size=16)


if __name__ == "__main__":
    dist.init_process_group("gloo")
    found = autoopt.lightning.tune(
        Line, Rows(), {"accelerator": "cpu", "strategy": "ddp", "devices": 2},
        budget=7, epochs=3, optimizers="adam,sgd",
    )  # fmt: skip
    rank = os.environ["RANK"]
    Path(f"{sys.argv[1]}.{rank}").write_text(json.dumps({"answer": found.to_dict(), "ended": ENDED}))
    dist.destroy_process_group()
