"""Tables to codes and back: structure may be refused by name, values never, and none is ever shown."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.data.tables.codec import decode_frame, encode_frame, generate_identifiers, schema_domain
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Identifier, Numeric, SchemaError, Text
from dpsynth.schema.table import Schema

SCHEMA = Schema(
    {
        "who": Identifier(pattern="P-####"),
        "sex": Categorical(["f", "m"], nullable=True),
        "grade": Categorical([1, 2, 3], ordered=True),
        "age": Numeric(0, 120, integer=True),
        "pay": Numeric(0, None, nullable=True),
        "seen": Datetime("2020-01-01", "2020-12-31"),
        "ill": Boolean(),
    },
    unit=PrivacyUnit("person"),
)
BOUNDS = {"pay": (0.0, 1000.0)}
FRAME = pd.DataFrame(
    {
        "ill": [True, False, True],
        "seen": pd.to_datetime(["2020-02-29", "1999-01-01", None]),
        "pay": [0.0, 12.5, None],
        "age": [31, 999, -1],
        "grade": [1, 3, 7],
        "sex": ["f", None, "x"],
        "who": ["CANARY-1", "CANARY-2", "CANARY-3"],
    }
)


def test_the_domain_has_the_columns_that_are_read_in_the_schemas_order() -> None:
    domain = schema_domain(SCHEMA, BOUNDS)
    assert domain.attributes == ("sex", "grade", "age", "pay", "seen", "ill")
    assert domain.shape(("sex", "grade", "age", "seen", "ill")) == (3, 4, 122, 367, 3)
    assert domain.width("sex") is domain.width("ill") is None
    assert domain.width("grade") == (1.0,) * 3
    assert domain.width("age") == (1.0,) * 121
    assert len(domain.width("pay") or ()) == domain.size("pay") - 1


def test_pandas_and_arrow_tables_get_the_same_codes_in_any_column_order() -> None:
    codes = encode_frame(FRAME, SCHEMA, BOUNDS)
    assert list(codes) == list(schema_domain(SCHEMA, BOUNDS).attributes)
    assert {name: codes[name].tolist() for name in ("sex", "grade", "age", "seen", "ill")} == {
        "sex": [0, 2, 2],
        "grade": [0, 2, 3],
        "age": [31, 120, 0],
        "seen": [59, 0, 366],
        "ill": [1, 0, 1],
    }
    for table in (
        pa.Table.from_pandas(FRAME),
        FRAME[FRAME.columns[::-1]],
        FRAME.astype(object),
        FRAME.convert_dtypes(),
    ):
        again = encode_frame(table, SCHEMA, BOUNDS)
        assert all(np.array_equal(again[name], codes[name]) for name in codes)


def test_rows_come_back_in_the_schemas_order_and_dtypes_whatever_the_data() -> None:
    whole = decode_frame(encode_frame(FRAME, SCHEMA, BOUNDS), SCHEMA, BOUNDS, np.random.default_rng(0))
    empty = decode_frame(encode_frame(FRAME[:0], SCHEMA, BOUNDS), SCHEMA, BOUNDS, np.random.default_rng(0))
    blank = decode_frame(
        encode_frame(FRAME.astype(object).where(FRAME.isna(), None), SCHEMA, BOUNDS),
        SCHEMA,
        BOUNDS,
        np.random.default_rng(0),
    )
    assert list(whole.columns) == list(SCHEMA.columns)
    assert whole.dtypes.tolist() == empty.dtypes.tolist() == blank.dtypes.tolist()
    assert (len(whole), len(empty), len(blank)) == (3, 0, 3)
    assert whole["who"].is_unique
    assert not whole["who"].isin(FRAME["who"]).any()
    assert whole["sex"].isna().tolist() == [False, True, True]
    assert whole["pay"].isna().tolist() == [False, False, True]
    assert whole["pay"][0] == 0.0
    assert whole["ill"].tolist() == [True, False, True]


def test_decoding_follows_the_seed() -> None:
    codes = encode_frame(FRAME, SCHEMA, BOUNDS)
    first, again = (decode_frame(dict(codes), SCHEMA, BOUNDS, np.random.default_rng(7)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_the_id_column_may_be_there_and_identifiers_may_be_absent() -> None:
    codes = encode_frame(FRAME, SCHEMA, BOUNDS)
    for frame in (FRAME.assign(person=[1, 2, 3]), FRAME.drop(columns="who")):
        assert all(np.array_equal(encode_frame(frame, SCHEMA, BOUNDS)[name], codes[name]) for name in codes)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (FRAME.drop(columns=["age", "sex"]), "it lacks 'sex', 'age'"),
        (FRAME.assign(CANARY="CANARY"), f"it has a column that is not declared, at place {FRAME.shape[1] + 1};"),
        (pd.concat([FRAME, FRAME[["age"]]], axis=1), "it repeats 'age'"),
        (FRAME.rename(columns={"age": 7}), "it lacks 'age'; it has a column that is not declared, at place 4;"),
        (
            pd.concat([FRAME, FRAME.assign(CANARY=1)[["CANARY"] * 2]], axis=1),
            "not declared, at places 8, 9; change",
        ),
        (pa.Table.from_pandas(FRAME.drop(columns=["pay"])), "it lacks 'pay'"),
    ],
)
def test_a_table_of_other_columns_is_refused_by_name(frame: Any, sentence: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(sentence)) as refusal:
        encode_frame(frame, SCHEMA, BOUNDS)
    assert "CANARY" not in str(refusal.value)


def test_what_is_no_table_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match="got dict"):
        encode_frame({"sex": ["CANARY"]}, SCHEMA, BOUNDS)


def test_bounds_to_be_learned_and_free_text_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'pay'"):
        schema_domain(SCHEMA)
    with pytest.raises(SchemaError, match="'note' is declared Text"):
        schema_domain(Schema({"note": Text()}))
    with pytest.raises(SchemaError, match="'note' is declared Text"):
        encode_frame(pd.DataFrame({"note": ["CANARY"]}), Schema({"note": Text()}))


@pytest.mark.parametrize(
    "canary", ["CANARY-77", 770_077.0, [770_077], {"CANARY-77": 1}, object(), b"CANARY-77", 10**400]
)
def test_no_value_is_shown_or_makes_encoding_fail(canary: object, capfd: pytest.CaptureFixture[str]) -> None:
    frame = FRAME.astype(object)
    for name in frame:
        frame[name] = pd.Series([frame[name][0], canary, canary], dtype=object)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = decode_frame(encode_frame(frame, SCHEMA, BOUNDS), SCHEMA, BOUNDS, np.random.default_rng(0))
    assert not caught
    assert "77" not in "".join(capfd.readouterr())
    assert "CANARY" not in decoded.to_string()


def test_identifiers_follow_the_pattern_and_differ() -> None:
    rng = np.random.default_rng(3)
    for pattern, n in (("P-####", 10_000), ("P-####", 3), ("??#", 5000), ("x", 1), ("é" + "#" * 30, 1000), ("P-##", 0)):
        made = generate_identifiers(Identifier(pattern=pattern), n, rng)
        shape = re.escape(pattern).replace(r"\#", "[0-9]").replace(r"\?", "[A-Z]")
        assert made.dtype == "string"
        assert (len(made), made.nunique()) == (n, n)
        assert made.str.fullmatch(shape).all()
    plain = generate_identifiers(Identifier(), 250, rng)
    assert sorted(plain) == [f"{i:03d}" for i in range(1, 251)]
    assert plain.tolist() != sorted(plain)
    wide = generate_identifiers(Identifier(pattern="#" * 30), 1000, rng)
    assert all(wide.str[place].nunique() == 10 for place in range(30))


def test_a_pattern_with_too_few_identifiers_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"10 identifiers, fewer than 11: draw at most 10 rows, or lengthen it"):
        generate_identifiers(Identifier(pattern="P-#"), 11, np.random.default_rng(0))


DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TOP = 10_000_000


def declared(facts: dict[str, Any]) -> Column:
    """A column from the public part of a data set's own schema.json; open bounds are made generous."""
    marker = facts.get("missing_marker")
    missing: dict[str, Any] = {"nullable": True, "missing_marker": marker}
    if facts["type"] in ("integer", "continuous"):
        low, high = facts.get("min"), facts.get("max")
        return Numeric(
            -TOP if low is None else low, TOP if high is None else high, integer=facts["type"] == "integer", **missing
        )
    categories = [name for name in facts["categories"] if name != marker]
    return Categorical(categories, ordered=facts["type"] == "ordinal", **missing)


@pytest.mark.parametrize("name", ["adult", "support2", "credit_default", "nist_acs_national2019"])
def test_real_tables_survive_encoding_and_decoding(name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")
    columns = json.loads((DATA / name / "schema.json").read_text())["tables"]["data.parquet"]["columns"]
    schema = Schema({facts["name"]: declared(facts) for facts in columns})
    frame = pd.read_parquet(DATA / name / "data.parquet")
    domain, codes = schema_domain(schema), encode_frame(frame, schema)
    rows = decode_frame(dict(codes), schema, {}, np.random.default_rng(0))
    again = encode_frame(rows, schema)
    for facts in columns:
        column, diagnostics = facts["name"], facts["diagnostics_not_public"]
        assert codes[column].max() < domain.size(column)
        assert np.array_equal(again[column], codes[column])
        if "categories" in facts:
            unknown = frame[column].astype(str).isin(diagnostics["values_outside_documented"]).sum()
            assert rows[column].isna().sum() == diagnostics["null"] + diagnostics["marked_missing"] + unknown
            kept = rows[column].notna()
            assert (rows[column][kept].astype(str) == frame[column][kept].astype(str)).all()
