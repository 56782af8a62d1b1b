"""Constraints as they are declared: files, formulas, and one sentence for each that the columns do not bear."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import dpsynth as d
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.schema.constraint_files import constraint_of, facts_of
from dpsynth.schema.formulas import formula_of

RULES = [
    d.Order("a", ">=", "b"),
    d.Range("a", "b", "c", strict=True),
    d.Implies("a > 3", "b is None and c < 4"),
    d.FixedCombinations(["p", "q"], public=[["u", "r"], ["v", None]]),
    d.Sum("t", ["a", "b"]),
    d.Derived("t", "a / (b + 1) ** 2"),
    d.Derived("p", of="q", table={"r": "u", "s": "v"}),
    d.Derived("p", of=["q", "m"], table=[["r", True, "u"], ["r", False, "v"]]),
    d.OneHot(["m", "o"], none=True),
    d.Unique("id"),
    d.FixedIncrements("a", 0.5),
]
COLUMNS: dict[str, Any] = {
    "a": d.Numeric(0, 10),
    "b": d.Numeric(0, 10, nullable=True),
    "c": d.Numeric(0, 10),
    "t": d.Numeric(0, 20, nullable=True),
    "when": d.Datetime("2020-01-01", "2021-01-01"),
    "hour": d.Datetime("2020-01-01", "2021-01-01", resolution="h"),
    "p": d.Categorical(["u", "v"]),
    "q": d.Categorical(["r", "s"], nullable=True),
    "m": d.Boolean(),
    "o": d.Boolean(),
    "id": d.Identifier(),
    "note": d.Text(),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.describe())
def test_a_constraint_comes_back_from_its_facts(rule: Any) -> None:
    assert constraint_of(1, facts_of(rule)) == rule
    assert hash(constraint_of(1, facts_of(rule))) == hash(rule)
    assert rule.describe()


def test_a_public_table_may_be_a_data_frame_with_more_columns_in_any_order() -> None:
    table = pd.DataFrame({"n": [1.0, 2.0, 2.0], "z": 0, "p": ["u", "v", "v"], "b": [np.nan, 3, 3]})
    rule = d.FixedCombinations(["p", "n", "b"], public=table)
    assert rule.public == (("u", 1, None), ("v", 2, 3))
    assert type(rule.public[0][1]) is int


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "an operator": (lambda: d.Order("a", "=", "b"), "op must be one of"),
    "one column": (lambda: d.Order("a", "<", "a"), "names 'a' twice"),
    "no condition": (lambda: d.Implies("a > 3", ""), "then must be a condition"),
    "no rows": (lambda: d.FixedCombinations(["p", "q"], public=[]), "has no rows"),
    "rows too short": (lambda: d.FixedCombinations(["p", "q"], public=[["u"]]), "a row of 1 values"),
    "a path": (lambda: d.FixedCombinations(["p", "q"], public="x.csv"), "a table of public values"),
    "neither": (lambda: d.Derived("t"), "from a formula, or from a table"),
    "both": (lambda: d.Derived("t", "a", of="q", table={"r": 1}), "from a formula, or from a table"),
    "two values": (lambda: d.Derived("p", of="q", table=[["r", "u"], ["r", "v"]]), "gives two values"),
    "itself": (lambda: d.Derived("t", "t + 1"), "names 't' twice"),
    "a step": (lambda: d.FixedIncrements("a", 0), "step must be a number above 0"),
    "no formula": (lambda: d.Derived("t", "import os"), "cannot be read"),
    "a call": (lambda: d.Derived("t", "__import__('os')"), "cannot be read"),
    "an attribute": (lambda: d.Derived("t", "a.real"), "cannot be read"),
    "an index": (lambda: d.Derived("t", "a[0]"), "cannot be read"),
    "no column in it": (lambda: d.Derived("t", "3 + 4"), "names no column"),
    "an unknown column": (lambda: schema(d.Order("a", "<", "zz")), "names 'zz', which is no column"),
    "free text": (lambda: schema(d.Order("a", "<", "note")), "'note', which is never read"),
    "an identifier": (lambda: schema(d.Order("a", "<", "id")), "'id', which is never read"),
    "text in order": (lambda: schema(d.Order("a", "<", "p")), "not all numbers"),
    "dates of two kinds": (lambda: schema(d.Order("when", "<", "hour")), "of one resolution"),
    "a copy that may be missing": (lambda: schema(d.Order("a", "==", "b")), "both nullable"),
    "a sum that is missing": (lambda: schema(d.Sum("c", ["a", "b"])), "has no value where 'b' is missing"),
    "a sum of text": (lambda: schema(d.Sum("t", ["a", "p"])), "which holds text"),
    "a formula of categories": (lambda: schema(d.Derived("p", "a + c")), "of another type"),
    "two for one": (lambda: schema(d.Sum("t", ["a", "c"]), d.Derived("t", "a")), "follows twice"),
    "a circle": (lambda: schema(d.Derived("a", "c + 1"), d.Derived("c", "a - 1")), "in a circle"),
    "no flags": (lambda: schema(d.OneHot(["a", "m"])), "needs columns of truth values"),
    "a key of real numbers": (lambda: schema(d.Unique("a")), "needs an identifier"),
    "a key that repeats": (
        lambda: d.Schema(
            {"a": d.Numeric(0, 1), "id": d.Identifier(pattern="S-###", repeats=True)},
            unit=d.PrivacyUnit("id", 2),
            constraints=[d.Unique("id")],
        ),
        "repeats as people do",
    ),
    "no list": (lambda: d.Schema(COLUMNS, constraints=d.Unique("id")), "constraints must be a list"),
    "no constraint": (lambda: d.Schema(COLUMNS, constraints=["a < b"]), "constraint 1 is of type str"),
    "an unknown type": (lambda: from_file({"type": "ordre"}), "constraint 1 has type 'ordre'"),
    "an unknown field": (lambda: from_file({"type": "unique", "name": "id"}), "unknown fields"),
    "a field too few": (lambda: from_file({"type": "order", "left": "a"}), "lacks a field"),
    "an entry": (lambda: from_file("a <= b"), "constraint 1 must be a mapping"),
}


def schema(*rules: Any) -> d.Schema:
    return d.Schema(COLUMNS, constraints=rules)


def from_file(entry: Any) -> d.Schema:
    spec = d.Schema({"a": d.Numeric(0, 1), "id": d.Identifier()}).to_dict()
    return d.Schema.from_dict({**spec, "constraints": [entry]})


@pytest.mark.parametrize(("made", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_the_columns_do_not_bear_is_refused_in_one_sentence(made: Callable[[], Any], said: str) -> None:
    with pytest.raises(d.SchemaError) as caught:
        made()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# Formulas

NUMBERS = st.floats(-50, 50).map(lambda number: round(number, 2))
FORMULAS = (
    "x + y * 2", "x - y / 3", "-x * (y - 1)", "x / y", "x ** 2 - y", "max(x, y, 3) - min(x, y)", "abs(x) + ceil(y)",
    "sqrt(abs(x)) + exp(y / 50)", "round(x / 7, 1)", "floor(x) * `x`", "log(abs(y) + 1)", "x ** 3 / (y ** 2 + 1)",
)  # fmt: skip
PYTHON = {
    "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "floor": math.floor, "ceil": math.ceil, "abs": abs,
    "min": min, "max": max, "round": round,
}  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
@given(x=NUMBERS, y=NUMBERS)
def test_a_formula_gives_what_python_computes(text: str, x: float, y: float) -> None:
    found = formula_of(text)({"x": np.array([x]), "y": np.array([y])})[0]
    try:
        wanted = float(eval(text.replace("`", ""), PYTHON, {"x": x, "y": y}))
    except ZeroDivisionError:
        assert math.isnan(found)
        return
    tie = 0.1 if "round" in text else 0.0  # 13.65 / 7 is 1.95 less what floats cannot hold: 1.9 or 2.0
    assert found == pytest.approx(wanted, rel=1e-9, abs=tie + 1e-9)


@pytest.mark.parametrize("text", FORMULAS)
@given(xs=st.tuples(NUMBERS, NUMBERS), ys=st.tuples(NUMBERS, NUMBERS), at=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_result_lies_in_the_interval_of_its_formula(text: str, xs: Any, ys: Any, at: Any) -> None:
    ends = {"x": (min(xs), max(xs)), "y": (min(ys), max(ys))}
    low, high = formula_of(text).interval(ends)
    inside = {
        name: np.array([min(max(a + t * (b - a), a), b)]) for (name, (a, b)), t in zip(ends.items(), at, strict=True)
    }
    found = formula_of(text)(inside)[0]
    if not math.isnan(found):
        assert low - 1e-9 * abs(low) - 1e-12 <= found <= high + 1e-9 * abs(high) + 1e-12


def test_a_missing_part_has_no_result() -> None:
    found = formula_of("max(x, 3) + 0 * y")({"x": np.array([1.0, np.nan, 1.0]), "y": np.array([1.0, 1.0, np.nan])})
    assert np.isnan(found).tolist() == [False, True, True]


def test_the_schema_of_the_page_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "constraints.md").read_text(encoding="utf-8")
    spec = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    read = d.Schema.from_dict(spec)
    assert [type(rule) for rule in read.constraints] == [d.Order, d.Implies, d.Sum, d.FixedCombinations, d.Unique]
    assert {*recoding_of(read).modelled.columns} == {
        "admitted", "admitted to discharged", "sex", "pregnancies", "net", "tax", "country, city",
    }  # fmt: skip
