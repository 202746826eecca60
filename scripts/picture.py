"""Take the picture of the dashboard that the README shows: the recommendation of a real study, in a real browser."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from bench_dashboard import BROWSERS, OPTIONS, first_paint
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
TASK = ROOT / "studies" / "digits_mlp.py"
PICTURE = ROOT / "studies" / "2026-11-22-dashboard" / "recommendation.webp"
NO_FOLDER = """() => { const line = document.querySelector('[data-testid=stSidebar] .ao-read').firstChild;
  line.textContent = line.textContent.split('/').pop() }"""  # where the study lay while it was looked at
SIZE, SHARE = {"width": 1280, "height": 1200}, 0.8


def main() -> None:
    """Tune, serve, look, and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PICTURE)
    parser.add_argument("--storage", help="a database with a study of the task, instead of tuning it")
    asked = parser.parse_args()
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("there is no Chromium: run scripts/browser")
    with tempfile.TemporaryDirectory() as folder:
        autoopt = [sys.executable, "-m", "autoopt"]
        if asked.storage is None:
            tune = [*autoopt, "tune", str(TASK), "--storage", "digits.db", "--budget", "20"]
            subprocess.run(tune, check=True, cwd=folder)
        else:
            shutil.copy(asked.storage, Path(folder) / "digits.db")
        serve = [*autoopt, "dashboard", "--storage", "digits.db"]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
            try:
                assert server.stdout is not None
                address = re.search(r"http://\S+", server.stdout.readline())
                assert address, "the server gave no address"
                taken = look(browser, address[0])
            finally:
                server.terminate()
    asked.file.parent.mkdir(exist_ok=True)
    save(taken, asked.file)
    print(f"{asked.file}: {asked.file.stat().st_size / 1000:.0f} kB")


def look(browser: str, address: str) -> bytes:
    """Return the recommendation as it is seen, as PNG."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=OPTIONS)
        page = first_paint(chromium, address, "recommendation", ".ao-plot .main-svg", TASK.stem)[2]
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        page.evaluate(NO_FOLDER)
        page.wait_for_timeout(1500)
        taken = page.screenshot()
        chromium.close()
    return taken


def save(taken: bytes, file: Path) -> None:
    """Save a picture smaller."""
    picture = Image.open(BytesIO(taken)).convert("RGB")
    small = picture.resize([round(SHARE * side) for side in picture.size], Image.Resampling.LANCZOS)
    small.save(file, "WEBP", quality=88, method=6)


if __name__ == "__main__":
    main()
