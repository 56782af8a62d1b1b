"""Scenarios of a schema with constraints keep them in all rows of all parts, or are refused in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Identifier, Implies, Numeric, Order, Scenario, Schema, Sum, Synthesizer
from dpsynth.synthesizers import drawn_scenario, kept_block
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.sampled_rows import Origin
from tests.synthesizers.constraint_cases import broken

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

    def unkept(origin, n, cases, splits, *_, **__):
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


# Parts of which the model has no row


WIDE = {
    **COLUMNS,
    "start": Numeric(0, 500, integer=True),
    "end": Numeric(0, 800, integer=True),
    "net": Numeric(0, 5000, integer=True),
    "total": Numeric(0, 5100, integer=True),
}


@pytest.fixture(scope="module")
def narrow() -> Synthesizer:
    """A model of rows that fill half of the columns' ranges, and have one ward: a seed whose noise leaves no other."""
    rng = np.random.default_rng(0)
    start, net = rng.integers(0, 40, 4000), rng.integers(0, 300, 4000)
    frame = pd.DataFrame({"visit": range(4000), "start": start, "end": start + rng.integers(0, 30, 4000), "net": net})
    frame = frame.assign(tax=net // 5, total=net + net // 5, ward="a", fraud=net > 250)
    rules = [Order("start", "<=", "end"), Sum("total", ["net", "tax"]), Implies("fraud == True", "net >= 100")]
    schema = Schema(WIDE, constraints=rules)
    return Synthesizer(schema, "canopy", epsilon=5, delta=1e-6, unsafe_seed=4, ledger=None).fit(frame)


BEYOND = {
    "a number": ("net > 4500", {}),
    "what is computed": ("total > 5050", {}),
    "the end of a gap and a category": ("end >= 780 and ward == 'b'", {}),
    "a column of a rule": ("net > 4500 and fraud == True", {}),
    "and a shift": ("net > 4500 and end > 700", {"shift": {"net": 10}}),
    "and a tilt": ("net > 4500", {"tilt": {"fraud": {True: 50}}}),
}


@pytest.mark.parametrize(("where", "more"), BEYOND.values(), ids=BEYOND.keys())
def test_rows_beyond_the_model_meet_the_condition_and_keep_the_constraints(
    narrow, where, more, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tilt has .936 over eight seeds of 450 rows; 100 rows scatter by .025, and .9 is no rare draw of theirs."""
    monkeypatch.setattr(kept_block, "_HOPELESS", 500_000)
    n = 900 if "tilt" in more else 200
    part = {"name": "a", "share": 0.5, "where": where, **more}
    suite = {"impossible": "extrapolate", "parts": [part, {"name": "b", "where": "ward == 'a'"}]}
    rows = narrow.sample(n, scenario=Scenario.from_dict(suite), seed=1)
    first, second = (rows[rows["part"] == name] for name in "ab")
    assert (len(first), len(second)) == (n // 2, n // 2)
    assert first["extrapolated"].all()
    assert broken(narrow.schema, rows[list(WIDE)]) == []
    before = first.assign(net=first["net"] - 10) if "shift" in more else first
    assert len(before.query(where)) == n // 2
    if "tilt" in more:
        assert first["fraud"].mean() > 0.9
    with pytest.raises(dpsynth.ConditionError):
        narrow.sample(200, scenario=Scenario.from_dict({**suite, "impossible": "refuse"}), seed=1)


def test_what_no_row_beyond_the_model_can_keep_is_one_sentence(narrow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_block, "_HOPELESS", 300_000)
    suite = {"impossible": "extrapolate", "parts": [{"name": "a", "where": "start > 450 and end < 400"}]}
    said = "part 'a': of 500,000 rows that were made up none keeps the constraints on .* and meets the condition"
    with pytest.raises(dpsynth.ConditionError, match=said) as caught:
        narrow.sample(10, scenario=Scenario.from_dict(suite), seed=1)
    assert "\n" not in str(caught.value)


_APART = Origin.apart
DOUBLES = {
    "terms are not met": (
        "net > 4500",
        "sampled_rows.Origin.apart",
        lambda self, names, case, *more: _APART(self, names, Case(), *more),
    ),
    "checks are passed by all": (
        "total > 5050",
        "kept_block._failing",
        lambda rows, checks: np.zeros(0, dtype=np.intp),
    ),
}


@pytest.mark.parametrize(("where", "name", "double"), DOUBLES.values(), ids=DOUBLES.keys())
def test_rows_that_are_made_up_without_the_condition_would_be_found(
    narrow, where, name, double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_block, "_HOPELESS", 300_000)
    suite = Scenario.from_dict({"impossible": "extrapolate", "parts": [{"name": "a", "where": where}]})
    assert len(narrow.sample(200, scenario=suite, seed=1).query(where)) == 200
    monkeypatch.setattr(f"dpsynth.synthesizers.{name}", double)
    rows = narrow.sample(200, scenario=suite, seed=1)
    assert len(rows.query(where)) < 200
