"""The audit of a whole study."""

import json
from dataclasses import asdict

import pytest

from autoopt.errors import UsageError
from autoopt.guidance.load import load_rules
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.audit import Audit, audit_study, profile_from_dict
from autoopt.verdict.fields import Fields
from autoopt.verdict.reasons import rule_reasons
from autoopt.verdict.studied import StudiedRuns
from tests.unit.verdict.studies import MadeStudy

SMALL = TaskProfile("mlp", 2_000, 2_000, n_train=1_000)


def audited(study, profile=SMALL, chosen="adam"):
    runs = StudiedRuns(study.records, study.reports, "loss", "minimize", study.epochs)
    return audit_study(runs, profile, chosen)


def made():
    study = (
        MadeStudy()
        .add("adam", scores=[0.2] * 9)
        .add("sgd", scores=[0.9] * 9)
        .add("rmsprop", scores=[0.8] * 9)
    )
    return study.confirm("adam", scores=[0.19, 0.2, 0.21])


def test_every_rule_that_applies_is_heard_and_no_other():
    found = audited(made()).findings

    assert {f.rule_id for f in found} == {rule.id for rule in load_rules() if rule.applies(SMALL)}
    assert "adam" in found[0].favours


def test_a_rule_that_no_study_can_test_says_so():
    found = audited(made(), TaskProfile("cnn", 10, 10, has_batch_norm=True)).findings

    assert next(f for f in found if f.rule_id == "batch-norm-helps").stance == "not tested"


def test_rules_on_the_same_optimizers_give_one_reason_with_all_sources():
    reasons = rule_reasons(audited(made()).findings)

    (adam,) = [reason for reason in reasons if reason.says.startswith("Adam is the default")]
    assert "small data sets call for Adam" in adam.says
    assert (adam.source, adam.stance) == ("D2, D3, D4", "agrees")


def test_a_rule_whose_optimizer_was_not_tried_says_which():
    found = {f.rule_id: f for f in audited(made(), TaskProfile("embedding", 10, 10)).findings}

    assert found["sparser-adam-over-rmsprop"].stance == "agrees"
    assert found["adagrad-rate-dies"].figures == "Adagrad was not tried"


def test_the_audit_survives_json_with_what_is_unknown():
    for study in (made(), MadeStudy().add("adam", scores=[0.2]).add("sgd", scores=[0.3])):
        audit = audited(study)
        text = json.dumps(audit.to_dict(), allow_nan=False)
        again = Audit.from_fields(Fields(json.loads(text)))
        assert again == audit


def test_the_profile_is_kept_and_read_back_by_other_versions_too():
    kept = audited(made()).profile

    assert profile_from_dict(kept) == SMALL
    assert profile_from_dict({**kept, "of_a_later_version": 1}) == SMALL
    assert set(kept) == set(asdict(SMALL))
    with pytest.raises(UsageError, match="profile kept with this study"):
        profile_from_dict({"n_train": 3})


def test_a_wrong_field_of_an_audit_is_named():
    data = audited(made()).to_dict()
    data["findings"][0]["stance"] = "maybe"

    with pytest.raises(UsageError, match=r"findings\[0\].stance must be 'agrees'"):
        Audit.from_fields(Fields(data))
