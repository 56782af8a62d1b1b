"""Quality finds what was planted, stands beside a floor, and never fails because of a value."""

from __future__ import annotations

import json
from importlib import import_module

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.evaluation.fidelity import Quality, evaluate
from dpsynth.models import distances as spread
from dpsynth.models.distances import compared_pairs
from dpsynth.schema.table import Boolean, Categorical, Datetime, Identifier, Numeric, Schema, SchemaError, Text

SCHEMA = Schema(
    {
        "id": Identifier(),
        "age": Numeric(0, 120, integer=True),
        "income": Numeric(0, 1e6, nullable=True),
        "town": Categorical([f"t{i}" for i in range(30)]),
        "sex": Categorical(["f", "m"], nullable=True),
        "seen": Datetime("2020-01-01", "2020-12-31"),
        "died": Boolean(),
    }
)


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, n)
    return pd.DataFrame(
        {
            "id": [str(i) for i in range(n)],
            "age": age,
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(10, 1, n).clip(0, 1e6)),
            "town": [f"t{i}" for i in rng.zipf(1.6, n) % 30],
            "sex": rng.choice(["f", "m", None], n),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D"),
            "died": rng.random(n) < age / 120,
        }
    )


REAL = people(2000)


def distances(quality):
    return {column.name: column.distance for column in quality.columns}


def test_equal_tables_are_at_distance_zero_in_any_order():
    quality = evaluate(REAL.sample(frac=1, random_state=1), REAL, SCHEMA)
    assert all(way.distance == 0 for way in quality.ways)
    assert not np.any(quality.pairs)
    assert quality.outside_domain == 0


@pytest.fixture
def four_columns(monkeypatch):
    """As if all pairs of four columns were compared, and no more."""
    compared_pairs.cache_clear()
    monkeypatch.setattr(spread, "MOST_COLUMNS", 4)
    yield
    compared_pairs.cache_clear()


def test_of_many_columns_some_pairs_are_compared_as_they_are_of_few(four_columns, request):
    release = people(1500, seed=1)
    some = evaluate(release, REAL, SCHEMA)
    compared_pairs.cache_clear()
    request.getfixturevalue("monkeypatch").undo()
    every = evaluate(release, REAL, SCHEMA)
    said = "of 15 pairs of columns 6 were compared, drawn by the names of the columns alone"
    assert (some.left_out, every.left_out) == (said, None)
    assert [(way.columns, way.sets) for way in some.ways] == [(1, 6), (2, 6), (3, 20)]
    chosen = {each.columns for each in some.associations}
    assert len(chosen) == 6
    assert some.associations == tuple(a for a in every.associations if a.columns in chosen)
    there = [p for row in some.pairs for p in row if p is not None]
    assert len(there) == 6 + 2 * 6
    assert all(x in (None, y) for a, b in zip(some.pairs, every.pairs, strict=True) for x, y in zip(a, b, strict=True))
    assert {tuple(p["columns"]) for p in some.worst_pairs(20)} == chosen
    assert said in some.summary()
    assert said in some.to_html().lower()
    assert json.loads(some.to_json())["left_out"] == said
    both = {frozenset(p.columns) for p in some.patterns if p.kind in ("dependency", "rare combinations")}
    assert both <= {frozenset(c) for c in chosen}


def test_disjoint_tables_are_at_distance_one():
    schema = Schema({"a": Categorical(["x", "y"]), "b": Numeric(0, 9, integer=True), "c": Boolean()})
    real = pd.DataFrame({"a": ["x"] * 5, "b": [0] * 5, "c": [True] * 5})
    synthetic = pd.DataFrame({"a": ["y"] * 8, "b": [9] * 8, "c": [False] * 8})
    quality = evaluate(synthetic, real, schema)
    assert [way.distance for way in quality.ways] == [1, 1, 1]
    assert np.all(np.array(quality.pairs) == 1)


