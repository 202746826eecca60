"""What each of two processes runs in test_ranks: a study of a loop on distributed data, and what it found.

Arguments: rank, number of processes, a file to meet in, a folder for the answers, and what to do.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import autoopt
from autoopt.errors import AutooptError
from tests.unit.loops.examples import data, epoch, evaluate


def loop_of(kind: str, seen: list[list[float]]):
    def train(trial: autoopt.Trial) -> None:
        torch.manual_seed(trial.seed)
        model: nn.Module = nn.Linear(3, 1)
        if kind == "fsdp":
            from torch.distributed.fsdp import fully_shard

            wrapped = fully_shard(model)
        else:
            wrapped = DistributedDataParallel(model)
        X, y = data()
        rank, size = dist.get_rank(), dist.get_world_size()
        shard = list(zip(X[rank::size].split(8), y[rank::size].split(8), strict=True))
        optimizer, scheduler = trial.optimizer(wrapped, total_steps=trial.epochs * len(shard))
        for number in range(trial.epochs):
            if kind == "failing" and trial.number == 1 and rank == 1 and number == 1:
                raise ValueError("only here")
            epoch(trial, wrapped, optimizer, scheduler, shard)
            if kind == "uneven" and rank == 1:
                return
            loss = evaluate(model) if kind != "fsdp" else sharded_loss(wrapped)
            if kind != "fsdp":
                seen.append(model.weight.detach().flatten().tolist())
            trial.report(loss + rank)  # each rank its own

    return train


@torch.no_grad()
def sharded_loss(model: nn.Module) -> float:
    X, y = data(seed=1)
    return float(nn.functional.mse_loss(model(X), y))


def main() -> None:
    rank, size, meeting, folder, kind = sys.argv[1:]
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(size))
    seen: list[list[float]] = []
    try:
        recommendation = autoopt.tune(loop_of(kind, seen), budget=8, epochs=3, optimizers=["sgd", "adamw"])
        found = {"answer": recommendation.to_dict()}
    except AutooptError as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    Path(folder, f"{rank}.json").write_text(json.dumps({**found, "weights": seen}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
