"""The project reads as if nobody's desk stood around it: it names no workplace and no private package index."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.source import ROOT

READ = {".cfg", ".html", ".ipynb", ".j2", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}
NOT_OURS = {"build", "dist", "node_modules", "release", "site"}
WORKPLACE = re.compile(
    r"""
    \bthe\ issue\b (?!\ tracker)
  | (?<! spark\ ) (?<! database\ ) (?<! pytest\ ) (?<! spark\.sql\.) \b session \b (?! -scoped)  # of work
  | \b (helper|sub-?)\ ?agents? \b
  | (?<! [\w.]) /work/
  | (?<! [\w.]) /tmp/w \b
  | \b pypi\.org \b | \b pythonhosted \b | index-url | /opt/pypi
    """,
    re.IGNORECASE | re.VERBOSE,
)
FIXTURE_SCOPE = re.compile(r"""\bscope\s*=\s*["']session["']""")


def project_files(root: Path) -> Iterator[Path]:
    """Files that people read, without hidden folders (other than .ci) and without what tools build."""
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f == ".ci" or not (f.startswith(".") or f in NOT_OURS or "egg-info" in f)]
        folders[:] = [f for f in folders if not (Path(folder) / f / "pyvenv.cfg").exists()]
        yield from (Path(folder) / name for name in names if Path(name).suffix in READ and not name.startswith("."))


def mentions(text: str) -> list[str]:
    """Lines that speak of a workplace."""
    return [line for line in text.splitlines() if WORKPLACE.search(FIXTURE_SCOPE.sub("", line))]


def test_no_file_speaks_of_a_workplace() -> None:
    files = [path for path in project_files(ROOT) if path != Path(__file__).resolve()]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in files}
    assert {"pyproject.toml", "dpsynth/__init__.py", ".ci/run"} <= set(texts)
    assert {where: found for where, text in texts.items() if (found := mentions(text))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "# As the issue asks, we round up.",
        "Done in this session.",
        "another Session will finish it",
        "written by a helper agent",
        "a sub-agent measured it",
        'DATA = "/work/shared/data"',
        "see /tmp/w/notes",
        "pip install --index-url https://example.org/simple dpsynth",
        "https://pypi.org/project/dpsynth",
    ],
)
def test_a_line_that_speaks_of_a_workplace_is_found(line: str) -> None:
    assert mentions(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Please use the issue tracker.",
        "an issue of certificates",
        '@pytest.fixture(scope="session")',
        "a Spark session; SparkSession.builder",
        "obsession, sessions per user",
        'DATA = ROOT.parent / "shared" / "data"',
        "/tmp/workdir and src/work/file",
    ],
)
def test_ordinary_words_pass(line: str) -> None:
    assert mentions(line) == []
