"""The tables of published measurements, and citations of their rows."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from autoopt.errors import GuidanceError
from autoopt.guidance.evidence import Citation, look_up, parse_citations, read_table, table_names
from autoopt.guidance.load import load_effects, load_rules, parse_rules
from autoopt.guidance.portfolio import load_start_recipes

GOOD = {
    "file": "deepobs_defaults_vs_tuned",
    "where": {"problem": "svhn_wrn164"},
    "column": "Adam 1e-3",
    "value": 1.597,
}


@pytest.mark.parametrize("name", table_names())
def test_every_table_can_be_read_and_names_its_source_and_licence(name: str) -> None:
    folder = files("autoopt.guidance") / "knowledge" / "evidence"
    line = next(
        line
        for line in (folder / "README.md").read_text(encoding="utf-8").splitlines()
        if f"`{name}.csv`" in line
    )
    licence = line.split("|")[3].strip()

    assert read_table(name)
    assert licence
    assert all(None not in row and None not in row.values() for row in read_table(name))


def test_a_row_is_found_by_what_it_has_in_other_columns() -> None:
    (citation,) = parse_citations([GOOD], "a rule")

    assert look_up(citation) == 1.597
    assert str(citation) == "deepobs_defaults_vs_tuned.csv: Adam 1e-3 (problem svhn_wrn164)"


@pytest.mark.parametrize(
    ("value", "holds"), [(1.6, True), (1.597, True), (2, True), (1.59, False), (1.7, False)]
)
def test_a_figure_must_hold_to_the_digits_that_are_cited(value: float, holds: bool) -> None:
    if holds:
        assert parse_citations([{**GOOD, "value": value}], "a rule")
    else:
        with pytest.raises(GuidanceError, match=r"there it is 1\.597, and not"):
            parse_citations([{**GOOD, "value": value}], "a rule")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "deepobs_default_vs_tuned"}, "did you mean 'deepobs_defaults_vs_tuned'"),
        ({"column": "Adam 1e-2"}, "did you mean 'Adam 1e-3'"),
        ({"where": {"problme": "x"}}, "unknown column 'problme'"),
        ({"where": {"problem": "x"}}, "no row has that"),
        ({"where": {}}, "7 rows fit; narrow 'where' down to one, or say what to 'take' of them"),
        ({"where": {}, "take": "avarage"}, "unknown 'take' 'avarage'"),
        ({"where": ["x"]}, "must map names to values"),
        ({"rows": 3}, "unknown field 'rows'"),
        ({"value": None}, "has no 'value'"),
        ({"value": "many"}, "must be a number"),
    ],
)
def test_a_citation_that_leads_nowhere_is_named_with_the_rule(change: dict[str, Any], message: str) -> None:
    figure = {"says": "it works", "source": "DeepOBS", "cites": [{**GOOD, **change}]}
    rule = {
        "id": "a-rule", "kind": "practice", "says": "Do.", "documents": ["D1"],
        "evidence": {"verdict": "supported", "figures": [figure]},
    }  # fmt: skip
    from autoopt.guidance.load import load_documents

    with pytest.raises(GuidanceError) as caught:
        parse_rules([rule], load_documents())

    assert message in str(caught.value)
    assert "a-rule" in str(caught.value)


def test_rules_recipes_and_effects_cite_rows_of_several_tables() -> None:
    figures = [f for rule in load_rules() for f in rule.evidence.figures]
    figures += [f for start in load_start_recipes() for f in start.why]
    figures += [f for effect in load_effects() for f in effect.figures]

    cited = {citation.file for figure in figures for citation in figure.cites}

    assert cited >= {"deepobs_lr_sensitivity", "llm_marin_best", "curves_cifar_ptb", "portfolio_recommended"}


def test_the_learning_rate_is_worth_tuning_first_and_epsilon_last() -> None:
    effects = load_effects()

    assert effects[0].settings == ("lr",)
    assert "eps" in effects[-1].settings


def test_statistics_of_several_rows_can_be_cited() -> None:
    cited = Citation("deepobs_lr_sensitivity", "x10", 15.4, {"unit": "pp"}, "median")

    assert round(look_up(cited), 1) == 15.4
