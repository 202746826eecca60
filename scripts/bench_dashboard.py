"""Measure the dashboard in a real browser: how soon each view shows, and how soon it answers a click.

First paint: from asking for the address, in a fresh browser profile, until heading and figure (or table) are there.
The server has been asked for Studies before, so its libraries are loaded; of the study it knows nothing yet when the
first view about it is opened. Interaction: from a click or key until the page is drawn anew, the median of three.
Both are wall-clock time, which another program at work makes longer; so the time on the processor until the first
paint is printed too, of the server and of the page's main thread, and the load of the machine before and after.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from make_study import make_study
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from autoopt.records.store import Store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
SECONDS, TRY, SETTLES = 120_000, 10_000, 600
REPEATS = 3
KEPT = ("view", "first_paint_seconds", "interaction_seconds")
# Written into the page: remembers when the script began to run and when it came to rest.
WATCH = """() => {
  const app = document.querySelector('[data-testid=stApp]'); window.seen = {};
  new MutationObserver(() => {
    // a short run begins and ends before this is called: then only the rest is seen
    if (app.getAttribute('data-test-script-state') !== 'running') window.seen.rested = performance.now();
  }).observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
  window.seen.asked = performance.now();
}"""
RESTED = "() => window.seen.rested && performance.now() - window.seen.rested > 60"


def popover(page: Page) -> None:
    """Open or close the table beside a figure."""
    page.locator("[data-testid=stPopover] button", has_text="Table").first.click()


def on_the_server(act: Callable[[Page], None]) -> Callable[[Page], float]:
    """Return what measures an act that draws the page anew."""

    def measure(page: Page) -> float:
        for patience in (TRY, TRY, SECONDS):  # a click while the page is still being drawn may be lost
            page.evaluate(WATCH)
            act(page)
            try:
                page.wait_for_function(RESTED, timeout=patience)
                break
            except TimeoutError:
                if patience == SECONDS:
                    raise
        return float(page.evaluate("() => (window.seen.rested - window.seen.asked) / 1000"))

    return measure


def in_the_browser(act: Callable[[Page], None], shows: str) -> Callable[[Page], float]:
    """Return what measures an act that shows something by itself."""

    def measure(page: Page) -> float:
        began = time.monotonic()
        act(page)
        page.locator(shows).first.wait_for(state="visible", timeout=SECONDS)
        taken = time.monotonic() - began
        page.keyboard.press("Escape")
        page.locator(shows).first.wait_for(state="hidden", timeout=SECONDS)
        page.wait_for_timeout(SETTLES)  # who opens it again before the server knows has it closed again
        return taken

    return measure


def type_in(label: str) -> Callable[[Page], None]:
    """Return an act that types something else into a field each time."""
    words = itertools.cycle(["bi", "big", "b"])

    def act(page: Page) -> None:
        field = page.get_by_label(label, exact=True)
        field.fill(next(words))
        field.press("Enter")

    return act


def press(text: str) -> Callable[[Page], None]:
    """Return an act that presses one of a row of buttons, each time another one."""
    names = text.split("|")
    left = itertools.cycle(names)
    return lambda page: (
        page.get_by_role("radio", name=next(left))
        .or_(page.get_by_role("button", name=names[0]))
        .first.click()
    )


def slide(page: Page) -> None:
    """Move the first slider."""
    page.get_by_role("slider").first.press("ArrowRight")


def toggle(page: Page) -> None:
    """Turn the first switch."""
    page.locator("[data-testid=stCheckbox] label").first.click()


def turn(page: Page) -> None:
    """Turn to the next page of a table."""
    page.locator("[data-testid=stNumberInputStepUp]").first.click()


TABLE = in_the_browser(popover, "[data-testid=stPopoverBody] [data-testid=stDataFrame]")
FIGURE, ROWS = ".js-plotly-plot .main-svg", "[data-testid=stDataFrame]"
# path: (what is there when it is painted, how an interaction is measured)
VIEWS: dict[str, tuple[str, Callable[[Page], float]]] = {
    "studies": (ROWS, on_the_server(type_in("Find"))),
    "recommendation": (FIGURE, TABLE),
    "search": (FIGURE, TABLE),
    "optimizers": (FIGURE, TABLE),
    "rate": (FIGURE, on_the_server(press("at the end|at the first look"))),
    "curves": (FIGURE, on_the_server(toggle)),
    "importance": (FIGURE, TABLE),
    "trials": (ROWS, on_the_server(turn)),
    "playground": (FIGURE, on_the_server(slide)),
    "guidance": (".ao-why", on_the_server(press("Schedules|Rules"))),
    "compare": (FIGURE, TABLE),
}


def main() -> None:
    """Make a study, serve it, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 trials")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--json", metavar="FILE")
    asked = parser.parse_args()
    trials = asked.trials or (5_000 if asked.quick else 50_000)
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("there is no Chromium: run scripts/browser")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "big.db"
        with Store.open(database) as store:
            make_study(store, "big", trials, 20, 0)
        before = os.getloadavg()[0]
        views, mib = measure(str(database), browser)
    if asked.json:
        kept = [{name: view[name] for name in KEPT} for view in views]
        result = {"trials": trials, "views": kept, "server_mib": mib}
        Path(asked.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    load = f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after, of {os.cpu_count()} cores"
    print(f"{trials} trials × 20 epochs; {load}")
    print(f"{'view':16} {'first paint':>12} {'interaction':>12} {'server CPU':>12} {'page CPU':>12}")
    for view in views:
        figures = (view[name] for name in (*KEPT[1:], "server_cpu", "page_cpu"))
        print(f"{view['view']:16} " + " ".join(f"{figure:10.2f} s" for figure in figures))
    print(f"server: {mib:.0f} MiB at most")


def measure(database: str, browser: str) -> tuple[list[dict[str, Any]], float]:
    """Return the timings of all views and the memory of the server in MiB."""
    command = [sys.executable, "-m", "autoopt", "dashboard", "--storage", database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address, "the server gave no address"
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=browser, args=OPTIONS)
                first_paint(chromium, address[0], "studies", ROWS)
                views = [measure_view(chromium, address[0], path, server.pid) for path in VIEWS]
                chromium.close()
            return views, most_memory(server.pid)
        finally:
            server.terminate()


def measure_view(chromium: Browser, address: str, path: str, server: int) -> dict[str, Any]:
    """Open a view, act on it, and return both timings, with the processor's time until the first paint."""
    shows, act = VIEWS[path]
    before = processor_seconds(server)
    seconds, page_cpu, page = first_paint(chromium, address, path, shows)
    server_cpu = processor_seconds(server) - before
    page.wait_for_function("() => document.querySelector('[data-testid=stApp]')"
                           ".getAttribute('data-test-script-state') === 'notRunning'", timeout=SECONDS)  # fmt: skip
    interaction = statistics.median(act(page) for _ in range(REPEATS))
    page.context.close()
    return {
        "view": path,
        "first_paint_seconds": round(seconds, 3),
        "interaction_seconds": round(interaction, 3),
        "server_cpu": server_cpu,
        "page_cpu": page_cpu,
    }


def first_paint(
    chromium: Browser, address: str, path: str, shows: str, study: str = "big"
) -> tuple[float, float, Page]:
    """Open a view in a fresh profile; return how long it took, how busy its main thread was, and the page."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(SECONDS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    began = time.monotonic()
    while True:
        try:
            page.goto(f"{address}/{'' if path == 'studies' else path}?study={study}", wait_until="commit")
            break
        except Exception:
            if time.monotonic() - began > 60:
                raise
            time.sleep(0.2)  # the server prints its address just before it listens
            began = time.monotonic() if path == "studies" else began
    page.locator(".ao-head h1").first.wait_for(state="visible", timeout=SECONDS)
    page.locator(shows).first.wait_for(state="visible", timeout=SECONDS)
    seconds = time.monotonic() - began
    metrics = session.send("Performance.getMetrics")["metrics"]
    busy = next((each["value"] for each in metrics if each["name"] == "TaskDuration"), math.nan)
    return seconds, busy, page


def processor_seconds(pid: int) -> float:
    """Return the time that a process has had on the processor, in seconds; NaN where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return math.nan
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(pid: int) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return round(int(found[1]) / 1024, 1) if found else float("nan")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
