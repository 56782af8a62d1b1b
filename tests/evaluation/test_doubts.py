"""A holdout of the rows that a release was made from is told, and so is a release of few rows; others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dpsynth.base.text import percent
from dpsynth.evaluation.doubts import doubts
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evaluation.numbers import Numbers
from dpsynth.schema.table import Categorical, Numeric, Schema

WIDE = Schema({"x": Numeric(-9, 9), "y": Numeric(-9, 9), "sex": Categorical(["f", "m"])})
NARROW = Schema({"sex": Categorical(["f", "m"]), "age": Numeric(0, 9, integer=True)})


def table(schema, seed, rows=600):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows)
    if schema is NARROW:
        return pd.DataFrame({"sex": sex, "age": rng.integers(0, 10, rows)})
    return pd.DataFrame({"x": rng.normal(size=rows), "y": rng.normal(size=rows), "sex": sex})


def found(schema, real, release, holdout=None):
    return doubts(*(None if one is None else Numbers.of(one, schema) for one in (real, release, holdout)))


@pytest.mark.parametrize("schema", [WIDE, NARROW], ids=["wide", "narrow"])
def test_other_rows_of_the_same_people_are_not_doubted_even_if_all_occur_in_both(schema):
    for seed in range(10):
        assert found(schema, table(schema, seed), table(schema, seed + 100), table(schema, seed + 200)) == ()


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_a_holdout_that_the_real_rows_leaked_into_is_told(share):
    real, holdout = table(WIDE, 0), table(WIDE, 1)
    holdout.iloc[: int(share * 600)] = real.iloc[: int(share * 600)]
    (said,) = found(WIDE, real, table(WIDE, 2), holdout)
    assert said.startswith(f"{percent(share)} of the holdout's rows are also real rows, where {percent(0.0)} would")


def test_a_release_of_few_rows_is_told_on_the_page_and_in_the_summary():
    quality = evaluate(table(WIDE, 1, 50), table(WIDE, 0), WIDE)
    (said,) = quality.doubts
    assert "The release has 50 rows, and the real table 600" in said
    assert said in quality.to_html()
    assert said in quality.summary()
    assert found(WIDE, table(WIDE, 0), table(WIDE, 1, 300)) == ()
