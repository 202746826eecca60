"""The site of the documentation is built without a warning, with a page for all that there is."""

import subprocess
import sys
from pathlib import Path

import pytest

import autoopt
from autoopt.catalogue import OPTIMIZERS, SCHEDULES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, str(ROOT / "scripts" / "docs.py"), str(folder)]
    built = subprocess.run(line, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.parametrize("name", [*OPTIMIZERS, *SCHEDULES])
def test_everything_in_the_catalogue_has_a_page_with_formula_and_source(site, name):
    page = (site / "catalogue" / f"{name}.html").read_text(encoding="utf-8")
    entry = {**OPTIMIZERS, **SCHEDULES}[name]
    assert "<math" in page or not entry.formula
    assert page.partition('id="references"')[2].count("<li>") >= len(entry.references)


@pytest.mark.parametrize("name", [name for name in autoopt.__all__ if not name.startswith("__")])
def test_every_public_name_has_a_page_with_its_docstring(site, name):
    page = (site / "reference" / f"{name}.html").read_text(encoding="utf-8")
    says = getattr(autoopt, name).__doc__.split()
    assert says[1] in page.partition(f"autoopt.{name}")[2]


def test_no_page_loads_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert 'rel="stylesheet" href="http' not in text, page
