"""What stands beside the code says of the project what the project file says, and README is short enough to read."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from tests.structure.source import ROOT


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def test_readme_is_short_enough_to_read() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}
    assert "certificate.png" in sizes


def test_the_figures_and_counts_on_the_pages_are_those_of_the_result_files_and_the_code() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "readme.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT, timeout=120).returncode == 0


def test_the_citation_and_the_changelog_name_the_version_of_the_project(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == (project["name"], project["version"])
    assert citation["license"] == project["license"]
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == project["version"]


def test_the_hosted_checks_try_every_python_of_the_project(project: dict[str, Any]) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    tried = {str(version) for version in workflow["jobs"]["test"]["strategy"]["matrix"]["python"]}
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert tried == set(named)


def test_the_extra_for_tests_brings_what_the_site_needs(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    assert set(extras["docs"]) <= set(extras["test"])


def test_the_glossary_has_each_term_once_in_order() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [term.casefold() for term in re.findall(r"^\| (.+?) \| .+ \|$", page, re.MULTILINE)[1:]]
    assert len(terms) > 25
    assert terms == sorted({*terms})


def test_every_page_of_the_documentation_is_in_the_menu_once() -> None:
    def listed(menu: Any) -> list[str]:
        if isinstance(menu, str):
            return [menu]
        entries = menu.values() if isinstance(menu, dict) else menu
        return [page for entry in entries for page in listed(entry)]

    menu = listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    docs = ROOT / "docs"
    assert sorted(menu) == sorted(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))
