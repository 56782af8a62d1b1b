"""Columns that follow from others are shifted by what they follow from: every row against brute force."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.synthesizers import shifting
from dpsynth.synthesizers.kept_rows import Keeping
from dpsynth.synthesizers.sampled_rows import Origin
from dpsynth.synthesizers.shifting import Shifting
from tests.synthesizers.constraint_cases import broken

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")

COLUMNS: dict[str, Any] = {
    "i": d.Numeric(0, 6, integer=True),
    "j": d.Numeric(1, 4, integer=True, nullable=True),
    "o": d.Boolean(),
    "t": d.Numeric(-40, 60, integer=True, nullable=True),
}
FORMULAS = ["i + j", "3 * i - j + 2", "max(i, j)", "i * j + o", "o - 2 * i", "(i + 1) ** 2 / j", "j / (i - 3)"]


def moved(schema: d.Schema, rows: pd.DataFrame, shifts: dict[str, float]) -> tuple[pd.DataFrame, np.ndarray]:
    """These rows of a release with numbers moved, and which of them can be."""
    origin = Origin(None, schema, {})  # type: ignore[arg-type]
    keeping = Keeping.__new__(Keeping)
    found, able = Shifting(origin, keeping, shifts)._moved({name: rows[name] for name in rows}, len(rows))
    return pd.DataFrame({name: found[name] for name in schema.columns}), able


def every_row(schema: d.Schema) -> pd.DataFrame:
    """Every row of the columns that do not follow, with those that do."""
    recoding = recoding_of(schema)
    values = [[*range(7)], [1, 2, 3, 4, None], [False, True]]
    frame = pd.DataFrame(product(*values), columns=["i", "j", "o"])
    typed = {"i": frame["i"].astype("Int64"), "j": frame["j"].astype("Int64"), "o": frame["o"].astype("boolean")}
    return pd.DataFrame(recoding.decoded(typed, np.random.default_rng(0)))


@pytest.mark.parametrize("by", [-7, -2, 1, 3, 12])
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_computed_column_moves_as_asked_wherever_a_value_of_its_part_allows_it(formula: str, by: int) -> None:
    """By all values of the first column that the formula names."""
    schema = d.Schema(COLUMNS, constraints=[d.Derived("t", formula)])
    rows = every_row(schema)
    after, able = moved(schema, rows, {"t": by})
    first = "j" if formula.startswith("j") else "i"
    others = [name for name in ("i", "j", "o") if name != first]
    reachable: dict[str, list[int]] = {}
    for row in rows.itertuples(index=False):
        reachable.setdefault(str([getattr(row, name) for name in others]), []).append(row.t)
    assert broken(schema, after[able]) == []
    for name in others:
        assert after[name].equals(rows[name])
    for place, row in enumerate(rows.itertuples(index=False)):
        if pd.isna(row.t):
            assert able[place]
            assert pd.isna(after["t"][place])
            continue
        found = [t for t in reachable[str([getattr(row, name) for name in others])] if not pd.isna(t)]
        best = min(abs(t - row.t - by) for t in found)
        if able[place]:  # as near as the steps of the part allow
            assert abs(after["t"][place] - row.t - by) == best, (row, by)
        elif formula != "j / (i - 3)":
            assert all((row.t + by - t) * by > 0 for t in found), (row, by)  # out of reach


@pytest.mark.parametrize(("by", "strict"), [*product([-5, -1, 2, 9], [False, True])])
def test_the_end_of_a_gap_moves_by_itself_where_the_order_and_its_bounds_allow_it(by: int, strict: bool) -> None:
    columns = {"low": d.Numeric(0, 9, integer=True), "high": d.Numeric(2, 14, integer=True, nullable=True)}
    schema = d.Schema(columns, constraints=[d.Order("low", "<" if strict else "<=", "high")])
    pairs = [(a, b) for a in range(10) for b in (*range(2, 15), None) if b is None or a + strict <= b]
    rows = pd.DataFrame(pairs, columns=["low", "high"]).astype("Int64")
    after, able = moved(schema, rows, {"high": by})
    wanted = (rows["high"] + by).clip(2, 14)  # as a shift of any number
    kept = (rows["low"] + strict <= wanted).fillna(True)
    assert able.tolist() == kept.tolist()
    assert after["low"].equals(rows["low"])
    assert after["high"][able].equals(wanted[able])
    both, able = moved(schema, rows, {"high": by, "low": 3})
    assert both["low"].equals((rows["low"] + 3).clip(0, 9))
    assert both["high"][able].equals(wanted[able])
    assert broken(schema, both[able]) == []


def test_a_copy_moves_with_what_it_copies() -> None:
    columns = {name: d.Numeric(0, 9, integer=True) for name in ("billed", "paid")}
    schema = d.Schema(columns, constraints=[d.Order("billed", "==", "paid")])
    rows = pd.DataFrame({name: pd.Series(range(6), dtype="Int64") for name in columns})
    for name in columns:
        after, able = moved(schema, rows, {name: 3})
        assert able.all()
        assert after["billed"].tolist() == after["paid"].tolist() == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("second", ["net", "tax"])
def test_a_total_moves_by_its_first_part_beside_what_else_is_moved(second: str) -> None:
    columns = {"net": d.Numeric(0, 100, decimals=2), "tax": d.Numeric(0, 50), "total": d.Numeric(0, 150, decimals=2)}
    schema = d.Schema(columns, constraints=[d.Sum("total", ["net", "tax"] if second == "tax" else ["tax", "net"])])
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"net": np.round(rng.uniform(0, 60, 500), 2), "tax": np.round(rng.uniform(0, 20, 500), 2)})
    rows["total"] = np.round(rows["net"] + rows["tax"], 2)
    first = "net" if second == "tax" else "tax"
    after, able = moved(schema, rows, {"total": 12.34, second: 1.5})
    fits = rows[first] + 12.34 - 1.5 <= columns[first].high - 0.01
    assert able[fits].all()
    np.testing.assert_allclose(after["total"][able], rows["total"][able] + 12.34, atol=1e-9)
    np.testing.assert_allclose(after[second], rows[second] + 1.5, atol=1e-9)
    assert broken(schema, after[able]) == []


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (d.Derived("t", of="i", table={n: 2 * n for n in range(7)}), "t"),
        (d.FixedCombinations(["i", "j"], public=[[1, 2], [3, 4]]), "i"),
        (d.Derived("t", "2 * o"), "t"),
    ],
)
def test_what_no_single_number_moves_is_refused_in_one_sentence(rule: Any, name: str) -> None:
    schema = d.Schema(COLUMNS, constraints=[rule])
    with pytest.raises(d.ConditionError, match=f"'{name}' follows from other columns by a constraint that no single"):
        moved(schema, pd.DataFrame(), {name: 1})


DOUBLES = {
    "the order of a gap is not looked at": (
        "data.constraints.steps.GapStep.allowed",
        lambda self, gap: np.ones(len(gap), dtype=bool),
    ),
    "nothing is solved": (
        "synthesizers.shifting.Shifting._solved",
        lambda self, new, rows, part, name, by: (new[part], np.ones(len(new[part]), dtype=bool)),
    ),
}


@pytest.mark.parametrize(("name", "double"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_broken_shift_is_found(name: str, double: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {n: d.Numeric(0, 50, integer=True) for n in ("low", "high", "net", "tax")}
    columns["total"] = d.Numeric(0, 100, integer=True)
    schema = d.Schema(columns, constraints=[d.Order("low", "<=", "high"), d.Sum("total", ["net", "tax"])])
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({n: rng.integers(0, 20, 400) for n in ("low", "net", "tax")}, dtype="Int64")
    rows["high"], rows["total"] = rows["low"] + 3, rows["net"] + rows["tax"]
    shifts = {"high": -6.0, "total": 5.0}

    def right() -> bool:
        after, able = moved(schema, rows, shifts)
        same = (after["total"] == rows["total"] + 5)[able].all()
        return bool(same) and broken(schema, after[able]) == []

    assert right()
    monkeypatch.setattr(f"dpsynth.{name}", double)
    assert not right()


def test_a_scenario_shifts_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "weight": d.Numeric(40, 150, decimals=1),
        "height": d.Numeric(1.4, 2.1, decimals=2),
        "bmi": d.Numeric(5, 80, decimals=1),
    }
    schema = d.Schema(columns, constraints=[d.Derived("bmi", "weight / height ** 2")])
    rng = np.random.default_rng(2)
    height = np.round(rng.normal(1.7, 0.08, 4000).clip(1.4, 2.1), 2)
    weight = np.round((rng.normal(26, 3, 4000) * height**2).clip(40, 150), 1)
    frame = pd.DataFrame({"weight": weight, "height": height, "bmi": np.round(weight / height**2, 1)})
    synth = d.Synthesizer(schema, "mst", epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1).fit(frame)
    scenario = d.Scenario.from_dict({"parts": [{"name": "a", "shift": {"bmi": 4}}]})
    rows, plain = synth.sample(2000, scenario=scenario, seed=1), synth.sample(2000, seed=1)
    assert broken(schema, rows[list(columns)]) == []
    assert rows["bmi"].mean() - plain["bmi"].mean() == pytest.approx(4, abs=0.3)
    assert rows["height"].mean() == pytest.approx(plain["height"].mean(), abs=0.01)
    monkeypatch.setattr(shifting, "_HALVINGS", 0)  # the part goes to its bound
    rows = synth.sample(200, scenario=scenario, seed=1)
    assert rows["weight"].min() > 149
