"""Scenarios of a schema with constraints keep them in all rows of all parts, or are refused in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Identifier, Numeric, Order, Scenario, Schema, Sum, Synthesizer
from dpsynth.synthesizers import drawn_scenario

COLUMNS = {
    "visit": Identifier(pattern="V-###"),
    "start": Numeric(0, 50, integer=True),
    "end": Numeric(0, 80, integer=True),
    "net": Numeric(0, 500, integer=True),
    "tax": Numeric(0, 100, integer=True),
    "total": Numeric(0, 600, integer=True),
    "ward": Categorical(["a", "b"]),
    "fraud": Boolean(),
}
SUITE = {
    "impossible": "skip",
    "parts": [
        {"name": "costly", "share": 0.5, "where": "total >= 300 or end > 60", "balance": {"fraud": 0.25}},
        {"name": "none", "share": 0.25, "where": "net < 0.5 and net > 499.5"},
        {"name": "late", "share": 0.25, "where": "end > net", "given": {"ward": "b"}},
    ],
}


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    rng = np.random.default_rng(0)
    start, net = rng.integers(0, 50, 4000), rng.integers(0, 500, 4000)
    frame = pd.DataFrame({"visit": range(4000), "start": start, "end": start + rng.integers(0, 30, 4000), "net": net})
    frame = frame.assign(tax=net // 5, total=net + net // 5, ward=rng.choice(["a", "b"], 4000), fraud=net > 400)
    schema = Schema(COLUMNS, constraints=[Order("start", "<=", "end"), Sum("total", ["net", "tax"])])
    return Synthesizer(schema, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)


def kept(rows) -> bool:
    return bool(
        (rows["start"] <= rows["end"]).all()
        and (rows["net"] + rows["tax"] == rows["total"]).all()
        and rows["visit"].is_unique
    )


def test_every_part_keeps_its_condition_and_the_constraints(fitted) -> None:
    """400 of 1,000 possible identifiers: those of the parts by themselves would repeat."""
    suite = Scenario.from_dict(SUITE)
    rows = fitted.sample(400, scenario=suite, seed=1)
    assert list(rows) == [*COLUMNS, "part", "support", "extrapolated"]
    assert kept(rows)
    assert suite.coverage(rows, 400)["given"].tolist() == [200, 0, 100]
    costly, late = (rows[rows["part"] == name] for name in ("costly", "late"))
    assert ((costly["total"] >= 300) | (costly["end"] > 60)).all()
    assert costly["fraud"].sum() == 50
    assert (late["end"] > late["net"]).all()
    assert (late["ward"] == "b").all()
    assert 0 < rows["support"].median() < np.inf
    pd.testing.assert_frame_equal(rows, fitted.sample(400, scenario=suite, seed=1))


def test_a_double_that_draws_parts_without_the_constraints_would_be_found(fitted, monkeypatch) -> None:
    rng = np.random.default_rng(1)

    def unkept(origin, n, cases, splits, *_):
        rows = fitted.sample(n, seed=1).drop(columns="visit")
        return rows.assign(start=rng.permutation(rows["start"]))

    monkeypatch.setattr(drawn_scenario, "draw_kept", unkept)
    assert not kept(fitted.sample(400, scenario=Scenario.from_dict(SUITE), seed=1)[list(COLUMNS)])


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"tilt": {"total": {"total > 5": 2}}}, "'total' follows from others"),
        ({"shift": {"total": 2, "net": 1}}, "is moved with 'net' by a constraint"),
        ({"where": "net < 0.5 and net > 499.5"}, "part 'a': no value of 'net' can meet the condition"),
    ],
)
def test_what_would_break_them_is_refused(fitted, part, said) -> None:
    spec = {"impossible": "extrapolate" if "where" in part else "refuse", "parts": [{"name": "a", **part}]}
    with pytest.raises(dpsynth.ConditionError, match=said):
        fitted.sample(10, scenario=Scenario.from_dict(spec))
