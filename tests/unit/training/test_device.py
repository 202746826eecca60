"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from autoopt.errors import UsageError
from autoopt.training.device import choose_device, describe_devices, device_for

from .examples import make_net, make_task


@pytest.fixture
def cuda_devices(monkeypatch: pytest.MonkeyPatch):
    def set_count(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return set_count


def test_auto_is_cuda_where_there_is_one(cuda_devices) -> None:
    cuda_devices(1)
    assert choose_device() == "cuda"


@pytest.fixture
def apple_chip(monkeypatch: pytest.MonkeyPatch):
    def be_there(*, there: bool) -> None:
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there)

    return be_there


def test_auto_is_an_apple_chip_where_there_is_no_cuda(cuda_devices, apple_chip) -> None:
    cuda_devices(0), apple_chip(there=True)
    assert choose_device("auto") == "mps"
    cuda_devices(1)
    assert choose_device("auto") == "cuda"


def test_auto_is_the_processor_elsewhere(cuda_devices, apple_chip) -> None:
    cuda_devices(0), apple_chip(there=False)
    assert choose_device("auto") == "cpu"


def test_a_model_in_float64_is_left_to_the_processor_unless_somebody_wants_otherwise(
    cuda_devices, apple_chip
) -> None:
    cuda_devices(0), apple_chip(there=True)
    doubles = make_task(lambda: make_net().double())
    assert [device_for(doubles, name) for name in ("auto", "mps")] == ["cpu", "mps"]
    assert device_for(make_task(), "auto") == "mps"


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_device_that_is_there_is_taken(cuda_devices, name: str) -> None:
    cuda_devices(2)
    assert choose_device(name) == name


def test_a_cuda_device_beyond_the_last_is_refused(cuda_devices) -> None:
    cuda_devices(2)
    with pytest.raises(UsageError, match="'cuda:2' is not there: torch finds cuda:0 to cuda:1"):
        choose_device("cuda:2")


def test_cuda_without_any_device_is_refused(cuda_devices) -> None:
    cuda_devices(0)
    with pytest.raises(UsageError, match="'cuda' is not there: torch finds no cuda device here; write cpu"):
        choose_device("cuda")


def test_mps_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match="needs an Apple chip"):
        choose_device("mps")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_an_unknown_name_is_refused_with_what_is_known(name: str) -> None:
    with pytest.raises(UsageError, match="Known: auto, cpu, cuda"):
        choose_device(name)


def test_the_processor_is_described_first() -> None:
    processor, *_ = describe_devices()
    assert processor.name == "cpu"
    assert processor.title
    assert 0 < processor.free_bytes <= processor.memory_bytes
    assert processor.threads == torch.get_num_threads()
