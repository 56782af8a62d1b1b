"""Parity: shares of an outcome are alike in all groups, and nothing else about the rows changes."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dpsynth
from dpsynth import Boolean, Categorical, ConditionError, Numeric, Schema, Synthesizer
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.balance import Class, Split
from dpsynth.synthesizers.drawing import draw_rows_to, drawn_again
from dpsynth.synthesizers.parity import Parity, parity_of
from tests.synthesizers.planted import every_row, p_value, planted


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    return planted()


@pytest.fixture(scope="module")
def every(fitted) -> pd.DataFrame:
    return every_row(fitted)


def granted(sex) -> np.ndarray:
    """Men have it in seven cases of ten, women in three."""
    return np.random.default_rng(9).random(len(sex)) < 0.3 + 0.4 * (sex == "m")


def parity(shape, groups, gap) -> Parity:
    splits = tuple(
        Split(f"c{axis}", tuple(Class(str(at), (), 0.0) for at in range(size))) for axis, size in enumerate(shape)
    )
    return Parity(splits, groups, gap)


def gap_of(joint, groups) -> float:
    """The largest difference, by loops."""
    strata = joint.shape[1 + groups :]
    found = 0.0
    for stratum in np.ndindex(*strata):
        shares = []
        for group in np.ndindex(*joint.shape[1 : 1 + groups]):
            own = joint[(slice(None), *group, *stratum)]
            if own.sum() > 0:
                shares.append(own / own.sum())
        for a in shares:
            for b in shares:
                found = max(found, float(np.abs(a - b).max()))
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(2, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.03, 0.2]),
    st.integers(0, 2**32),
)
def test_the_gap_is_kept_and_so_are_groups_and_outcomes_of_each_stratum(shape, groups, gap, seed) -> None:
    rng = np.random.default_rng(seed)
    masses = rng.gamma(0.7, size=shape) * (rng.random(shape[1:]) < 0.8)
    if not masses.any():
        return
    found = parity(shape, groups, gap).adjusted(masses)
    before, after = masses / masses.sum(), found.after
    assert gap_of(after, groups) <= gap + 1e-12
    assert found.gap(before) == pytest.approx(gap_of(before, groups))
    np.testing.assert_allclose(after.sum(axis=0), before.sum(axis=0), atol=1e-12)
    between = tuple(range(1, 1 + groups))
    np.testing.assert_allclose(after.sum(axis=between), before.sum(axis=between), atol=1e-12)
    assert found.changed == pytest.approx(np.abs(after - before).sum() / 2)
    if gap_of(before, groups) <= gap:
        np.testing.assert_allclose(after, before, atol=1e-12)
    counts = found.counts(1000, rng)
    assert counts.sum() == 1000
    assert (counts[after == 0] == 0).all()
    of_groups = counts.sum(axis=0)
    assert (np.abs(of_groups - 1000 * after.sum(axis=0)) < 1 + 1e-9).all()
    shares = np.divide(after, after.sum(axis=0), out=np.zeros(shape), where=after.sum(axis=0) > 0)
    assert (np.abs(counts - of_groups * shares) < 1 + 1e-9).all()


def test_without_a_gap_the_outcome_is_independent_and_nothing_nearer_is() -> None:
    masses = np.array([[30.0, 10.0], [20.0, 40.0]])
    found = parity((2, 2), 1, 0.0).adjusted(masses)
    np.testing.assert_allclose(found.after, [[0.2, 0.2], [0.3, 0.3]])
    assert found.facts() == {"gap_before": 0.4, "gap_after": 0.0, "rows_changed": 0.2}
    half = parity((2, 2), 1, 0.2).adjusted(masses)
    assert half.facts() == {"gap_before": 0.4, "gap_after": 0.2, "rows_changed": 0.1}


def test_each_combination_follows_the_model_and_the_shares_are_those_asked_for(fitted, every) -> None:
    asked = {"ward": {"between": {"out": ["out < 3", "out >= 3"]}}}

    def shares(rows) -> tuple[pd.DataFrame, pd.Series]:
        group = rows["out"].lt(3).astype(object).where(rows["out"].notna(), "missing").astype(str)
        return pd.crosstab(group, rows["ward"]), group.value_counts()

    counts, sizes = shares(fitted.sample(8000, parity=asked, seed=2))
    for ward in "abc":
        assert (counts[ward] - sizes * counts[ward].sum() / 8000).abs().max() < 2.5  # rows
    free, _ = shares(fitted.sample(8000, seed=2))
    of_groups = free.div(free.sum(axis=1), axis=0)
    assert (of_groups.max() - of_groups.min()).max() > 0.2  # in the model the groups differ
    rows = pd.concat([fitted.sample(3000, parity=asked, seed=seed) for seed in range(8)])
    for ward in "abc":
        own = rows[(rows["ward"] == ward) & (rows["out"] >= 3)]
        assert len(own) > 500
        assert p_value(own, every, lambda r, w=ward: (r.ward == w) & (r["out"] >= 3)) > 1e-4


def test_conditional_parity_leaves_what_the_strata_explain(fitted) -> None:
    table = fitted.parity({"ward": {"between": "fraud", "given": "size"}})
    assert list(table.columns) == ["size", "fraud", "ward", "rows", "before", "after"]
    after = table.pivot_table(index="size", columns=["fraud", "ward"], values="after")
    for ward in "abc":
        np.testing.assert_allclose(after[("True", ward)], after[("False", ward)], atol=1e-9)
    assert after[("True", "a")].std() > 1e-3
    assert table.attrs["gap_before"] > 0.1
    assert table.attrs["gap_after"] == 0
    assert 0 < table.attrs["rows_changed"] < 0.01  # frauds are one row in a thousand


def test_classes_of_numbers_are_named(fitted) -> None:
    asked = {"fraud": {"between": {"in": ["`in` < 5"]}, "gap": 0.0001}}
    table = fitted.parity(asked)
    assert set(table["in"]) == {"`in` < 5", "all others"}
    assert table.attrs["gap_after"] <= 0.0001
    asked = {"out": {"between": "ward", "values": [None, "`out` >= 7"]}}
    table = fitted.parity(asked)
    assert set(table["out"]) == {"None", "`out` >= 7", "all others"}


def test_rows_keep_constraints_and_parity() -> None:
    rng = np.random.default_rng(5)
    sex = rng.choice(["f", "m"], 4000)
    low = rng.integers(0, 50, 4000)
    rows = pd.DataFrame(
        {
            "sex": sex,
            "low": low,
            "high": low + rng.integers(0, 40, 4000),
            "yes": rng.random(4000) < 0.3 + 0.4 * (sex == "m"),
        }
    )
    columns = {
        "sex": Categorical(["f", "m"]),
        "low": Numeric(0, 50, integer=True),
        "high": Numeric(0, 100, integer=True),
        "yes": Boolean(),
    }
    schema = Schema(columns, constraints=[dpsynth.Order("low", "<=", "high")])
    synth = Synthesizer(schema, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    free = synth.sample(4000, seed=1).groupby("sex")["yes"].mean()
    assert free["m"] - free["f"] == pytest.approx(0.4, abs=0.06)
    fair = synth.sample(4001, parity={"yes": "sex"}, seed=1)
    shares = fair.groupby("sex")["yes"].mean()
    assert abs(shares["m"] - shares["f"]) < 2e-3
    assert fair["yes"].mean() == pytest.approx(rows["yes"].mean(), abs=0.03)
    assert (fair["low"] <= fair["high"]).all()
    assert synth.parity({"yes": "sex"}).attrs["gap_before"] == pytest.approx(0.4, abs=0.06)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("ward", "must name one outcome"),
        ({"ward": "fraud", "fraud": "ward"}, "must name one outcome"),
        ({"ward": {"given": "fraud"}}, "names no groups"),
        ({"ward": {"between": 3}}, "must name columns"),
        ({"ward": {"between": "fraud", "among": "size"}}, "parity has no 'among'"),
        ({"ward": {"between": "fraud", "gap": 1.0}}, "gap of parity"),
        ({"ward": {"between": "fraud", "gap": "small"}}, "gap of parity"),
        ({"ward": {"between": "fraud", "given": "ward"}}, "names 'ward' twice"),
        ({"ward": {"between": {"in": []}}}, "name classes of it"),
        ({"nothing": "fraud"}, "nothing"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(fitted, asked, words) -> None:
    with pytest.raises(ConditionError, match=words):
        fitted.sample(10, parity=asked)
    with pytest.raises(ConditionError, match=words):
        fitted.parity(asked)


def test_a_column_of_many_numbers_has_no_classes_of_its_own() -> None:
    schema = Schema({"x": Numeric(0, 1000, integer=True), "y": Boolean()})
    with pytest.raises(ConditionError, match="too many values"):
        parity_of({"y": "x"}, schema)


def test_what_cannot_be_asked_together_is_refused(fitted) -> None:
    asked = {"fraud": "ward"}
    for more in ({"balance": {"fraud": 0.5}}, {"given": pd.DataFrame({"ward": ["a"]})}):
        with pytest.raises(ConditionError, match="leave out one of the two"):
            fitted.sample(10, parity=asked, **more)
    scenario = dpsynth.Scenario.from_dict({"parts": [{"name": "all"}]})
    with pytest.raises(ConditionError, match="leave out one of the two"):
        fitted.sample(10, parity=asked, scenario=scenario)
    with pytest.raises(ConditionError, match="compared with each other"):
        fitted.sample(10, parity=asked, where="`in` < out")


def test_an_outcome_that_the_model_never_gives_to_a_group_is_named() -> None:
    masses = np.array([[5.0, 0.0], [5.0, 10.0]])
    with pytest.raises(ConditionError, match="'0' and '1', and the model has none"):
        parity((2, 2), 1, 0.0).adjusted(masses)
    with pytest.raises(ConditionError):
        parity((2, 2), 1, 0.0).adjusted(np.zeros((2, 2)))


@pytest.fixture(scope="module")
def paid() -> Synthesizer:
    rng = np.random.default_rng(8)
    sex = rng.choice(["f", "m"], 3000)
    rows = pd.DataFrame(
        {"sex": sex, "grade": rng.integers(0, 3, 3000), "yes": rng.random(3000) < 0.3 + 0.4 * (sex == "m")}
    )
    schema = Schema({"sex": Categorical(["f", "m"]), "grade": Numeric(0, 2, integer=True), "yes": Boolean()})
    return Synthesizer(schema, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)


def test_a_manifest_records_parity_and_its_cost_and_a_smaller_one_is_found(tmp_path, paid) -> None:
    model = tmp_path / "model.dpsynth"
    paid.save(model)
    asked = {"yes": {"between": "sex", "given": "grade", "gap": 0.05}}
    drawn = draw_rows_to(tmp_path / "rows.csv", Synthesizer.load(model), 500, parity=asked, seed=4)
    assert drawn.parity is not None
    line = json.loads((tmp_path / "manifest.json").read_text())["files"][-1]
    assert line["parity"] == asked
    assert line["parity_cost"] == drawn.parity.attrs == paid.parity(asked).attrs
    assert Asked.of(line).parity == asked
    add_lines(tmp_path, line_of(model, "model", model=paid.certificate.model))
    assert [each.fault for each in drawn_again(tmp_path)] == [None]
    smaller = {**line, "parity_cost": {**line["parity_cost"], "rows_changed": 0.0}}
    add_lines(tmp_path, {n: v for n, v in smaller.items() if n not in ("prev", "hash")})
    (found,) = drawn_again(tmp_path)
    assert "parity costs" in str(found.fault)


def test_the_command_says_what_parity_changes(tmp_path, paid, run) -> None:
    model, place = tmp_path / "model.dpsynth", tmp_path / "rows.csv"
    paid.save(model)
    command = f"sample {model} -n 300 --seed 1 -o"
    code, out, _ = run(f"{command} {place} --parity yes=sex|grade --parity-gap 0.1")
    assert code == 0
    assert "largest gap between groups" in out
    assert "have another outcome" in out
    assert paid.schema.columns.keys() == set(pd.read_csv(place).columns)
    for wrong in ("--parity yes", "--parity =sex", "--parity-gap 0.1"):
        code, _, said = run(f"{command} {tmp_path / 'b.csv'} {wrong}")
        assert code == 2
        assert "--parity" in said


def test_rows_in_files_of_a_folder_have_parity_too(tmp_path, paid) -> None:
    paid.write(tmp_path / "out", 2000, parity={"yes": "sex"}, seed=1)
    rows = pd.concat(map(pd.read_parquet, (tmp_path / "out").glob("*.parquet")))
    shares = rows.groupby("sex")["yes"].mean()
    assert abs(shares["m"] - shares["f"]) < 2e-3
    line = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"][-1]
    assert line["parity"] == {"yes": "sex"}


@pytest.mark.parametrize("told", [{"gap_before": 0.0, "gap_after": 0.0, "rows_changed": 0.0}, None])
def test_the_cost_of_parity_in_a_folder_is_recorded_and_a_smaller_one_or_none_is_found(tmp_path, paid, told) -> None:
    asked = {"yes": "sex"}
    written = paid.write(tmp_path, 500, parity=asked, where="grade >= 1", seed=1)
    paid.save(tmp_path / "model.dpsynth")
    add_lines(tmp_path, line_of(tmp_path / "model.dpsynth", "model", model=paid.certificate.model))
    line = json.loads((tmp_path / "manifest.json").read_text())["files"][0]
    expected = paid.parity(asked, where="grade >= 1").attrs
    assert line["parity_cost"] == written.parity.attrs == expected
    assert expected["rows_changed"] > 0.05
    assert [each.fault for each in drawn_again(tmp_path)] == [None]
    less = {n: v for n, v in {**line, "parity_cost": told}.items() if n not in ("prev", "hash") and v is not None}
    add_lines(tmp_path, less)
    (found,) = drawn_again(tmp_path)
    assert str(found.fault).startswith("parity costs {'gap_before'")


def test_the_cost_of_parity_in_a_table_of_a_database_is_recorded(tmp_path, paid, run) -> None:
    place = f"sqlite:///{tmp_path}/n.db?table=made"
    written = paid.write(place, 500, parity={"yes": "sex"}, seed=1)
    with sqlite3.connect(tmp_path / "n.db") as connection:
        ((told,),) = connection.execute("select asked from dpsynth_manifest").fetchall()
    connection.close()
    cost = paid.parity({"yes": "sex"}).attrs
    assert json.loads(told) == {"where": None, "parity": {"yes": "sex"}, "parity_cost": cost}
    assert written.parity.attrs == cost


@pytest.mark.parametrize("place", ["out", "sqlite:///n.db?table=made"])
def test_the_command_says_the_cost_for_folders_and_databases_too(tmp_path, paid, run, place, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    paid.save(tmp_path / "model.dpsynth")
    code, out, err = run(f"sample model.dpsynth -n 300 -o {place} --parity yes=sex --seed 1")
    assert code == 0, err
    assert "largest gap between groups" in out
    code, out, err = run(f"sample model.dpsynth -n 300 -o {place}2 --parity yes=sex --seed 1 --json")
    assert json.loads(out)["parity_cost"] == paid.parity({"yes": "sex"}).attrs
