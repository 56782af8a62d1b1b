"""Links on the pages lead to files that are there, and to headings that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.pages import anchors, links, pages
from tests.structure.source import ROOT


def broken(page: Path, root: Path = ROOT) -> Iterator[str]:
    """Links of a page that lead nowhere, as they are written."""
    for link in links(page.read_text(encoding="utf-8")):
        where, _, anchor = link.partition("#")
        if "://" in where or where.startswith("mailto:"):
            continue
        target = (page.parent / where).resolve() if where else page
        there = target.exists() and target.is_relative_to(root)
        if not there or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_links_that_lead_nowhere_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A heading, with `code`\n", encoding="utf-8")
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#a-heading-with-code) [c](#here) [d](https://example.org/x)"
        " [e](gone.md) [f](other.md#gone) [g](#gone) ![h](gone.png) [i](../outside.md) `[j](code.md)`\n",
        encoding="utf-8",
    )
    assert list(broken(page, tmp_path)) == ["gone.md", "other.md#gone", "#gone", "gone.png", "../outside.md"]