def test_the_distances_are_those_of_a_hand_computed_example():
    schema = Schema({"a": Categorical(["x", "y"]), "b": Categorical(["p", "q"])})
    real = pd.DataFrame({"a": ["x", "x", "y", "y"], "b": ["p", "q", "p", "q"]})
    synthetic = pd.DataFrame({"a": ["x", "x", "x", "y"], "b": ["p", "p", "q", "q"]})
    quality = evaluate(synthetic, real, schema)
    # a: (1/2, 1/2) and (3/4, 1/4); b: equal; pairs: (1, 1, 1, 1)/4 and (2, 1, 0, 1)/4
    assert distances(quality) == {"a": 0.25, "b": 0.0}
    assert quality.pairs == ((0.25, 0.25), (0.25, 0.0))
    assert [(w.columns, w.sets, w.distance) for w in quality.ways] == [(1, 2, 0.125), (2, 1, 0.25)]
    assert quality.columns[0].labels[:2] == ("x", "y")
    assert quality.columns[0].real[:2] == (0.5, 0.5)
    assert quality.columns[0].synthetic[:2] == (0.75, 0.25)


@pytest.mark.parametrize("name", ["age", "income", "town", "sex", "seen", "died"])
def test_a_planted_shift_is_found_in_its_column_and_no_other(name):
    synthetic = REAL.copy()
    synthetic.loc[synthetic.index[:600], name] = REAL[name].dropna().mode()[0]
    quality = evaluate(synthetic, REAL, SCHEMA)
    found = distances(quality)
    assert found.pop(name) > 0.05
    assert not any(found.values())
    assert all(name in pair["columns"] for pair in quality.worst_pairs())


def test_a_broken_pair_is_named_though_its_columns_are_right():
    synthetic = REAL.assign(died=REAL["died"].sample(frac=1, random_state=0).to_numpy())
    quality = evaluate(synthetic, REAL, SCHEMA)
    assert quality.ways[0].distance == 0
    assert quality.worst_pairs(1)[0]["columns"] == ["age", "died"]
    assert quality.worst_pairs(1)[0]["distance"] > 3 * quality.worst_pairs(1)[0]["floor"]


def test_the_floor_is_the_holdout_or_else_a_bootstrap():
    synthetic, holdout = people(2000, 1), people(1000, 2)
    held = evaluate(synthetic, REAL, SCHEMA, holdout=holdout)
    assert (held.yardstick, held.rows_yardstick) == ("holdout", 1000)
    assert {c.name: c.floor for c in held.columns} == distances(evaluate(holdout, REAL, SCHEMA))
    assert "holdout         real rows set aside: nothing comes much closer" in held.summary()
    drawn = evaluate(synthetic, REAL, SCHEMA)
    assert "bootstrap       the real rows drawn anew with replacement: nothing" in drawn.summary()
    assert (drawn.yardstick, drawn.rows_yardstick) == ("bootstrap", 2000)
    assert drawn == evaluate(synthetic, REAL, SCHEMA)
    for way in drawn.ways:  # the floor and an honest sample are of one size
        assert way.distance / 2 < way.floor < way.distance * 1.2


def test_missing_rates_and_repeated_rows_are_told():
    schema = Schema({"a": Categorical(["x", "y"], nullable=True, missing_marker="?")})
    real = pd.DataFrame({"a": ["x", "?", None, "y"]})
    synthetic = pd.DataFrame({"a": ["x", "x", "x", None]})
    quality = evaluate(synthetic, real, schema)
    assert (quality.columns[0].missing_real, quality.columns[0].missing_synthetic) == (0.5, 0.25)
    assert (quality.repeated_real, quality.repeated_synthetic) == (0.0, 0.5)


def test_values_outside_the_public_domain_are_counted():
    synthetic = REAL.head(10).astype({"age": float})
    synthetic.loc[synthetic.index[0], "age"] = 121
    synthetic.loc[synthetic.index[1], "age"] = 3.5
    synthetic.loc[synthetic.index[2], "town"] = "elsewhere"
    quality = evaluate(synthetic, REAL, SCHEMA)
    assert {c.name: c.outside_domain for c in quality.columns if c.outside_domain} == {"age": 2, "town": 1}
    assert "3 synthetic values" in quality.to_html()


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("which", ["synthetic", "real", "both"])
def test_tables_of_no_row_or_one_are_tables_like_any_other(rows, which):
    small, large = REAL.head(rows), REAL
    synthetic = small if which in ("synthetic", "both") else large
    real = small if which in ("real", "both") else large
    quality = evaluate(synthetic, real, SCHEMA)
    expected = 0 if which == "both" else 1
    assert rows or all(way.distance == expected for way in quality.ways)
    json.loads(quality.to_json())
    assert "INTERNAL" in quality.to_html()
    assert repr(quality)


