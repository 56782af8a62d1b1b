"""Charts are well-formed whatever the names, and say in words what they show."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.evidence.pages import charts

SHARES = st.lists(st.tuples(st.text(max_size=30), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


def column(rows, ordered, special=0):
    labels, real, synthetic = zip(*rows, strict=True)
    facts = {"labels": labels, "real": real, "synthetic": synthetic, "values": max(1, len(rows) - special)}
    return {"name": "<&\x00>", "ordered": ordered, **facts}


def numbers(svg):
    return [float(e.get(a)) for e in svg.iter() for a in ("x", "y", "width", "height") if e.get(a)]


@settings(max_examples=60, deadline=None)
@given(SHARES, st.booleans(), st.integers(0, 1))
def test_a_distribution_is_well_formed_and_titled(rows, ordered, special):
    drawn = column(rows, ordered, special)
    svg = ET.fromstring(charts.distribution(drawn))
    titles = [t.text for t in svg.iter("title")]
    assert len(titles) == len(charts.shown(drawn)) + 1
    assert all("real" in t and "synthetic" in t for t in titles)
    assert all(-1e-9 <= x <= 1000 for x in numbers(svg))


def test_the_most_frequent_categories_are_drawn_and_the_rest_is_one_row():
    rows = [(f"v{i}", i / 190, i / 190) for i in range(20)]
    shown = charts.shown(column(rows, ordered=False))
    assert len(shown) == charts.MAX_ROWS
    assert shown[0][0] == "v19"
    assert shown[-1][0] == "7 others"
    assert sum(r for _, r, _ in shown) == pytest.approx(1)


def test_what_is_no_value_is_drawn_only_where_somebody_has_it():
    rows = [("a", 0.5, 0.5), ("b", 0.5, 0.5), ("missing", 0.0, 0.0)]
    assert [label for label, _, _ in charts.shown(column(rows, ordered=True, special=1))] == ["a", "b"]
    rows[2] = ("missing", 0.0, 0.1)
    assert [label for label, _, _ in charts.shown(column(rows, ordered=True, special=1))] == ["a", "b", "missing"]


def test_a_spike_is_cut_and_carries_its_number():
    spiked = ET.fromstring(charts.distribution(column([("0", 0.96, 0.9), ("1", 0.02, 0.05), ("2", 0.02, 0.05)], True)))
    assert "96 | 90" in [t.text for t in spiked.iter("text")]
    assert [e for e in spiked.iter("line") if e.get("class") == "cut"]
    flat = ET.fromstring(charts.distribution(column([("0", 0.5, 0.5), ("1", 0.5, 0.5)], True)))
    assert not [e for e in flat.iter("line") if e.get("class") == "cut"]


@pytest.mark.parametrize("n", [1, 2, 20, 21, 60, 75])
def test_a_heat_map_holds_every_pair_once(n):
    matrix = np.linspace(0, 1, n * n).reshape(n, n)
    svg = ET.fromstring(charts.heatmap("all", [f"c{i}<" for i in range(n)], (matrix + matrix.T) / 2))
    drawn = min(n, charts.MAX_NAMES)
    assert len(list(svg.iter("rect"))) == drawn * (drawn + 1) // 2
    assert len(list(svg.iter("title"))) == drawn * (drawn + 1) // 2 + 1


def test_a_pair_that_was_not_compared_is_an_empty_cell():
    matrix = [[0.1, None, 0.2], [None, 0.3, None], [0.2, None, 0.4]]
    svg = ET.fromstring(charts.heatmap("some", ["a", "b", "c"], matrix))
    assert len(list(svg.iter("rect"))) == 4


def test_every_class_of_the_heat_map_has_a_swatch_and_a_meaning():
    legend = charts.legend()
    assert len(legend) == len(charts.LEVELS) + 1
    assert [text for _, text in legend][:2] == ["0 to 1\xa0%", "1 to 2\xa0%"]
    for swatch, _ in legend:
        ET.fromstring(swatch)


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.3, 1.0, 7.0])
def test_a_share_bar_stays_in_its_frame(share):
    (bar,) = ET.fromstring(charts.share_bar(share)).iter("rect")
    assert 0 <= float(bar.get("width")) <= 100
