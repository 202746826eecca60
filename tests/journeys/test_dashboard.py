"""The dashboard in a real browser: every view, clicks, filters, copies, downloads, a study at work, hostile names."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from importlib import import_module
from importlib.util import find_spec

import pytest
import yaml

from autoopt.dashboard.report import PAPER, write_report
from autoopt.export import WRITERS
from autoopt.records.margin import Label, Margin
from autoopt.records.overview import Overview
from autoopt.records.store import Store
from autoopt.run import EpochReport, Run, RunRecord, RunState
from tests.unit.dashboard.conftest import HOSTILE, SGD, add_study, make_recommendation

pytestmark = pytest.mark.slow


def absent(what):
    """Leave these tests out, but not where nobody would notice."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must not pass without these tests", pytrace=False)
    pytest.skip(what, allow_module_level=True)


if find_spec("playwright") is None:
    absent("Playwright is not installed")
playwright = import_module("playwright.sync_api")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
if CHROMIUM is None:
    absent("there is no Chromium here: scripts/browser installs one")

STATE = "() => document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') === 'notRunning'"
PATHS = ["", "compare", "recommendation", "search", "optimizers", "rate", "curves", "importance", "trials",
         "playground", "guidance"]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with a judged study, one at work, and one with a hostile name."""
    with Store.open(tmp_path_factory.mktemp("dashboard") / "autoopt.db") as store:
        for name, state in (("judged", "done"), (HOSTILE, "done"), ("at work", "running")):
            add_study(store, name, state=state)
        for name in ("judged", HOSTILE):
            store.save_verdict(name, make_recommendation(name).to_dict())
        yield store


@pytest.fixture(scope="module")
def address(store):
    """Where a server shows that database."""
    command = [
        sys.executable,
        "-m",
        "autoopt",
        "dashboard",
        "--storage",
        store.url.removeprefix("sqlite:///"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + server.stderr.read()
        listens(int(found[1]))
        yield found[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without a head."""
    with playwright.sync_playwright() as made:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        with closing(made.chromium.launch(executable_path=CHROMIUM, args=options)) as opened:
            yield opened


