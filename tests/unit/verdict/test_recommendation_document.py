import copy
import json
import math
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from autoopt.errors import UsageError
from autoopt.recipe import Recipe
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.audit import audit_study
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Reason, Recommendation, Spent
from autoopt.verdict.statistics import Interval
from autoopt.verdict.studied import StudiedRuns
from tests.unit.verdict.studies import MadeStudy

ADAMW = Recipe("adamw", {"lr": 3e-3, "weight_decay": 0.1}, "cosine", {"warmup": 0.25}, 64, 1.0)
BASELINE = Recipe("adamw", {"lr": 1e-3}, decay_all=True)


def made(**changes):
    values = {
        "study": "digits", "task": "digits_mlp", "objective": "loss", "direction": "minimize",
        "chosen": Confirmation(ADAMW, {11: 0.1, 12: 0.12}, {11: 0.2}, 0.09),
        "baseline": Confirmation(BASELINE, {11: 0.2, 12: 0.21}, failures={13: "boom"}),
        "gain": Interval(0.05, 0.095, 0.14), "relative_gain": Interval(0.2, 0.46, 0.7), "chance_best": 0.9,
        "verdict": "better", "runners_up": (Confirmation(Recipe("sgd", {"lr": 0.1}), {11: 0.3}),),
        "reasons": (Reason("transformers like AdamW", "D3", "agrees"),), "spent": Spent(20.0, 9.0, 60.5),
        "epochs": 5, "versions": {"torch": "2.9"}, "notes": ("a note",),
    }  # fmt: skip
    return Recommendation(**{**values, **changes})


def test_the_document_has_the_documented_keys():
    document = made().to_dict()
    documented = "schema study task metric direction recommendation scores baseline gain chance_best verdict"
    assert {*documented.split(), "runners_up", "reasons", "spent", "versions"} <= set(document)
    assert document["schema"] == 1
    assert document["metric"] == "loss"
    assert document["recommendation"] == ADAMW.to_dict()
    assert document["scores"] == {"11": 0.1, "12": 0.12}
    assert document["baseline"]["recommendation"] == BASELINE.to_dict()
    assert document["baseline"]["scores"] == {"11": 0.2, "12": 0.21}
    assert document["gain"] == {"low": 0.05, "middle": 0.095, "high": 0.14}
    assert document["spent"] == {"search_runs": 20.0, "confirm_runs": 9.0, "seconds": 60.5}


def test_what_is_unknown_is_null_and_comes_back():
    one_seed = made(gain=Interval(-math.inf, 0.1, math.inf), relative_gain=None)
    assert one_seed.to_dict()["gain"] == {"low": None, "middle": 0.1, "high": None}
    assert Recommendation.from_dict(one_seed.to_dict()) == one_seed
    unknown = made(gain=None)
    assert unknown.to_dict()["gain"] == {"low": None, "middle": None, "high": None}
    assert Recommendation.from_dict(unknown.to_dict()) == unknown


def test_the_audit_is_part_of_the_document_and_older_ones_have_none():
    study = MadeStudy().add("adam", scores=[0.2]).add("sgd", scores=[0.3])
    runs = StudiedRuns(study.records, study.reports, "loss", "minimize", study.epochs)
    audited = made(audit=audit_study(runs, TaskProfile("mlp", 10, 10), "adam"))
    document = json.loads(json.dumps(audited.to_dict(), allow_nan=False))

    assert Recommendation.from_dict(document) == audited
    del document["audit"]
    assert Recommendation.from_dict(document).audit is None


def test_a_saved_recommendation_loads_as_it_was(tmp_path):
    path = tmp_path / "out.json"
    made().save(path)
    assert Recommendation.load(path) == Recommendation.load(str(path)) == made()
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]


def test_only_the_documented_fields_are_needed():
    document = made().to_dict()
    for extra in ("relative_gain", "epochs", "notes", "interval", "test_scores", "search_score", "failures"):
        document.pop(extra)
    answer = Recommendation.load(document)
    assert (answer.recipe, answer.epochs, answer.notes) == (ADAMW, None, ())


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.json"
    made().save(path)
    with pytest.raises(ValueError, match="JSON"):
        made(chance_best=math.nan).save(path)
    assert Recommendation.load(path) == made()


def test_saving_where_nothing_can_be_written_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"cannot write the recommendation to .*No such file"):
        made().save(tmp_path / "nowhere" / "out.json")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*gone\.json.*No such file"):
        Recommendation.load(tmp_path / "gone.json")


