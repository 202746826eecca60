"""The views without a browser: each on studies of every kind, and what a reader does in them."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import autoopt.dashboard
from autoopt.dashboard.page import _to_csv
from autoopt.dashboard.views import PAGES
from autoopt.dashboard.views.importance import _shares
from autoopt.records.leases import Leases
from autoopt.records.margin import Label, Margin
from autoopt.records.owner import this_process
from autoopt.run import EpochReport, Run, RunRecord, RunState

from .conftest import HOSTILE, SGD

APP = Path(autoopt.dashboard.__file__).with_name("app.py")
PATHS = [view.path for views in PAGES.values() for view in views]
OF_A_STUDY = [view.path for views in PAGES.values() for view in views if view.of_a_study]
STUDIES = ["judged", HOSTILE, "running", "single", "empty", "spoiled"]


def look(path, study=None, **parameters):
    """Draw a view as the app would, and return it."""

    def script(path):
        from autoopt.dashboard import data, page
        from autoopt.dashboard.views import view_at

        with page.guarded():
            import streamlit as st

            st.selectbox("Study", data.names(), index=None, key="study", bind="query-params")
            view_at(path).run()

    at = AppTest.from_function(script, default_timeout=60, args=(path,))
    for name, value in {"study": study, **parameters}.items():
        if value is not None:
            at.query_params[name] = value
    return at.run()


def everything(at):
    return " ".join(str(e.proto.body) for e in walk(at.main) if e.type == "html")


def element(at, name):
    """Return the data of an element of autoopt's own."""
    (found,) = [e for e in walk(at.main) if e.type == "bidi_component" and e.proto.id.endswith(f"-{name}")]
    return json.loads(found.proto.json)


def walk(block):
    for element in getattr(block, "children", {}).values():
        yield element
        yield from walk(element)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("path", PATHS)
def test_every_view_answers_for_every_study(database, path, study):
    at = look(path, study)
    assert not at.exception
    shown = everything(at)
    assert "unexpected" not in shown
    assert "<script>" not in shown
    assert "ao-head" in shown or study in ("empty", "spoiled")


@pytest.mark.parametrize("path", [*OF_A_STUDY, "studies"])
def test_every_view_says_what_to_do_in_an_empty_database(empty_database, path):
    at = look(path)
    assert not at.exception
    assert "autoopt tune" in everything(at)


@pytest.mark.parametrize("path", OF_A_STUDY)
def test_a_view_of_a_study_asks_for_one(database, path):
    assert "No study is chosen" in everything(look(path))


def test_the_recommendation_is_told_with_its_figures(database):
    shown = everything(look("recommendation", "judged"))
    for part in (
        "SGD 0.1 lowers the loss by 10.0 %",
        "better than the baseline",
        "+10.0 %",
        "90 %",
        "A note.",
    ):
        assert part in shown


def test_the_code_of_the_recommendation_can_be_copied(database):
    at = look("recommendation", "judged")
    assert "torch.optim.SGD" in element(at, "code-pytorch")["text"]


def test_a_figure_is_drawn_where_the_reader_had_zoomed_to(database):
    at = look("curves", "judged", **{"zoom-curves": "2,5,-1,0.5"})
    drawn = json.loads(element(at, "curves")["figure"])["layout"]
    assert (drawn["xaxis"]["range"], drawn["xaxis2"]["range"]) == ([2, 5], [2, 5])  # that below goes along
    assert drawn["yaxis"]["range"] == [-1, 0.5]


@pytest.mark.parametrize("zoom", ["1,2", "x,y,z,w", "nan,1,2,3", "<script>"])
def test_a_zoom_that_makes_no_sense_is_left_out(database, zoom):
    at = look("search", "judged", **{"zoom-anytime": zoom})
    assert "range" not in json.loads(element(at, "anytime")["figure"])["layout"]["xaxis"]


