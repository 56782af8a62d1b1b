"""What is missing together: which pairs are looked at, what they count, and what canopy makes of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal import binned
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.lacking import Lacking
from dpsynth.mechanisms.oneway import OneWayMeasurements
from dpsynth.models.base import LinearMeasurement

CELLS, ROWS = 9, 6000
COLUMNS = [f"{panel}{i}" for panel in "ABCDEF" for i in range(5)]
DOMAIN = Domain.of(dict.fromkeys(COLUMNS, CELLS))
PAIRS = list(itertools.combinations(COLUMNS, 2))
BINS = {a: np.arange(CELLS) for a in COLUMNS}


def panels(seed: int = 0) -> dict[str, np.ndarray]:
    """Six panels of five columns, each missing as a whole (the last cell); the values of A1, B1, ... are alike."""
    rng = np.random.default_rng(seed)
    alike = [rng.integers(0, CELLS - 1, ROWS) for _ in range(5)]
    codes = {}
    for panel, share in zip("ABCDEF", (0.1, 0.2, 0.3, 0.4, 0.5, 0.7), strict=True):
        lacks = rng.random(ROWS) < share
        for i in range(5):
            value = np.where(rng.random(ROWS) < 0.9, alike[i], rng.integers(0, CELLS - 1, ROWS))
            codes[f"{panel}{i}"] = np.where(lacks, CELLS - 1, value)
    return codes


def oneway(last: dict[str, float], noise: float = 20.0) -> OneWayMeasurements:
    """Measurements that have these counts of what is missing."""
    counts = {a: np.append(np.full(CELLS - 1, (ROWS - n) / (CELLS - 1)), n) for a, n in last.items()}
    by_column = {a: LinearMeasurement((a,), c, noise) for a, c in counts.items()}
    return OneWayMeasurements(DOMAIN, LinearMeasurement((), np.asarray(float(ROWS)), 1.0), by_column)


def test_columns_are_looked_at_that_are_seen_to_have_both_missing_rows_and_others():
    last = dict.fromkeys(COLUMNS, 70.0) | {"A0": 90.0, "A1": 3000.0, "B0": ROWS - 90.0, "B1": ROWS - 70.0}
    found = Lacking.of(PrivateTable.from_codes(panels(), DOMAIN), BINS, oneway(last), PAIRS)
    assert {*found.answers} == {*itertools.combinations(["A0", "A1", "B0"], 2)}


def test_a_column_whose_missing_rows_share_a_bin_is_not_looked_at():
    merged = BINS | {"A0": np.minimum(BINS["A0"], CELLS - 2)}
    coarse = PrivateTable.from_codes(panels(), DOMAIN).coarsen({"A0": merged["A0"]})
    found = Lacking.of(coarse, merged, oneway(dict.fromkeys(COLUMNS, 2000.0)), PAIRS)
    assert "A0" not in found.groups
    assert len(found.answers) == 29 * 28 // 2


def test_which_pairs_are_looked_at_follows_from_what_was_charged_for_alone():
    """Other rows, the same measurements: the same pairs, however many are missing in the rows."""
    measured = oneway(dict.fromkeys(COLUMNS, 2000.0) | {"C3": 0.0})
    nothing_missing = {a: np.zeros(ROWS, int) for a in COLUMNS}
    looks = [
        Lacking.of(PrivateTable.from_codes(rows, DOMAIN), BINS, measured, PAIRS) for rows in (panels(), nothing_missing)
    ]
    assert {*looks[0].answers} == {*looks[1].answers}
    assert all((looks[0].groups[a] == looks[1].groups[a]).all() for a in looks[0].groups)


@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("id", max_records=3)])
def test_a_pair_counts_each_record_in_one_of_four_cells_and_has_the_sensitivity_of_counts(unit):
    codes = panels()
    ids = None if unit.id_column is None else np.arange(ROWS) // 2
    table = PrivateTable.from_codes(codes, DOMAIN, unit, ids)
    found = Lacking.of(table, BINS, oneway(dict.fromkeys(COLUMNS, 2000.0)), PAIRS)
    a, b = (codes[name] == CELLS - 1 for name in ("A0", "B2"))
    counted = found.answers["A0", "B2"]
    assert _integers(counted).tolist() == [[(~a & ~b).sum(), (~a & b).sum()], [(a & ~b).sum(), (a & b).sum()]]
    assert (counted.l1, counted.l2) == unit.count_sensitivity(4)
    assert counted.protects == unit


def fitted(seed: int) -> tuple[float, Accountant]:
    """How far the shares of rows that lack both of two columns lie from the rows', mean; and what was charged."""
    codes, accountant = panels(), Accountant(Budget(0.5, 1e-9), unsafe_seed=seed)
    model = Canopy().fit(PrivateTable.from_codes(codes, DOMAIN), accountant)
    off = [
        abs(model.project((a, b))[-1, -1] - np.sum((codes[a] == CELLS - 1) & (codes[b] == CELLS - 1))) / ROWS
        for a, b in itertools.combinations(COLUMNS, 2)
    ]
    return float(np.mean(off)), accountant


def test_every_look_at_what_is_missing_is_a_charge_of_the_same_budget():
    _, accountant = fitted(0)
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert [c["purpose"] for c in charges if c["purpose"].startswith("measure what is missing of ")]
    assert accountant.spent().epsilon == pytest.approx(0.5, rel=1e-6)


@pytest.mark.slow
def test_panels_come_back_nearer_than_where_only_whole_pairs_are_bought(monkeypatch):
    """Seeds 0 to 3: .0141 beside .0163."""
    off = np.mean([fitted(seed)[0] for seed in range(4)])
    monkeypatch.setattr(binned.Lacking, "of", lambda *_: Lacking({}, {}))
    assert off < 0.95 * np.mean([fitted(seed)[0] for seed in range(4)])


def test_a_table_without_missing_values_is_measured_as_before(monkeypatch):
    rng = np.random.default_rng(5)
    first = rng.integers(0, CELLS - 1, ROWS)
    codes = {a: np.where(rng.random(ROWS) < 0.5, first, rng.integers(0, CELLS - 1, ROWS)) for a in COLUMNS}
    table = PrivateTable.from_codes(codes, DOMAIN)
    found = []
    for of in (Lacking.of, lambda *_: Lacking({}, {})):
        monkeypatch.setattr(binned.Lacking, "of", of)
        model = Canopy().fit(table, Accountant(Budget(1.0, 1e-9), unsafe_seed=3))
        found.append(model.project(("A0", "B0")))
    np.testing.assert_array_equal(*found)
