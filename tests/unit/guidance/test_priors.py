"""Learning rates to expect."""

from __future__ import annotations

import math

import pytest

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import GuidanceError
from autoopt.guidance.evidence import read_table
from autoopt.guidance.guide import guide
from autoopt.guidance.priors import LEAST_SD, prior, regime_of
from autoopt.tasks.profile import TaskProfile

MLP = TaskProfile("mlp", 1000, 1000)
LANGUAGE = TaskProfile("attention", 1000, 1000, has_attention=True, task_kind="language_model")


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "family", ["mlp", "cnn", "resnet", "rnn", "attention", "embedding", "mixture", "other"]
)
def test_a_prior_is_wide_enough_and_near_the_catalogues_range(name: str, family: str) -> None:
    found = prior(name, TaskProfile(family, 1000, 1000))  # type: ignore[arg-type]

    if found is not None:
        assert found.sd >= LEAST_SD
        assert found.quantile(0.1) < found.rate < found.quantile(0.9)
        rate = OPTIMIZERS[name].hyperparameter("lr")
        assert rate.low / 10 < found.rate < rate.high * 10


def test_own_rows_on_such_tasks_come_first_and_are_widened() -> None:
    row = next(
        r for r in read_table("hparam_priors") if (r["optimizer"], r["regime"]) == ("Adam", "mlp_tabular")
    )

    found = prior("adam", MLP)

    assert found is not None
    assert (found.source, found.problems) == ("hparam_priors.csv: Adam, mlp_tabular", 12)
    assert found.mean == pytest.approx(float(row["lr_log10_mean"]), abs=1e-3)
    assert found.sd == pytest.approx(1.5 * float(row["lr_log10_sd"]))


def test_the_family_stands_in_where_the_optimizer_has_too_few_rows() -> None:
    found = prior("adamw", MLP)

    assert found is not None
    assert found.source == "hparam_priors.csv: Adam/AdamW/NAdamW pooled, mlp_tabular"


def test_the_rate_of_sgd_is_the_effective_one() -> None:
    found = prior("sgd", MLP)

    assert found is not None
    assert found.effective
    assert found.rate == pytest.approx(0.0435, rel=0.01)


def test_without_tuned_runs_the_proposed_range_is_taken_and_says_so() -> None:
    found = prior("adagrad", MLP)

    assert found is not None
    assert (found.problems, found.source) == (0, "optimizers.csv: Adagrad")
    assert math.log10(found.quantile(0.9) / found.quantile(0.1)) == pytest.approx(math.log10(300), abs=0.01)


def test_an_unknown_optimizer_is_refused_with_the_nearest() -> None:
    with pytest.raises(GuidanceError, match="did you mean 'adamw'"):
        prior("admw", MLP)


def test_tasks_find_their_regime() -> None:
    assert regime_of(MLP) == "mlp_tabular"
    assert regime_of(LANGUAGE) == "transformer_lm"
    assert regime_of(TaskProfile("attention", 9, 9, pretrained=True)) == "finetune_nlp"
    assert (
        regime_of(TaskProfile("attention", 9, 9, has_convolution=True, task_kind="classification")) == "vit"
    )
    assert regime_of(TaskProfile("embedding", 9, 9)) == "ALL"


def test_advice_shows_the_prior_beside_the_recipe_and_where_the_two_disagree() -> None:
    advice = {each.recipe.optimizer: each for each in guide(LANGUAGE).advice if not each.baseline}

    assert any(reason.source == "TunedRates" for reason in advice["adamw"].why)
    assert advice["adamw"].to_dict()["prior"]["rate"] == pytest.approx(2.65e-3, rel=0.01)
    low = [each for each in advice.values() if each.prior and each.prior.problems and
           float(each.recipe.settings["lr"]) < each.prior.quantile(0.1)]  # fmt: skip
    assert all(any("this rate is lower" in caution for caution in each.cautions) for each in low)
    assert low