def test_before_a_verdict_the_leader_is_named_with_a_warning(database):
    shown = everything(look("recommendation", "running"))
    assert "Not known yet" in shown
    assert "fresh seeds" in shown


def test_a_verdict_that_cannot_be_read_is_said_so(database):
    shown = everything(look("recommendation", "spoiled"))
    assert "cannot be read" in shown
    assert "autoopt resume spoiled" in shown
    assert "metric" in shown or "task" in shown


def test_trials_are_filtered_by_what_the_address_says(database):
    at = look("trials", "judged", state="diverged")
    table = at.dataframe[0].value
    assert set(table["state"]) == {"diverged"}


def test_trials_are_paged(database):
    first = look("trials", "judged").dataframe[0].value["run"].tolist()
    second = look("trials", "judged", page="2").dataframe[0].value["run"].tolist()
    assert len(first) == 25
    assert second
    assert not set(first) & set(second)


def test_a_filter_that_nothing_passes_says_so(database):
    assert "No run is like that" in everything(look("trials", "judged", text="no such thing"))


def test_a_run_has_a_page_of_its_own(database):
    shown = everything(look("trials", "judged", run="0"))
    assert "What happened in run 0?" in shown
    assert "SGD" in shown


@pytest.mark.parametrize("number", ["999", "-1", "x", "9" * 400, "<script>"])
def test_a_run_that_does_not_exist_is_said_so(database, number):
    shown = everything(look("trials", "judged", run=number))
    assert "There is no run" in shown
    assert "<script>" not in shown


def test_studies_are_found_by_part_of_a_name(database):
    at = look("studies", find="JUDG")
    assert at.dataframe[0].value["study"].tolist() == ["judged"]


def test_the_studies_that_nothing_matches_are_said_so(database):
    assert "No study has" in everything(look("studies", find="zzz"))


def test_the_search_tells_what_was_reached_and_saved(database):
    shown = everything(look("search", "judged"))
    assert "Loss 0." in shown
    assert "were stopped early" in shown


def test_the_app_itself_starts(database):
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not at.exception


def test_the_playground_walks_with_the_settings_of_the_address(database):
    shown = everything(look("playground", surface="Beale", walkers="Adam"))
    assert "Adam came lowest" in shown
    assert "Bluer is lower" in shown


def test_the_playground_says_when_all_diverge(database):
    at = look("playground", walkers="SGD", **{"sgd-lr-ravine": "900"})
    assert "All of them diverged" in everything(at)


def test_curves_can_leave_out_all_but_an_optimizer(database):
    assert "RMSprop came to the best" in everything(look("curves", "judged", optimizer="RMSprop"))


def test_the_learning_rate_says_what_a_good_one_is(database):
    assert "A rate does well if" in everything(look("rate", "judged"))


def test_the_optimizers_stand_beside_the_documents_claims(database):
    shown = everything(look("optimizers", "judged"))
    assert "very fast" in shown
    assert "floats a parameter" in shown
    assert "places in the documents" in shown


def test_a_run_is_diagnosed_with_what_helps(database):
    run = Run(200, SGD, 0, 9, trial=200, cohort=20)
    reports = [
        EpochReport(200, 1, 2.0, 2.0, 2.0),
        EpochReport(200, 2, 9.0, float("nan"), float("nan"), diverged=True),
    ]
    database.save(
        "judged", runs=[run], reports=reports, records=[RunRecord(run, RunState.DIVERGED, 2.0, 2, 1.0)]
    )
    shown = everything(look("trials", "judged", run="200"))
    assert "It shows" in shown
    assert "divergence" in shown
    assert "Try: " in shown


def test_a_running_study_says_how_much_of_its_budget_is_spent(database):
    Margin(database).begin_sitting("running", {"runs": 40.0, "seconds": None})
    database.update_study("running", state="running")
    shown = everything(look("search", "running"))
    assert "of 40 runs spent" in shown
    assert 'role="progressbar"' in shown


