"""The documentation builds as a site without a warning, has every public name and command, and fetches nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import dpsynth
from dpsynth.cli import app
from tests.structure.source import ROOT

FETCHED = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"(?:https?:)?//|<link\b[^>]*\bhref=\"(?:https?:)?//")


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The strict build: a warning ends it with exit code 1."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def tools() -> None:
    absent = [name for name in ("mkdocs", "material", "mkdocstrings") if importlib.util.find_spec(name) is None]
    if absent and not os.environ.get("CI"):
        pytest.skip(f"{', '.join(absent)} not installed, and the site needs the extra docs: pip install -e '.[docs]'")


@pytest.fixture(scope="module")
def site(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    run = build(ROOT, made)
    assert run.returncode == 0, run.stderr
    return made


def test_every_public_name_has_one_place_in_the_reference(site: Path) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted((site / "api").glob("*.html")))
    shown = re.findall(r'<h2 id="dpsynth\.(\w+)"', pages)
    assert sorted(name for name in shown if name in dpsynth.__all__) == sorted(dpsynth.__all__)


def test_every_command_is_on_the_page_of_commands(site: Path) -> None:
    def names(command: object, name: str) -> set[str]:
        below = getattr(command, "commands", {})
        return {name}.union(*(names(each, f"{name} {word}") for word, each in below.items()))

    page = (site / "commands.html").read_text(encoding="utf-8")
    shown = set(re.findall(r"<h[23] [^>]*><code>([\w -]+)</code>", page))
    assert shown | {"dpsynth"} == names(get_command(app), "dpsynth")


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert len(pages) > 25
    assert [where for where, text in pages.items() if FETCHED.search(text)] == []
    assert FETCHED.search('<link rel="stylesheet" href="https://fonts.googleapis.com/css">')
    assert FETCHED.search('<script async src="//unpkg.com/x"></script>')


FAULTS = {
    "pages": ("[gone](gone.md) [nowhere](index.md#no-heading)", ["gone.md", "no-heading", "unlisted.md"]),
    "names": ("::: dpsynth.Synthesiser", ["Synthesiser"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_that_is_wrong_ends_the_build(tools: None, tmp_path: Path, fault: str) -> None:
    """Under our settings, in a project of two pages, one of which the menu does not list."""
    text, words = FAULTS[fault]
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    settings = settings.replace("hooks: [docs/hooks.py]\n", "")
    (tmp_path / "mkdocs.yml").write_text(f"{settings}\nnav: [index.md]\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    (tmp_path / "docs" / "unlisted.md").write_text("# A page that no menu lists\n", encoding="utf-8")
    run = build(tmp_path, tmp_path / "site")
    assert run.returncode != 0
    assert [word for word in words if word not in run.stderr] == []
