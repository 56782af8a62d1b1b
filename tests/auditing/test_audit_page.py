"""docs/audit.md says of faults and figures what the benchmarks' files say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.auditing.faults import FAULTS
from tests.auditing.noises import BATCHES, NOISES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def audit_page(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "audit_page", raising=False)
    import audit_page

    return audit_page


def test_the_page_says_what_the_files_say(audit_page):
    text = audit_page.PAGE.read_text()
    assert audit_page.page(text) == text


def test_a_figure_or_a_fault_that_is_not_in_the_files_is_seen(audit_page, monkeypatch, tmp_path):
    text = audit_page.PAGE.read_text()
    for name in ("audit_links", "audit_faults", "audit_release", "audit_gate", "audit_white_box", "audit_black_box"):
        record = json.loads((audit_page.RESULTS / f"{name}.json").read_text())
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    monkeypatch.setattr(audit_page, "RESULTS", tmp_path)
    assert audit_page.page(text) == text
    record = json.loads((tmp_path / "audit_faults.json").read_text())
    record["results"]["faults"][0]["DP"] = False
    (tmp_path / "audit_faults.json").write_text(json.dumps(record))
    assert audit_page.page(text) != text
    record["results"]["faults"][0]["DP"] = True
    (tmp_path / "audit_faults.json").write_text(json.dumps(record))
    assert audit_page.page(text) == text
    record = json.loads((tmp_path / "audit_links.json").read_text())
    record["results"]["releases"][0]["anonymeter"]["1"]["risk"] += 0.001
    (tmp_path / "audit_links.json").write_text(json.dumps(record))
    assert audit_page.page(text) != text


def test_every_fault_that_is_planted_is_in_the_table_and_was_seen(audit_page):
    rows = audit_page.load("audit_faults")["faults"]
    planted = {fault.__name__.replace("_", " ") for fault in (*FAULTS, *NOISES, *BATCHES)}
    assert planted <= {row["fault"] for row in rows}
    assert all(row["DP"] or row["mechanism"] for row in rows)