def test_a_running_study_says_who_is_at_work_on_what(database):
    leases, owner = Leases(database, "running"), this_process()
    leases.join(owner)
    leases.take_lead(owner.token)
    leases.publish(owner.token, {3: (0, 9)})
    leases.claim(owner.token)
    database.update_study("running", state="running")
    shown = everything(look("search", "running"))
    assert "1 process at work · last heartbeat just now" in shown
    assert "leads, trains run 3" in shown


def test_a_study_whose_process_was_killed_is_shown_interrupted(database):
    Leases(database, "running").join(replace(this_process(), pid=2**22 + 1))
    assert "interrupted" in everything(look("search", "running"))
    states = look("studies").dataframe[0].value.set_index("study")["state"]
    assert "interrupted" in states["running"]


def test_a_note_and_tags_are_written_shown_and_found(database):
    at = look("recommendation", "judged")
    at.text_area[0].set_value("<b>keep</b> this one")
    next(field for field in at.text_input if field.label.startswith("Tags")).set_value("final, gpu")
    at.button[0].click().run()
    assert Margin(database).labels() == {"judged": Label("<b>keep</b> this one", ("final", "gpu"))}
    shown = everything(look("recommendation", "judged"))
    assert "&lt;b&gt;keep&lt;/b&gt; this one" in shown
    found = look("studies", find="gpu").dataframe[0].value
    assert found["study"].tolist() == ["judged"]


def test_runs_are_put_side_by_side_with_what_differs_first(database):
    at = look("curves", "judged", runs="0, 1, 999")
    table = next(d.value for d in at.dataframe if "run 0" in d.value)
    assert list(table.columns) == ["", "run 0", "run 1"]
    assert table[""].tolist().index("optimizer") < table[""].tolist().index("seed")


def test_pairs_of_settings_are_judged(database):
    assert "act" in everything(look("importance", "judged", look="pairs of settings"))


def test_a_range_test_that_is_kept_is_drawn(database):
    assert "suggest task.py --probe --keep judged" in everything(look("rate", "judged"))
    test = {"rates": [1e-3, 1e-2, 1e-1], "losses": [1.0, 0.5, None], "best": 1e-2, "border": 1e-1}
    Margin(database).save_range_tests(
        "judged", [({"optimizer": "sgd"}, test), ({"optimizer": "x"}, {"rates": 1})]
    )
    assert "In a range test SGD breaks first, at 0.1" in everything(look("rate", "judged"))


def test_a_setting_that_nearly_all_trials_share_is_not_judged(database):
    trials = pd.DataFrame({"lr": [n / 40 for n in range(1, 41)], "warmup": [0.05] * 39 + [0.1]})
    table = trials.assign(id=range(40), y=trials["lr"])
    assert list(_shares(table, "minimize", "PED-ANOVA")) == ["lr"]


def test_the_table_of_studies_is_downloaded_without_formulas():
    assert _to_csv(pd.DataFrame({"note": ["=1+1", "fine"], "n": [-1, 2]})) == "note,n\n'=1+1,-1\nfine,2\n"


def test_importance_names_what_mattered_most(database):
    assert "mattered most" in everything(look("importance", "judged"))


def test_guidance_shows_rules_with_what_studies_say_of_them(database):
    shown = everything(look("guidance"))
    assert "borne out by published measurements" in shown
    assert "Remedies:" in shown


def test_guidance_renders_the_formula_of_an_optimizer(database):
    at = look("guidance", guide="Optimizers", **{"optimizer-entry": "AdamW"})
    assert any("beta_1" in formula.value for formula in at.latex)


def test_studies_are_compared_by_what_they_gained(database):
    shown = everything(look("compare"))
    assert "SGD is recommended in 2 of 2 studies" in shown


def test_the_search_says_by_rung_where_the_compute_went_and_why_trials_ended(database):
    shown = everything(look("search", "judged"))
    assert "Why they ended early" in shown
    assert "the loss diverged" in shown
    assert "one look at the trials and the next" in shown
