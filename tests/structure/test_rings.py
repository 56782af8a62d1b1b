"""The rings: their files are listed in reading order, and docs/privacy.md counts their lines truthfully."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.structure.source import PACKAGE, ROOT
from tests.structure.walls import RINGS


def lines(ring: str) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (PACKAGE / ring).glob("*.py"))


@pytest.mark.parametrize("ring", RINGS)
def test_a_ring_lists_its_files_each_once(ring: str) -> None:
    order = (importlib.import_module(f"dpsynth.{ring}").__doc__ or "").partition("Reading order:")[2]
    files = {path.stem for path in (PACKAGE / ring).glob("*.py")} - {"__init__"}
    assert sorted(re.findall(r"`(\w+)`", order)) == sorted(files)


def test_the_privacy_argument_counts_the_lines_of_each_ring() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `dpsynth/(\w+)/` \| ([\d,]+) \|", page, re.MULTILINE))
    assert table == {ring: f"{lines(ring):,}" for ring in RINGS}