@pytest.fixture(scope="module")
def page(browser, address):
    """A page of that browser; what a script of the page alerts would make it fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.alerts = []
    page.on("dialog", lambda dialog: (page.alerts.append(dialog.message), dialog.dismiss()))
    page.elsewhere = []
    page.on(
        "request",
        lambda asked: asked.url.startswith((address, "data:", "blob:")) or page.elsewhere.append(asked.url),
    )
    yield page
    context.close()


def listens(port):
    """Wait until the server listens, which it does a moment after it has printed its address."""
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)


def opened(page, address, path, **parameters):
    """Open a view and wait until it is drawn."""
    from urllib.parse import urlencode

    page.goto(f"{address}/{path}?{urlencode(parameters)}")
    page.locator(".ao-head h1").first.wait_for()
    page.wait_for_function(STATE)
    return page


@pytest.mark.parametrize("path", PATHS)
def test_every_view_opens(page, address, path):
    opened(page, address, path, study="judged")
    assert "unexpected" not in page.inner_text("body")
    assert page.locator("[data-testid=stException], [role=dialog]").count() == 0
    assert page.elsewhere == []


def test_nothing_is_wider_than_a_telephone(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(60_000)
    opened(page, address, "recommendation", study="judged")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    context.close()


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_are_shown_as_text(page, address, path):
    opened(page, address, path, study=HOSTILE)
    assert page.alerts == []
    assert page.locator("script", has_text="alert(1)").count() == 0
    if path == "recommendation":
        assert "<script>alert(1)</script>" in page.inner_text(".ao-card")


def test_a_click_leads_from_the_search_to_the_trials_that_diverged(page, address):
    opened(page, address, "search", study="judged")
    page.get_by_role("link", name=re.compile("diverged")).click()
    page.wait_for_url(re.compile("/trials"))
    page.get_by_text(re.compile(r"\d+ runs? of 32")).wait_for()
    assert "state=diverged" in page.url
    assert "study=judged" in page.url


def test_a_filter_stands_in_the_address(page, address):
    opened(page, address, "trials", study="judged")
    page.get_by_label("In note or recipe").fill("rmsprop")
    page.get_by_label("In note or recipe").press("Enter")
    page.get_by_text("10 runs of 32").wait_for()
    assert "text=rmsprop" in page.url


def test_the_menu_keeps_the_study(page, address):
    opened(page, address, "recommendation", study="judged")
    page.get_by_role("link", name="Curves").click()
    page.get_by_text("How did the runs learn?").wait_for()
    page.wait_for_url(re.compile("study=judged"))


def test_the_code_is_copied(page, address):
    opened(page, address, "recommendation", study="judged")
    page.get_by_role("button", name="Copy to clipboard").click()
    page.get_by_text("Copied").wait_for()
    assert "torch.optim.SGD" in page.evaluate("navigator.clipboard.readText()")


def test_the_code_is_downloaded(page, address, tmp_path):
    opened(page, address, "recommendation", study="judged")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download py").click()
    download.value.save_as(tmp_path / "code.py")
    compile((tmp_path / "code.py").read_text(), "code.py", "exec")


def test_every_format_is_downloaded(page, address):
    opened(page, address, "recommendation", study="judged")
    names = []
    for tab in page.get_by_role("tab").all():
        tab.click()
        button = (
            page.get_by_role("tabpanel")
            .get_by_role("button", name=re.compile("Download"))
            .locator("visible=true")
        )
        with page.expect_download() as download:
            button.click()
        names.append(download.value.suggested_filename)
        check_format(download.value.path().read_text(), names[-1])
    assert names == [f"{name}_sgd.{'py' if name not in ('json', 'yaml') else name}" for name in WRITERS]


def check_format(text, name):
    if name.endswith("json"):
        assert json.loads(text)["recommendation"]["optimizer"] == "sgd"
    elif name.endswith("yaml"):
        assert yaml.safe_load(text)["recommendation"]["optimizer"] == "sgd"
    else:
        compile(text, name, "exec")


def drag(page, start, end):
    """Draw a box over the first panel of the curves, from one place to another, each as shares of width and height."""
    box = page.locator(".ao-plot .nsewdrag").first.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def test_what_is_zoomed_to_stands_in_the_address(page, address):
    opened(page, address, "curves", study="judged")
    page.locator(".ao-plot .main-svg").first.wait_for()
    drag(page, (0.2, 0.2), (0.6, 0.8))
    page.wait_for_url(re.compile("zoom-curves="))
    ranges = "() => { const {xaxis, yaxis} = document.querySelector('.ao-plot')._fullLayout; return [...xaxis.range, ...yaxis.range] }"
    shown = page.evaluate(ranges)
    page.goto(page.url)
    page.locator(".ao-plot .main-svg").first.wait_for()
    assert page.evaluate(ranges) == pytest.approx(shown, rel=1e-3)


def test_runs_in_a_box_are_put_side_by_side(page, address):
    opened(page, address, "curves", study="judged")
    page.locator(".ao-plot .main-svg").first.wait_for()
    page.locator(".ao-plot").first.hover()
    page.locator(".modebar-btn[data-title='Box select']").click()
    drag(page, (0.01, 0.01), (0.99, 0.99))
    page.get_by_text("8 runs side by side").wait_for()
    page.wait_for_url(re.compile("runs="))


@pytest.mark.parametrize(("path", "names"), [("recommendation", ["Copy to clipboard", "Download py", "Table"]),
                                             ("trials", ["Optimizer", "In note or recipe", "CSV of 32 runs"])])  # fmt: skip
def test_everything_is_reached_by_the_keyboard_and_shows_it(page, address, path, names):
    opened(page, address, path, study="judged")
    page.locator("[data-testid=stMain]").focus()
    reached, look = (
        {},
        """() => { const e = document.activeElement, s = getComputedStyle(e);
        return [e.getAttribute('aria-label') || e.innerText, parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== 'none'] }""",
    )
    for _ in range(40):
        page.keyboard.press("Tab")
        name, shows = page.evaluate(look)
        reached[name] = shows
    for name in names:
        assert any(name in each and shows for each, shows in reached.items()), (name, reached)


def test_the_table_of_a_figure_is_downloaded(page, address, tmp_path):
    opened(page, address, "search", study="judged")
    page.locator("[data-testid=stPopover] button").first.click()
    with page.expect_download() as download:
        page.locator("[data-testid=stPopoverBody] [data-testid=stDownloadButton] button").click()
    download.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().startswith("cost,best,cohort")


def test_all_runs_are_downloaded(page, address, tmp_path):
    opened(page, address, "trials", study="judged")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("CSV of 32 runs")).click()
    download.value.save_as(tmp_path / "runs.csv")
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 33


def test_a_study_at_work_is_seen_to_advance(page, address, store):
    opened(page, address, "search", study="at work")
    page.get_by_text("of 30 trials").wait_for()
    page.locator(".ao-plot .main-svg").first.wait_for()
    page.evaluate("() => { document.querySelector('.ao-plot').seen = true; document.querySelector('[data-testid=stMain]')"
                  ".scrollTop = 240 }")  # fmt: skip
    run = Run(100, SGD, 0, 9, trial=30, cohort=9)
    store.save("at work", runs=[run], reports=[EpochReport(100, e, 0.01, 0.01, 0.01) for e in range(1, 10)],
               records=[RunRecord(run, RunState.FINISHED, 0.01, 9, 1.0)])  # fmt: skip
    page.get_by_text("of 31 trials").wait_for()
    assert page.get_by_text("Loss 0.0100 after").count() == 1
    assert page.evaluate("document.querySelector('.ao-plot').seen")  # the same figure, so nothing flickers
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 240


def test_a_note_is_written_in_the_browser_and_found_by_its_tag(page, address, store):
    opened(page, address, "recommendation", study="judged")
    page.get_by_role("button", name="Add a note or tags").click()
    page.get_by_label("Note", exact=True).fill("<b>mine</b>")
    page.get_by_label("Tags, with commas between them").fill("final")
    page.get_by_role("button", name="Save").click()
    page.locator(".ao-chip", has_text="final").wait_for()
    assert Margin(store).labels() == {"judged": Label("<b>mine</b>", ("final",))}
    opened(page, address, "", find="final")
    page.locator("[data-testid=stDataFrame]").wait_for()
    assert "No study has" not in page.inner_text("body")


def test_runs_named_in_the_address_stand_side_by_side(page, address):
    opened(page, address, "curves", study="judged", runs="0, 1")
    page.get_by_text("2 runs side by side").wait_for()
    page.get_by_role("link", name="Run 1").click()
    page.get_by_text("What happened in run 1?").wait_for()


def test_a_page_of_another_name_is_not_let_in(address):
    port = int(address.rpartition(":")[2])
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("GET", "/", headers={"Host": "evil.example"})
        assert connection.getresponse().status == 403


def test_the_report_opens_from_the_disk_without_a_network(browser, store, tmp_path):
    (tmp_path / "report.html").write_text(write_report(Overview(store), "judged"), encoding="utf-8")
    context = browser.new_context(offline=True)
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(
        f"() => document.querySelector('.main-svg').getBoundingClientRect().width === {PAPER}"
    )
    assert troubles == []
    context.close()


def test_the_playground_draws_in_three_dimensions(page, address):
    opened(page, address, "playground", surface="Himmelblau")
    page.get_by_text("3-D").click()
    page.locator(".ao-plot .gl-container canvas").first.wait_for()
    page.wait_for_url(re.compile("view=3-D"))
    assert page.evaluate("() => document.querySelector('.ao-plot')._fullData.map(each => each.type)") == [
        "surface", "scatter3d", "scatter3d", "scatter3d"]  # fmt: skip
