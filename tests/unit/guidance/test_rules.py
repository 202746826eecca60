"""The rules of the package as data, and what the loader says of mistakes in such data."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import GuidanceError, UsageError
from autoopt.guidance.load import load_documents, load_rules, parse_rules
from autoopt.guidance.rule import Condition, Rule
from autoopt.tasks.profile import TaskProfile

PLAIN = TaskProfile("mlp", 1000, 1000, n_train=100_000)
PROFILES = [
    PLAIN,
    replace(PLAIN, n_train=500, n_parameters=10**7),
    TaskProfile("cnn", 1000, 1000, has_convolution=True),
    TaskProfile("resnet", 10**7, 10**7, has_batch_norm=True, has_convolution=True, has_residual=True),
    TaskProfile("rnn", 1000, 1000, has_recurrence=True, task_kind="language_model"),
    TaskProfile("attention", 1000, 1000, has_attention=True, has_layer_norm=True, pretrained=True),
    TaskProfile("embedding", 1000, 1000),
    TaskProfile("embedding", 1000, 1000, sparse_gradients=True),
    replace(PLAIN, sparse_data=0.5, noise_to_batch=20.0),
    replace(PLAIN, noise_to_batch=0.01),
]
GOOD = {"id": "a-rule", "kind": "choice", "says": "Use Adam.", "documents": ["D2"], "favours": ["adam"]}
rule_ids = [rule.id for rule in load_rules()]


@pytest.mark.parametrize("rule", load_rules(), ids=rule_ids)
def test_every_rule_cites_documents_that_exist(rule: Rule) -> None:
    assert rule.documents
    papers = {"DyingReLU", "LargeMinibatch", "MixedPrecision"} if rule.kind == "symptom" else set()
    assert set(rule.documents) <= {"D1", "D2", "D3", "D4", "D5"} | papers
    assert all(load_documents()[figure.source].kind == "measurement" for figure in rule.evidence.figures)


@pytest.mark.parametrize("rule", load_rules(), ids=rule_ids)
def test_every_rule_speaks_of_some_tasks_and_each_condition_bars_others(rule: Rule) -> None:
    assert any(rule.applies(profile) for profile in PROFILES)
    for condition in rule.when:
        assert {condition.holds(profile) for profile in PROFILES} == {True, False}


@pytest.mark.parametrize("rule", [rule for rule in load_rules() if rule.kind == "choice"], ids=lambda r: r.id)
def test_every_choice_favours_some_of_the_catalogue_over_others(rule: Rule) -> None:
    assert set(rule.favours) < set(OPTIMIZERS)
    assert not set(rule.favours) & set(rule.over)


def test_all_five_documents_are_heard() -> None:
    assert {name for rule in load_rules() for name in rule.documents} >= {"D1", "D2", "D3", "D4", "D5"}


def test_every_symptom_of_the_documents_has_a_remedy() -> None:
    symptoms = {rule.symptom: rule.remedies for rule in load_rules() if rule.kind == "symptom"}

    assert set(symptoms) == {
        "divergence", "slow convergence", "overfitting", "oscillation", "learning rate too low",
        "learning rate too high", "dead Adagrad rate", "exploding gradients",
        "divergence at the start", "stall", "loss of precision",
    }  # fmt: skip
    assert all(symptoms.values())


@pytest.mark.parametrize(
    ("profile", "spoken"),
    [
        (PROFILES[3], "residual-sgd-momentum"),
        (PROFILES[4], "recurrent-rmsprop"),
        (PROFILES[5], "attention-adamw"),
        (PROFILES[1], "small-data-adam"),
        (PROFILES[1], "large-simple-sgd-momentum"),
        (PROFILES[5], "fine-tuning-sgd"),
        (PROFILES[7], "sparse-data-adaptive"),
        (PROFILES[8], "sparse-inputs-adaptive"),
        (PROFILES[8], "batch-below-noise"),
        (PROFILES[9], "batch-above-noise"),
    ],
)
def test_rules_apply_where_the_documents_say(profile: TaskProfile, spoken: str) -> None:
    assert spoken in {rule.id for rule in load_rules() if rule.applies(profile)}
    assert spoken not in {rule.id for rule in load_rules() if rule.applies(PLAIN)}


def test_a_bound_on_an_unknown_number_does_not_hold() -> None:
    condition = Condition("n_train", below=10_000)

    assert condition.holds(replace(PLAIN, n_train=9_999))
    assert not condition.holds(replace(PLAIN, n_train=10_000))
    assert not condition.holds(replace(PLAIN, n_train=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"favors": ["adam"]}, "rule 'a-rule': unknown field 'favors': did you mean 'favours'"),
        ({"documents": []}, "has no 'documents'"),
        ({"documents": None}, "has no 'documents'"),
        ({"documents": "D2"}, "documents of rule 'a-rule' must be a list, got 'D2'"),
        ({"over": ["adamv"]}, "unknown optimizer 'adamv': did you mean 'adam"),
        ({"kind": "symptom"}, "is a symptom and names nothing in 'remedies'"),
        ({"when": {"n_train": {"below": "many"}}}, "write numbers for a count"),
        (
            {"evidence": {"verdict": "mixed", "figures": [{"says": "x"}]}},
            "a figure of rule 'a-rule' has no 'source'",
        ),
        ({"documents": ["D9"]}, "unknown document 'D9'"),
        ({"documents": [{"D2": 1}]}, "unknown document"),
        ({"favours": ["adamv"]}, "unknown optimizer 'adamv': did you mean 'adam"),
        ({"over": "sgd"}, "must be a list"),
        ({"favours": []}, "names nothing in 'favours'"),
        ({"kind": "advice"}, "it must be one of choice, alike, practice, symptom"),
        ({"strength": "huge"}, "it must be one of weak, fair, strong"),
        ({"says": {"Use": "Adam"}}, "put quotes around a sentence with a colon"),
        ({"when": {"famly": "mlp"}}, "unknown profile field 'famly': did you mean 'family'"),
        (
            {"when": {"family": "transformer"}},
            "asks for 'family' 'transformer', which no profile has; known: mlp, cnn, resnet",
        ),
        ({"when": {"has_attention": "yes"}}, "asks for 'has_attention' 'yes'"),
        ({"when": {"family": {"below": 3}}}, "write numbers for a count"),
        ({"when": {"n_train": {"under": 3}}}, "unknown bound 'under'"),
        ({"when": ["family"]}, "must map names to values"),
        ({"evidence": {"verdict": "true"}}, "it must be one of supported"),
        ({"evidence": {"verdict": "supported"}}, "with 0 figures does not fit"),
        (
            {"evidence": {"verdict": "mixed", "figures": [{"says": "x", "source": "Nobody"}]}},
            "unknown source",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_the_rule(change: dict[str, Any], message: str) -> None:
    with pytest.raises(GuidanceError) as caught:
        parse_rules([{**GOOD, **change}], load_documents())

    assert message in str(caught.value)
    assert "a-rule" in str(caught.value)


def test_data_that_are_no_rules_at_all_are_refused() -> None:
    for data in ("text", {"id": 1}, [GOOD, GOOD], ["text"]):
        with pytest.raises(GuidanceError):
            parse_rules(data, load_documents())


def test_a_guidance_error_is_the_users_to_mend() -> None:
    assert issubclass(GuidanceError, UsageError)


def test_guidance_loads_neither_torch_nor_yaml_until_it_is_asked() -> None:
    code = (
        "import sys, autoopt.guidance.guide, autoopt.guidance.audit; "
        "print(sorted({'torch', 'yaml', 'optuna', 'sqlalchemy'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
