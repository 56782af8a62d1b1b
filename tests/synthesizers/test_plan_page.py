"""The page of a plan has the figures of the plan, and says that nothing was spent."""

from __future__ import annotations

import sys

import pytest

from dpsynth import Categorical, Datetime, Identifier, Numeric, PrivacyUnit, Schema, Synthesizer
from dpsynth.cli import main
from tests.evidence.test_pages import POWERS, PYTHON, read, words


def planned(mechanism="canopy", rows=4000):
    columns = {
        "patient": Identifier(),
        "age": Numeric(0, 99, integer=True),
        "cost": Numeric(None, None, nullable=True),
        "ward <a>": Categorical(["x", "y", "z"]),
        "admitted": Datetime("2023-01-01", "2024-12-31"),
    }
    schema = Schema(columns, unit=PrivacyUnit("patient", 3))
    return Synthesizer(schema, mechanism, epsilon=1.0, delta=1e-6, ledger=None).plan(rows)


def test_every_figure_of_the_plan_is_on_its_page():
    plan = planned()
    text = read(plan.to_html())
    everything, first = words(text.all), words(text.first)
    for row in [*plan.table(), *((m.column, *m.cells()) for m in plan.means), *((note,) for note in plan.notes)]:
        assert words(row) in everything
    for said in ("NOTHING WAS SPENT", "One fit by canopy would spend epsilon 1 at delta 0.000001", "Do not use it"):
        assert said in first
    assert len(first) < 2200
    assert not POWERS.search(everything)
    assert not PYTHON.search(everything)


@pytest.mark.parametrize("rows", [400, 40_000])
def test_the_share_of_misplaced_rows_is_that_of_the_summary(rows):
    plan = planned("independent", rows)
    (line,) = [line for line in plan.summary().splitlines() if line.startswith("single columns")]
    moved = line.partition("misplaces ")[2].partition(" of")[0]
    assert f"noise would misplace {moved} of 100 rows at most on average" in words(read(plan.to_html()).first)


def test_the_command_writes_the_page_of_its_plan(tmp_path, monkeypatch, capsys):
    schema = Schema({"sex": Categorical(["f", "m"])})
    schema.save(tmp_path / "schema.yaml")
    monkeypatch.chdir(tmp_path)
    asked = "plan --schema schema.yaml --epsilon 1 --rows 500 --html plan.html"
    monkeypatch.setattr(sys, "argv", ["dpsynth", *asked.split()])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    made = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).plan(500)
    assert (tmp_path / "plan.html").read_text(encoding="utf-8") == made.to_html()
    assert "plan.html: the same as a page" in capsys.readouterr().out