def test_arrow_and_pandas_and_files_agree(tmp_path):
    synthetic = people(500, 3)
    table = pa.Table.from_pandas(synthetic, preserve_index=False)
    synthetic.to_parquet(tmp_path / "s.parquet")
    expected = evaluate(synthetic, REAL, SCHEMA)
    assert evaluate(table, REAL, SCHEMA) == expected
    assert evaluate(tmp_path / "s.parquet", REAL, SCHEMA) == expected


def test_open_bounds_come_from_the_argument_or_from_both_tables():
    schema = Schema({"x": Numeric(None, None), "y": Numeric(0, None, integer=True)})
    real = pd.DataFrame({"x": np.linspace(-50, 50, 400), "y": np.arange(400)})
    synthetic = real + 1000
    assert distances(evaluate(synthetic, real, schema)) == {"x": 1, "y": pytest.approx(1)}
    learned = evaluate(synthetic, real, schema, bounds={"x": (-64, 64), "y": (0, 512)})
    assert {c.name: c.outside_domain for c in learned.columns} == {"x": 400, "y": 400}
    empty = pd.DataFrame({"x": [], "y": []})
    assert evaluate(empty, empty, schema).ways[0].distance == 0


def test_what_was_compared_is_stated():
    quality = evaluate(REAL, REAL, SCHEMA)
    stated = {c.name: c.measured_on for c in quality.columns}
    assert stated["age"] == "20 bins with about equal numbers of real rows" or stated["age"].startswith("19 bins")
    assert stated["town"] == "all 30 categories"
    assert stated["died"] == "all 2 categories"
    age = quality.columns[0]
    assert age.labels[0].startswith("0 to ")
    assert age.labels[age.values - 1].endswith("to 120")
    seen = quality.columns[4]
    assert seen.labels[0].startswith("2020-01-01 to 2020-01-")
    assert seen.labels[seen.values - 1].endswith("to 2020-12-31")


def test_the_frame_has_one_row_for_each_column_that_is_read():
    frame = evaluate(REAL.head(50), REAL, SCHEMA).to_frame()
    assert frame.index.tolist() == ["age", "income", "town", "sex", "seen", "died"]
    assert {"type", "distance", "floor", "missing_real", "missing_synthetic", "outside_domain"} <= {*frame.columns}


def test_hostile_names_are_shown_and_never_run():
    name = "<script>alert(1)</script>\x1b"
    schema = Schema({name: Categorical([name, "<b>"]), "x": Numeric(0, 9)})
    table = pd.DataFrame({name: [name, "<b>"], "x": [1.0, 2.0]})
    quality = evaluate(table, table, schema)
    for page in (quality.to_html(), quality._repr_html_()):
        assert "<script" not in page
        assert "<b>" not in page
        assert "\x1b" not in page
        assert "&lt;script&gt;" in page
    assert "\x1b" not in repr(quality)


def test_json_holds_every_number(tmp_path):
    quality = evaluate(REAL.head(100), REAL, SCHEMA)
    record = json.loads((quality.save(tmp_path / "q") / "quality.json").read_text())
    assert record["dpsynth_quality"] == 1
    assert "not differentially private" in record["internal"]
    assert [c["distance"] for c in record["columns"]] == list(distances(quality).values())
    assert np.array(record["pairs"]).shape == (6, 6)
    assert (tmp_path / "q" / "quality.html").exists()


def test_structure_is_refused_before_anything_is_compared():
    with pytest.raises(SchemaError, match=r"^synthetic: .*lacks 'age'"):
        evaluate(REAL.drop(columns="age"), REAL, SCHEMA)
    with pytest.raises(SchemaError, match=r"^holdout: .*not declared"):
        evaluate(REAL, REAL, SCHEMA, holdout=REAL.assign(extra=1))
    with pytest.raises(SchemaError, match=r"^real: data must be"):
        evaluate(REAL, [1, 2], SCHEMA)
    with pytest.raises(ValueError, match="the holdout has no rows"):
        evaluate(REAL, REAL, SCHEMA, holdout=REAL.head(0))
    with pytest.raises(ValueError, match="no column to compare"):
        evaluate(REAL, REAL, Schema({"id": Identifier()}))
    with pytest.raises(SchemaError, match="free text"):
        evaluate(REAL, REAL, Schema({"note": Text()}))


def test_the_function_is_at_the_top_level_whatever_was_imported_first():
    assert dpsynth.evaluate is evaluate
    import_module("dpsynth.evaluation")
    assert isinstance(dpsynth.evaluate(REAL.head(5), REAL, SCHEMA), Quality)
