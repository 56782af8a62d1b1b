"""Tables of other packages come in by way of Arrow, and are read as in pandas: of polars, and whatever has a stream."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.engines.files import open_rows, open_source

SCHEMA = dpsynth.Schema(
    {
        "age": dpsynth.Numeric(0, 120, integer=True, nullable=True),
        "cost": dpsynth.Numeric(0, 100),
        "ward": dpsynth.Categorical(["a", "b"], nullable=True),
        "smokes": dpsynth.Boolean(),
        "seen": dpsynth.Datetime("2024-01-01", "2024-12-31"),
    }
)


class Stream:
    """A table that only Arrow's stream leads into, text as views, as polars hands it over."""

    def __init__(self, table: pa.Table) -> None:
        views = [pa.field(f.name, pa.string_view() if f.type == pa.string() else f.type) for f in table.schema]
        self.table = table.cast(pa.schema(views))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Broken:
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RuntimeError("Mrs Miller, 34")


def frame(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "age": pd.array(rng.integers(0, 120, rows), dtype="Int64"),
            "cost": rng.uniform(0, 100, rows),
            "ward": np.where(rng.random(rows) < 0.1, None, rng.choice(["a", "b"], rows)),
            "smokes": rng.random(rows) < 0.3,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )


def polars(rows: pd.DataFrame):
    pl = pytest.importorskip("polars", reason="polars is not installed here: pip install polars runs this test")
    return pl.from_arrow(pa.Table.from_pandas(rows, preserve_index=False)).with_columns(
        pl.col("ward").cast(pl.Categorical)
    )


def stream(rows: pd.DataFrame) -> Stream:
    return Stream(pa.Table.from_pandas(rows, preserve_index=False))


@pytest.mark.parametrize("other", [stream, polars])
def test_a_fit_of_a_table_of_another_package_is_that_of_the_same_rows_in_pandas(other):
    rows = frame()
    fits = [
        dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, unsafe_seed=4, ledger=None).fit(given)
        for given in (rows, other(rows))
    ]
    one, two = (fit.sample(50, seed=1) for fit in fits)
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("other", [stream, polars])
def test_evaluate_audit_and_draft_take_it_too(other):
    rows, release, holdout = frame(), frame().sample(frac=1, random_state=1), frame(300).iloc[::-1]
    given = [other(each) for each in (release, rows)]
    assert dpsynth.evaluate(*given, SCHEMA).record == dpsynth.evaluate(release, rows, SCHEMA).record
    checked = dpsynth.audit(*given, other(holdout), schema=SCHEMA, seed=1)
    assert checked.verdict == dpsynth.audit(release, rows, holdout, schema=SCHEMA, seed=1).verdict
    kinds = {name: facts["type"] for name, facts in dpsynth.Schema.draft(other(rows)).to_dict()["columns"].items()}
    assert kinds == dict(zip(rows, ("numeric", "numeric", "categorical", "boolean", "datetime"), strict=True))


def test_a_table_that_cannot_be_read_is_refused_and_not_quoted():
    for act in (open_source, open_rows):
        with pytest.raises(dpsynth.SchemaError, match="Broken cannot be read by pyarrow: convert it first") as caught:
            act(Broken())
        assert caught.value.__context__ is None