@pytest.mark.parametrize("text", ["", "{", '{"schema": NaN}', "[" * 100_000, "\udcff"])
def test_a_file_that_is_not_json_is_refused(tmp_path, text):
    path = tmp_path / "out.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"out\.json' is not a JSON recommendation"):
        Recommendation.load(path)


def test_errors_in_a_file_name_the_file(tmp_path):
    path = tmp_path / "out.json"
    path.write_text(json.dumps({**made().to_dict(), "verdict": "best"}))
    with pytest.raises(
        UsageError, match=r"out\.json: verdict must be 'better' or 'tie' or 'worse', got 'best'"
    ):
        Recommendation.load(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (["study"], 3, "study must be a text, got 3"),
        (["direction"], "up", "direction must be 'minimize' or 'maximize'"),
        (["recommendation"], [], "recommendation must be a JSON object"),
        (
            ["recommendation", "optimizer"],
            "admw",
            "recommendation: unknown optimizer 'admw': did you mean 'adamw'",
        ),
        (["recommendation", "settings"], {"lr": "__import__('os')"}, "recommendation: .*lr"),
        (["recommendation", "settings"], {"momentun": 0.9}, "recommendation: unknown setting"),
        (["baseline", "recommendation", "schedule"], "cosin", "baseline.recommendation: unknown schedule"),
        (["scores"], {"one": 0.1}, "scores must have whole numbers .* got 'one'"),
        (["scores"], {"1": "low"}, "scores.1 must be a finite number, got 'low'"),
        (["scores"], {"1": math.inf}, "scores.1 must be a finite number"),
        (["scores"], {"1": None}, "scores.1 must be a finite number"),
        (["baseline", "scores"], {"1": True}, "baseline.scores.1 must be a finite number"),
        (["baseline"], 4, "baseline must be a JSON object"),
        (["gain", "low"], "no", "gain.low must be a finite number"),
        (["chance_best"], 1.5, "chance_best must be a number from 0 to 1"),
        (["runners_up"], {}, "runners_up must be a list"),
        (["runners_up", 0, "recommendation"], None, r"runners_up\[0\].recommendation must be"),
        (["reasons", 0, "stance"], "maybe", r"reasons\[0\].stance must be 'agrees'"),
        (["spent", "seconds"], 10**400, "spent.seconds must be a finite number"),
        (["epochs"], 0, "epochs must be a whole number from 1, got 0"),
        (["versions"], {"torch": 2}, "versions.torch must be a text"),
        (["notes"], [1], "notes must be a list of texts"),
        (["schema"], 2, "schema 2, written by a newer autoopt; .* reads schema 1"),
        (["schema"], "1", "schema must be 1, .* got '1'"),
        (["schema"], True, "schema must be 1"),
    ],
)
def test_a_wrong_field_is_named(place, value, message):
    document = json.loads(json.dumps(made().to_dict()))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(UsageError, match=message):
        Recommendation.from_dict(document)


@pytest.mark.parametrize(
    "field", ["study", "recommendation", "baseline", "gain", "verdict", "spent", "schema"]
)
def test_a_missing_field_is_named(field):
    document = made().to_dict()
    del document[field]
    with pytest.raises(UsageError, match=f"no field '{field}'"):
        Recommendation.from_dict(document)


def test_a_document_that_is_no_object_is_refused():
    with pytest.raises(UsageError, match="must be a JSON object"):
        Recommendation.from_dict([1, 2])


def test_it_is_a_value():
    assert pickle.loads(pickle.dumps(made())) == copy.deepcopy(made()) == made()
    assert made(chance_best=0.8) != made()
    with pytest.raises(AttributeError, match="cannot assign"):
        made().verdict = "tie"


def test_the_summary_holds_configuration_scores_and_gain():
    text = str(made())
    for part in (
        "adamw · lr 0.003",
        "loss 0.11 [",
        "baseline 0.205 [",
        "better: gain 0.095 [0.05, 0.14]",
        "+46.0%",
    ):
        assert part in text
    assert "unknown" in str(made(gain=None))
    assert "inf" not in str(made(gain=Interval(-math.inf, 0.1, math.inf)))


def test_optimizer_and_scheduler_are_plain_torch():
    model = torch.nn.Linear(3, 2)
    optimizer = made().make_optimizer(model)
    scheduler = made().make_scheduler(optimizer, 8)
    assert type(optimizer) is torch.optim.AdamW
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[:3] == pytest.approx([1e-3, 2e-3, 3e-3])
    assert rates[-1] < rates[3]


def test_reading_needs_no_torch():
    code = (
        "import sys, autoopt.export, autoopt.verdict.recommend\n"
        "assert not {'torch', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        made().save(pipe)
        assert json.loads(read.result())["schema"] == 1
    assert pipe.is_fifo()
