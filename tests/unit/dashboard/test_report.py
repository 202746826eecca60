"""The report: one file that asks the network for nothing, and shows names as text."""

import re
import subprocess
import sys
from html import escape

import pytest

from autoopt.dashboard.report import write_report
from autoopt.errors import StorageError, UsageError
from autoopt.records.overview import Overview

from .conftest import HOSTILE


def body_of(html):
    return html[html.index("<body>") :]


def test_the_report_holds_answer_figures_reasons_and_code(database):
    body = body_of(write_report(Overview(database), "judged"))
    for part in (
        "SGD 0.1 lowers the loss by 10.0 %",
        "seed by seed",
        "How the search got there",
        "SGD suits it",
        "torch.optim.SGD",
    ):
        assert part in body
    assert body.count('class="plotly-graph-div"') == 3


def test_the_report_asks_the_network_for_nothing(database):
    html = write_report(Overview(database), "judged")
    assert "default-src 'none'" in html
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", html)


def test_hostile_names_stay_text_in_the_report(database):
    body = body_of(write_report(Overview(database), HOSTILE))
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert" in body


def test_the_report_shows_what_the_loop_of_the_user_asked_for(database):
    body = body_of(write_report(Overview(database), HOSTILE))
    chip = '<span class="ao-soft">loop: {}</span> {}</span>'
    assert chip.format("width", "4") in body
    assert chip.format(escape(HOSTILE), escape(HOSTILE)) in body


def test_a_study_without_a_verdict_says_how_to_carry_on(database):
    with pytest.raises(UsageError, match="autoopt resume running"):
        write_report(Overview(database), "running")


def test_an_unknown_study_offers_the_nearest(database):
    with pytest.raises(StorageError, match="did you mean 'judged'"):
        write_report(Overview(database), "judge")


def test_a_report_is_written_without_the_server_s_libraries():
    code = "import sys; import autoopt.dashboard.report; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
