"""Counts of input rows that break a constraint, against a checker that reads one row at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.synthesizers.rule_check import check_rules
from tests.synthesizers.constraint_cases import broken, cases, random_rows


def declared_rows(rng: np.random.Generator, schema: d.Schema, n: int) -> pd.DataFrame:
    """Rows of declared values only, with the dtypes of a release."""
    synth = d.Synthesizer(d.Schema(schema.columns), "independent", epsilon=1, delta=1e-6, ledger=None)
    return synth.fit(random_rows(rng, 300)).sample(n, seed=int(rng.integers(1000)))


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
def test_counts_are_those_of_the_checker() -> None:
    compared = 0
    for rng, schema in cases(11, 30):
        rows = declared_rows(rng, schema, 60)
        try:
            found = check_rules(rows, schema)
        except d.SchemaError:
            continue
        for rule, count in zip(schema.constraints, found, strict=True):
            alone = d.Schema(schema.columns, constraints=[rule])
            wanted = sum(line.startswith(rule.describe() + ": ") for line in broken(alone, rows))
            if isinstance(rule, d.Unique):  # the checker has a line for each repeated value
                wanted = int(rows[rule.column].duplicated(keep=False).sum())
            assert count.constraint == rule.describe()
            assert count.broken == wanted, rule.describe()
            compared += 1
    assert compared > 50


def test_schema_check_counts_broken_rows_of_a_file(tmp_path: Path, run: Any) -> None:
    rules = [d.Order("a", "<=", "b"), d.Implies("c == 'x'", "b is None"), d.Sum("t", ["a", "b"]), d.Unique("id")]
    columns = {
        "id": d.Identifier(),
        "a": d.Numeric(0, 9, integer=True),
        "b": d.Numeric(0, 9, integer=True, nullable=True),
        "t": d.Numeric(0, 18, integer=True, nullable=True),
        "c": d.Categorical(["x", "y"]),
    }
    d.Schema(columns, constraints=rules).save(tmp_path / "s.yaml")
    (tmp_path / "r.csv").write_text("id,a,b,t,c\n1,3,2,5,y\n2,1,1,2,x\n2,1,,,x\n3,1,2,4,y\n")
    code, out, _ = run(f"schema check {tmp_path}/s.yaml {tmp_path}/r.csv --json")
    assert code == 0
    found = {each["constraint"]: each["broken"] for each in json.loads(out)["constraints"]}
    assert found == {
        "a <= b": 1,
        "where c == 'x': b is None": 1,
        "t = a + b": 1,
        "id has no value twice": 2,
    }
    _, shown, _ = run(f"schema check {tmp_path}/s.yaml {tmp_path}/r.csv")
    assert "PRIVATE: rows that break a constraint" in shown
