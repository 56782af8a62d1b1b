"""The demo's records: each decode rule against the source's own dollars, and against records encoded by the rules."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.demo import data
from dpsynth.demo.data import COINSURANCE, HEALTH, decode_randhie, load_randhie, randhie_schema
from dpsynth.schema.table import Boolean, Categorical, Numeric

RAW = ["mdvis", "lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"]


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    from statsmodels.datasets import randhie

    return randhie.load_pandas().data


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return load_randhie()[0]


def log_floor(dollars: float) -> float:
    return math.log(max(1.0, dollars))


@st.composite
def records(draw: st.DrawFn) -> tuple[dict[str, float], list[object]]:
    """A row of the source, and the record that it stands for."""
    deductible = draw(st.booleans())
    percent = draw(st.sampled_from([0, 100] if deductible else [0, 25, 50, 95]))
    share = 0.95 if deductible and percent == 0 else percent / 100
    cap = draw(st.integers(2, 1000) | st.none()) if deductible else draw(st.integers(0, 1000)) if percent else None
    incentive = draw(st.just(0) | st.integers(2, 2000))
    limited = draw(st.sampled_from([0, 1, 0.144292]))
    disease = draw(st.integers(0, 1000).map(lambda k: k / 10) | st.sampled_from([13.73189, 9.967326]))
    health = draw(st.sampled_from(HEALTH))
    row = {
        "mdvis": draw(st.integers(0, 100)),
        "lncoins": math.log1p(percent),
        "idp": int(deductible),
        "lpi": round(log_floor(incentive), 6),
        "fmde": 0.0 if cap is None else round(log_floor(cap / share), 6),
        "physlm": limited,
        "disea": disease,
        "hlthg": int(health == "good"),
        "hlthf": int(health == "fair"),
        "hlthp": int(health == "poor"),
    }
    limitation = bool(limited) if limited in (0, 1) else None
    index = disease if disease not in (13.73189, 9.967326) else None
    return row, [row["mdvis"], f"{percent}%", deductible, incentive, cap, limitation, index, health]


@given(st.lists(records(), max_size=20))
def test_every_record_that_the_rules_can_encode_is_decoded_to_itself(drawn: list[tuple[dict, list]]) -> None:
    decoded = decode_randhie(pd.DataFrame([row for row, _ in drawn], columns=RAW, dtype="float64"))
    found = decoded.astype(object).where(decoded.notna(), None).to_numpy().tolist()
    assert [[*row[:6], row[6], row[7]] for row in found] == [record for _, record in drawn]


def test_dollars_agree_with_the_source_s_own_columns(table: pd.DataFrame) -> None:
    from statsmodels.datasets import randhie

    path = Path(randhie.__file__).parent / "src" / "randhie.csv"
    if not path.exists():
        pytest.skip("this build of statsmodels carries no unabridged randhie.csv")
    source = pd.read_csv(path, usecols=["mdeoff", "pioff"])
    for column, dollars, floor in (("spending_cap_usd", "mdeoff", 4), ("incentive_usd", "pioff", 1)):
        both = pd.DataFrame({"ours": table[column].astype("float64"), "theirs": source[dollars]}).dropna()
        assert len(both) > 10_000
        above = both[both["theirs"] > floor]  # below, the source's logarithm does not tell 0 from 1
        assert (above["ours"] - above["theirs"]).abs().max() <= 0.51
        assert (both["ours"] - both["theirs"]).abs().max() <= floor


def test_a_row_is_decoded_without_a_look_at_the_others(raw: pd.DataFrame, table: pd.DataFrame) -> None:
    order = np.random.default_rng(7).permutation(len(raw))[:500]
    pd.testing.assert_frame_equal(decode_randhie(raw.iloc[order]), table.iloc[order].reset_index(drop=True))
    for one in order[:5]:
        pd.testing.assert_frame_equal(decode_randhie(raw.iloc[[one]]), table.iloc[[one]].reset_index(drop=True))
    assert decode_randhie(raw.iloc[:0]).dtypes.equals(table.dtypes)


def test_the_table_has_the_columns_and_values_that_its_schema_declares(table: pd.DataFrame) -> None:
    schema = randhie_schema()
    assert len(table) == 20_190
    assert list(table.columns) == list(schema.columns)
    for name, column in schema.columns.items():
        assert bool(table[name].isna().any()) == column.nullable
        match column:
            case Numeric():
                assert table[name].dropna().between(column.low, column.high).all()
                assert table[name].dtype == ("Int64" if column.integer else "float64")
            case Categorical():
                assert tuple(table[name].cat.categories) == column.categories
                assert set(table[name]) == set(column.categories)
            case Boolean():
                assert table[name].dtype == "boolean"


def test_the_schema_does_not_depend_on_the_rows() -> None:
    assert load_randhie()[1] == randhie_schema()
    assert randhie_schema().columns["coinsurance"].categories == COINSURANCE


def test_the_documentation_tells_how_many_rows_are_duplicates(raw: pd.DataFrame, table: pd.DataFrame) -> None:
    decoded, published = (round(100 * frame.duplicated(keep=False).mean()) for frame in (table, raw))
    assert f"{decoded} % of the rows are exact duplicates of another one ({published} % as published)" in (
        data.__doc__ or ""
    )


def test_without_statsmodels_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "dpsynth\[demo\]"') as refused:
        load_randhie()
    assert "\n" not in str(refused.value)
