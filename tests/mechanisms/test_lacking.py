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
COLUMNS = [f"{panel}{i}" for panel in "ABC" for i in range(4)]
DOMAIN = Domain.of(dict.fromkeys(COLUMNS, CELLS))
BINS = {a: np.arange(CELLS) for a in COLUMNS}


def panels(seed: int = 0) -> dict[str, np.ndarray]:
    """Three panels of four columns, each missing as a whole (the last cell); else columns are independent."""
    rng = np.random.default_rng(seed)
    codes = {}
    for panel, share in zip("ABC", (0.3, 0.5, 0.7), strict=True):
        lacks = rng.random(ROWS) < share
        for i in range(4):
            codes[f"{panel}{i}"] = np.where(lacks, CELLS - 1, rng.integers(0, CELLS - 1, ROWS))
    return codes


def oneway(last: dict[str, float], noise: float = 20.0) -> OneWayMeasurements:
    """Measurements that have these counts of what is missing."""
    counts = {a: np.append(np.full(CELLS - 1, (ROWS - n) / (CELLS - 1)), n) for a, n in last.items()}
    by_column = {a: LinearMeasurement((a,), c, noise) for a, c in counts.items()}
    return OneWayMeasurements(DOMAIN, LinearMeasurement((), np.asarray(float(ROWS)), 1.0), by_column)


def test_columns_are_looked_at_that_are_seen_to_have_both_missing_rows_and_others():
    last = dict.fromkeys(COLUMNS, 70.0) | {"A0": 90.0, "A1": 3000.0, "B0": ROWS - 90.0, "B1": ROWS - 70.0}
    found = Lacking.of(PrivateTable.from_codes(panels(), DOMAIN), BINS, oneway(last))
    assert {*found.answers} == {*itertools.combinations(["A0", "A1", "B0"], 2)}


def test_a_column_whose_missing_rows_share_a_bin_is_not_looked_at():
    merged = BINS | {"A0": np.minimum(BINS["A0"], CELLS - 2)}
    coarse = PrivateTable.from_codes(panels(), DOMAIN).coarsen({"A0": merged["A0"]})
    found = Lacking.of(coarse, merged, oneway(dict.fromkeys(COLUMNS, 2000.0)))
    assert "A0" not in found.groups
    assert len(found.answers) == 11 * 10 // 2


def test_which_pairs_are_looked_at_follows_from_what_was_charged_for_alone():
    """Other rows, the same measurements: the same pairs, however many are missing in the rows."""
    measured = oneway(dict.fromkeys(COLUMNS, 2000.0) | {"C3": 0.0})
    nothing_missing = {a: np.zeros(ROWS, int) for a in COLUMNS}
    looks = [Lacking.of(PrivateTable.from_codes(rows, DOMAIN), BINS, measured) for rows in (panels(), nothing_missing)]
    assert {*looks[0].answers} == {*looks[1].answers}
    assert all((looks[0].groups[a] == looks[1].groups[a]).all() for a in looks[0].groups)


@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("id", max_records=3)])
def test_a_pair_counts_each_record_in_one_of_four_cells_and_has_the_sensitivity_of_counts(unit):
    codes = panels()
    ids = None if unit.id_column is None else np.arange(ROWS) // 2
    table = PrivateTable.from_codes(codes, DOMAIN, unit, ids)
    found = Lacking.of(table, BINS, oneway(dict.fromkeys(COLUMNS, 2000.0)))
    a, b = (codes[name] == CELLS - 1 for name in ("A0", "B2"))
    counted = found.answers["A0", "B2"]
    assert _integers(counted).tolist() == [[(~a & ~b).sum(), (~a & b).sum()], [(a & ~b).sum(), (a & b).sum()]]
    assert (counted.l1, counted.l2) == unit.count_sensitivity(4)
    assert counted.protects == unit


def fitted(epsilon: float = 0.3) -> tuple[float, Accountant]:
    """How far the shares of rows that lack both of two columns lie from the rows', mean; and what was charged."""
    codes, accountant = panels(), Accountant(Budget(epsilon, 1e-9), unsafe_seed=3)
    model = Canopy().fit(PrivateTable.from_codes(codes, DOMAIN), accountant)
    off = [
        abs(model.project((a, b))[-1, -1] - np.sum((codes[a] == CELLS - 1) & (codes[b] == CELLS - 1))) / ROWS
        for a, b in itertools.combinations(COLUMNS, 2)
    ]
    return float(np.mean(off)), accountant


def test_panels_that_are_missing_as_a_whole_come_back_and_every_charge_is_listed(monkeypatch):
    """Seed 3, epsilon .3; without these pairs the same budget leaves more of it out."""
    off, accountant = fitted()
    purposes = [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"]
    bought = [p for p in purposes if p.startswith("measure what is missing of ")]
    assert bought
    assert accountant.spent().epsilon == pytest.approx(0.3, rel=1e-6)
    monkeypatch.setattr(binned.Lacking, "of", lambda *_: Lacking({}, {}))
    without, accountant = fitted()
    assert accountant.spent().epsilon == pytest.approx(0.3, rel=1e-6)
    assert off < 0.8 * without


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
