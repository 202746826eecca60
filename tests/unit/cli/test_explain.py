import re
from dataclasses import replace

import pytest

from autoopt.catalogue import OPTIMIZERS, SCHEDULES

ENTRIES = {**OPTIMIZERS, **SCHEDULES}


def flat(text):
    """Text without the breaks of lines and columns."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_told_in_full(command, name):
    entry, out = ENTRIES[name], flat(command("explain", name).out)
    assert out.startswith(entry.title)
    assert entry.says in out
    assert entry.formula in out
    assert all(reference in out for reference in entry.references)
    assert all(hyperparameter.name in out for hyperparameter in entry.hyperparameters)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_told_in_full_as_json(command, name):
    told = command("explain", name, "--json").json
    assert (told["name"], told["formula"]) == (name, ENTRIES[name].formula)
    assert told["kind"] == ("optimizer" if name in OPTIMIZERS else "schedule")
    assert [each["says"] for each in told["hyperparameters"]] == [
        h.says for h in ENTRIES[name].hyperparameters
    ]


@pytest.mark.parametrize(
    ("written", "name"), [("AdamW", "adamw"), ("SPARSE-ADAM", "sparse_adam"), ("one cycle", "one_cycle")]
)
def test_a_name_may_be_spelled_in_other_ways(command, written, name):
    assert command("explain", written, "--json").json["name"] == name


def test_an_unknown_name_is_answered_with_the_nearest(command):
    outcome = command("explain", "adamv")
    assert outcome.status == 2
    assert "unknown optimizer or schedule 'adamv': did you mean 'adam" in outcome.err


def test_what_is_not_installed_says_how_to_get_it(command, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "lion", replace(OPTIMIZERS["lion"], target="not_installed_here:Lion"))
    assert "pip install 'autoopt[optimizers]'" in flat(command("explain", "lion").out)
    assert not command("explain", "lion", "--json").json["available"]
    assert "not installed" in command("optimizers").out


def test_needs_are_told_in_words(command):
    assert "whole training set" in flat(command("explain", "rprop").out)
    assert "(1 − momentum)" in flat(command("explain", "sgd").out)


def test_an_optimizer_of_ones_own_is_explained_by_its_signature(command, tmp_path):
    (tmp_path / "lions.py").write_text("import torch\nclass Lion(torch.optim.SGD):\n    'A cat.'\n")
    out = flat(command("explain", "lions.py:Lion name=cat momentum=0.8..0.9").out)
    assert out.startswith("Lion optimizer · cat A cat.")
    assert "with --optimizer-from" in out
    assert "momentum 0.8 to 0.9" in out
    assert "Formula" not in out
    assert command("explain", "lions.py:Lion name=cat", "--json").json["target"] == "lions:Lion"
