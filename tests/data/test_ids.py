"""Ids: what is kept of one unit depends on no other unit's id, in whatever container they come."""

import datetime
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.data.images.arrays import check_images, private_images
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.inside import DecimalsCoding, PiecesCoding, first_edges
from dpsynth.data.tables.magnitude import Magnitudes
from dpsynth.door.bounding import bounded_rows
from dpsynth.door.codes import codes_of
from dpsynth.door.ids import NO_ID, key, units
from dpsynth.kernel.rows import _exact_codes
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.images import ImageSchema
from dpsynth.schema.table import Boolean, Categorical, Datetime, Numeric
from tests.pace import soon

LARGE = [10**15 + i for i in range(9_000, 9_040)]
DATETIMES = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=i) for i in range(40)]
WORDS = [f"p{i}" for i in range(40)]
ODD = [
    None, float("nan"), 0.5, True, "text", "\ud800", b"\xff", 2**70, 10**5000, Decimal(7), Decimal("sNaN"), 1j,
    pd.NA, pd.NaT, pd.Timestamp("1999-01-01", tz="UTC"), datetime.date(1999, 1, 1), np.datetime64("NaT"), np.int8(3),
    np.longdouble(0.5), np.str_("x"), [1], (1, 2), Fraction(1, 3), UUID(int=5), np.arange(3), object,
]  # fmt: skip


def latin(words, kind=None):
    """Arrow strings whose bytes are not UTF-8."""
    kind = kind or pa.string()
    whole = pa.binary() if kind == pa.string() else pa.large_binary()
    return pa.array([None if w is None else w.encode("latin-1") for w in words], whole).view(kind)


def boxed(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


LISTS = {
    "list": list,
    "tuple": tuple,
    "object array": boxed,
    "object Series": lambda v: pd.Series(boxed(v), dtype=object),
    "object Index": lambda v: pd.Index(boxed(v), dtype=object),
}


def kept_of(ids, container, k=2):
    """Which rows of each shared unit are kept, as (id, how many rows of it stand before)."""
    return bounded_rows(container(ids), PrivacyUnit("who", k))


@pytest.mark.parametrize("container", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize("odd", ODD, ids=lambda v: f"{type(v).__name__} {v!r:.12}" if not isinstance(v, int) else "int")
@pytest.mark.parametrize("shared", [LARGE, DATETIMES, WORDS], ids=["numbers", "datetimes", "texts"])
def test_no_odd_id_moves_a_row_of_another_unit(shared, odd, container):
    ids = [v for v in shared for _ in range(3)]
    kept = kept_of(ids, container)
    assert len(kept) == 2 * len(shared)
    np.testing.assert_array_equal(kept_of([*ids, odd], container), [*kept, len(ids)])
    np.testing.assert_array_equal(kept_of([odd, *ids], container), [0, *(kept + 1)])


TYPED = {
    "int64": (LARGE, lambda v: np.array(v)),
    "uint64": (LARGE, lambda v: np.array(v, dtype=np.uint64)),
    "Series": (LARGE, pd.Series),
    "Int64": (LARGE, lambda v: pd.Series(v, dtype="Int64")),
    "categories": (LARGE, lambda v: pd.Series(v, dtype="Int64").astype("category")),
    "Arrow numbers": (LARGE, pa.array),
    "Arrow in pandas": (LARGE, lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.int64()))),
    "chunks": (LARGE, lambda v: pa.chunked_array([v[:7], v[7:50], [], v[50:]])),
    "dictionaries": (
        LARGE,
        lambda v: pa.chunked_array([pa.array(p).dictionary_encode() for p in (v[:50], v[50:])]),
    ),
    "runs": (LARGE, lambda v: pa.compute.run_end_encode(pa.array(v))),
    "texts": (WORDS, lambda v: np.array(v)),
    "str": (WORDS, lambda v: pd.Series(v, dtype="str")),
    "string": (WORDS, lambda v: pd.Series(v, dtype="string")),
    "string in Python": (WORDS, lambda v: pd.Series(v, dtype=pd.StringDtype("python"))),
    "text categories": (WORDS, lambda v: pd.Series(v).astype("category")),
    "Arrow strings": (WORDS, pa.array),
    "large strings": (WORDS, lambda v: pa.array(v, pa.large_string())),
    "string views": (WORDS, lambda v: pa.array(v, pa.string_view())),
    "datetime64": (DATETIMES, lambda v: np.array(v, dtype="datetime64[us]")),
    "datetimes": (DATETIMES, lambda v: pd.Series(pd.to_datetime(v))),
    "datetimes of a zone": (DATETIMES, lambda v: pd.Series(pd.to_datetime(v, utc=True)).dt.tz_convert("Asia/Tokyo")),
    "Arrow datetimes": (DATETIMES, lambda v: pa.array(v, pa.timestamp("ns"))),
    "Arrow dates": (DATETIMES, lambda v: pa.array([m.date() for m in v])),
}  # fmt: skip


@pytest.mark.parametrize(("shared", "container"), TYPED.values(), ids=TYPED.keys())
def test_every_container_keeps_the_rows_that_a_list_keeps(shared, container):
    """So an id that forces another container on a column moves nothing either."""
    ids = [v for v in shared for _ in range(3)]
    np.testing.assert_array_equal(bounded_rows(container(ids), PrivacyUnit("i", 1)), kept_of(ids, list, 1))


def test_ids_without_a_value_are_one_unit_in_every_container():
    for ids in (
        [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")],
        np.array([np.nan, np.nan]),
        np.array(["NaT", "NaT"], dtype="datetime64[s]"),
        pd.Series([None, None], dtype="Int64"),
        pd.Series([None, None], dtype="str"),
        pd.Series([None, None], dtype="category"),
        pa.array([None, None], pa.string()),
        pa.array([None, None], pa.dictionary(pa.int8(), pa.string())),
        pa.DictionaryArray.from_arrays(pa.array([0, None, 0], pa.int8()), pa.array([None], pa.string())),
        pa.nulls(3),
    ):
        keys, numbers = units(ids)
        assert {keys[n] for n in numbers} == {NO_ID}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_texts_that_are_not_utf_8_are_ids_like_any_other(kind):
    """So are they read from a file that says UTF-8 and holds latin-1."""
    words = latin(["M\xfcller", "Meier", "M\xfcller", "M\xf6ller", None, "Meier"], kind)
    for ids in (
        words,
        words.dictionary_encode(),
        pd.Series(words, dtype=pd.ArrowDtype(kind)),
        pd.Series(pd.arrays.ArrowStringArray(pa.chunked_array([words]))),
        pd.Series(pd.arrays.ArrowStringArray(pa.chunked_array([words]))).array,
    ):
        kept = bounded_rows(ids, PrivacyUnit("who", 1))
        assert len(kept) == 4
        assert {3, 4} <= {*kept}


def test_kinds_of_ids_stay_apart_and_equal_numbers_are_one():
    texts = ["1", "i1", "t1", datetime.date(1, 1, 1), 0.5, "0.5", None, "", 2**5000, "a", "a\0b"]
    assert len({key(v) for v in texts}) == len(texts)
    ones = (1, 1.0, True, np.int8(1), np.float32(1), np.longdouble(1), 1 + 0j, Decimal("1.00"), pa.scalar(1), "1", b"1")
    assert {key(v) for v in ones} == {b"t1"}
    assert {key(v) for v in (0.1, Decimal("0.1"), np.longdouble("0.1"))} == {key(0.1)}
    assert {key(v) for v in ("M\udcfc", b"M\xfc", bytearray(b"M\xfc"), memoryview(b"M\xfc"), b"M\xfc\0")} == {b"tM\xfc"}
    assert key(pd.Timestamp("2020-01-01T01", tz="Europe/Paris")) == key(np.datetime64("2020-01-01"))


ids = st.one_of(st.none(), st.integers(0, 3), st.integers(2**53, 2**53 + 3), st.sampled_from("abc"), st.floats())


@settings(max_examples=150, deadline=None)
@given(st.lists(ids, max_size=12), ids, st.integers(0, 12), st.sampled_from(sorted(LISTS)))
def test_taking_a_unit_out_leaves_the_rows_of_all_others(column, gone, place, container):
    """Places are counted among a unit's own rows, so its rows may be told by their tags."""
    rows = [(v, i) for i, v in enumerate(column) if key(v) != key(gone)]
    more = list(rows)
    for extra in range(3):
        more.insert(min(place + extra, len(more)), (gone, -1))

    def keep(tagged):
        return [tagged[i][1] for i in kept_of([v for v, _ in tagged], LISTS[container], 1)]

    assert [tag for tag in keep(more) if tag >= 0] == keep(rows)


@pytest.mark.parametrize("odd", [None, 0.5, "text", "\ud800"], ids=repr)
@pytest.mark.parametrize("shared", [LARGE, DATETIMES], ids=["numbers", "datetimes"])
def test_an_odd_id_among_images_moves_no_image_of_another(shared, odd):
    schema = ImageSchema((1, 1), 2, PrivacyUnit("who"))
    ids = [v for v in shared for _ in range(2)]
    images, labels = np.arange(len(ids) + 1, dtype=np.uint8).reshape(-1, 1, 1), np.zeros(len(ids) + 1, dtype=int)
    before = _exact_codes(private_images(images[:-1], labels[:-1], ids, schema))
    after = _exact_codes(private_images(images, labels, [*ids, odd], schema))
    assert len(before) == len(shared)
    np.testing.assert_array_equal(after[:-1], before)


def test_whether_ids_fit_the_images_is_told_without_looking_at_an_id():
    schema = ImageSchema((1, 1), 2, PrivacyUnit("who"))
    images, labels = np.zeros((2, 1, 1), dtype=np.uint8), np.zeros(2, dtype=int)
    for good in ([1, "\ud800"], [[1], [1, 2]], (1, 2), np.array(["a", "b"]), pd.Series([1, 2]), pa.array([1, 2])):
        check_images(images, labels, good, schema)
    for bad in ([1], "ab", b"ab", 7, np.zeros((2, 2)), iter([1, 2])):
        with pytest.raises(SchemaError, match="ids must be one for each image"):
            check_images(images, labels, bad, schema)


@pytest.mark.parametrize(
    "container",
    [list, np.array, pa.array, lambda v: pa.array([f"P{i}" for i in v]), lambda v: pd.Series([f"P{i}" for i in v])],
    ids=["list", "numbers", "Arrow numbers", "Arrow texts", "texts"],
)
def test_a_hundred_thousand_ids_are_bounded_in_seconds(container):
    ids = container([10**15 + i // 2 for i in range(100_000)])
    assert len(soon(5, lambda: bounded_rows(ids, PrivacyUnit("who")))) == 50_000


HALF, SPAN = Decimal("1.5"), datetime.timedelta(seconds=5)
ONE_MORE = {
    "a decimal among whole numbers": (pa.array([7]), pa.array([7, Decimal("2.25")])),
    "bytes among texts": (pa.array(["a"]), pa.array(["a", b"b"])),
    "a word among whole numbers": (np.array([7]), np.array([7, "x"])),
    "None among texts of numpy": (np.array(["a\0"]), np.array(["a\0", None])),
    "a word among long doubles": (pd.Series([np.longdouble("0.1")]), pd.Series([np.longdouble("0.1"), None, "x"])),
    "a decimal with more digits": (pa.array([HALF]), pa.array([HALF, Decimal("2.25")])),
    "whole decimals and one with a fraction": (pa.array([Decimal(7)]), pa.array([Decimal(7), Decimal("2.25")])),
    "a long double": (np.array([0.5, 0.1]), np.array([0.5, 0.1, np.longdouble(1)])),
    "a long complex number": (np.array([0.5]), np.array([0.5, np.clongdouble(1j)])),
    "complex numbers": (np.array([1j]), np.array([1j, np.clongdouble(1j)])),
    "a word among spans": (pd.Series([SPAN]), pd.Series([SPAN, "x"])),
    "a finer span": (np.array([SPAN], "m8[s]"), np.array([np.timedelta64(SPAN), np.timedelta64(1, "ns")])),
    "a finer span in Arrow": (pa.array([SPAN], pa.duration("s")), pa.array([SPAN, SPAN], pa.duration("ns"))),
    "a span before its start": (pd.Series([-SPAN / 4]), pd.Series([-SPAN / 4, "x"])),
    "an interval with a fraction": (
        pd.Series([pd.Interval(0, 1)]),
        pd.Series([pd.Interval(0, 1), pd.Interval(0.5, 1)]),
    ),
    "a list with a fraction": (pa.array([[1, 2]]), pa.array([[1, 2], [2.5]])),
    "a record with another field": (pa.array([{"a": 1}]), pa.array([{"a": 1}, {"a": 0.5, "b": "x"}])),
    "a record of numpy": (np.array([(1,)], [("a", "i8")]), np.array([(1,), (0.5,)], [("a", "f8")])),
}


@pytest.mark.parametrize(("column", "longer"), ONE_MORE.values(), ids=ONE_MORE.keys())
def test_an_id_that_changes_how_its_whole_column_is_kept_changes_no_other_key(column, longer):
    """Decimals of Arrow share a scale, spans a unit, records their fields: a key says the value, and none of that."""
    (keys, numbers), (more, places) = units(column), units(longer)
    assert [more[place] for place in places[: len(column)]] == [keys[number] for number in numbers]


def test_other_scales_units_and_fields_keep_the_rows_that_were_kept():
    """As the release is counted: three rows a person, of which one is kept, and one more person."""
    for value in (Decimal, lambda i: Decimal(i) / 2, lambda i: [i], lambda i: {"a": i}):
        ids = [value(i) for i in range(40) for _ in range(3)]
        odd = {"b": 0.5} if isinstance(ids[0], dict) else [0.5] if isinstance(ids[0], list) else Decimal("0.125")
        before = bounded_rows(pa.array(ids), PrivacyUnit("who", 1))
        np.testing.assert_array_equal(bounded_rows(pa.array([*ids, odd]), PrivacyUnit("who", 1)), [*before, len(ids)])


def test_ids_of_several_parts_and_odd_numbers_stay_apart():
    apart = [
        [1, 2], [12], [1, [2]], [[1], 2], [], ["a", "b"], ["ab"], {"a": 1}, {"b": 1}, {"a": 2}, 0.5, 1.5,
        {1, 2}, {12}, 0.1, np.inf, -np.inf, SPAN, -SPAN, SPAN / 3, pd.Interval(0, 1), pd.Interval(0, 1, "left"), 1j,
        2j, Decimal("1E+999999999"), Decimal("1E-999999999"), 10**9999, Decimal("1E+9998"),
    ]  # fmt: skip
    assert len({key(v) for v in apart}) == len(apart)
    assert key(Decimal("1E+9999")) == key(Decimal(10**9999))


ALL_KINDS = {
    "int": 7, "below 0": -7, "long": 2**70, "half": 7.5, "whole": 7.0, "decimal": Decimal("2.25"),
    "1e1": Decimal("1e1"),
    "bool": True, "text": "7", "NUL": "a\0", "bytes": b"7", "bytearray": bytearray(b"7"), "UUID": UUID(int=5).bytes,
    "date": datetime.date(2020, 1, 1), "datetime": DATETIMES[0],
    "finer": DATETIMES[0] + datetime.timedelta(microseconds=3),
    "zone": pd.Timestamp("2020-01-01 01:00", tz="Asia/Tokyo"), "UTC": DATETIMES[0].replace(tzinfo=datetime.UTC),
    "span": SPAN, "time": datetime.time(1, 2), "None": None, "NA": pd.NA, "NaT": pd.NaT, "NaN": float("nan"), "1j": 1j,
    "int8": np.int8(7), "float32": np.float32(0.1), "long double": np.longdouble("0.1"), "Fraction": Fraction(1, 3),
    "list": [1, 2], "list of decimals": [Decimal("1.5")], "record": {"a": 1}, "period": pd.Period("2020-01", "M"),
    "interval": pd.Interval(0, 1), "interval of floats": pd.Interval(0.5, 1), "set": frozenset("ab"),
}  # fmt: skip
WIDENERS = {
    "list": list,
    "Series": pd.Series,
    "dtypes that pandas guesses": lambda v: pd.Series(boxed(v), dtype=object).convert_dtypes(),
    "pandas array": pd.array,
    "category": lambda v: pd.Series(v).astype("category"),
    "Arrow": pa.array,
    "Arrow from pandas": lambda v: pa.Table.from_pandas(pd.DataFrame({"a": v}))["a"],
    "pandas from Arrow": lambda v: pa.array(v).to_pandas(),
    "Arrow in pandas": lambda v: pa.array(v).to_pandas(types_mapper=pd.ArrowDtype),
    "concat": lambda v: pd.concat([pd.Series([x]) for x in v], ignore_index=True),
    "Arrow tables, one after another": lambda v: pa.concat_tables(
        [pa.table({"a": pa.array([x])}) for x in v], promote_options="permissive"
    )["a"],
}


def held(container, values):
    """The values in a container; None where it does not hold them together."""
    try:
        return container(values)
    except Exception:
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("container", WIDENERS.values(), ids=WIDENERS.keys())
def test_the_key_and_the_code_of_a_value_are_its_own_beside_every_other_kind(container):
    """Every kind of value beside every other one, in every container that may widen the two to one type."""
    codings = [*map(codec_for, DECLARED), Magnitudes(Numeric(None, None)), *INSIDE]
    tried = 0
    for value in ALL_KINDS.values():
        alone = held(container, [value, value])
        if alone is None:
            continue
        own = key_at_first(alone), [codes_of(alone, coding)[0] for coding in codings]
        for other in ALL_KINDS.values():
            both = held(container, [value, value, other])
            if both is not None:
                tried += 1
                found = key_at_first(both), [codes_of(both, coding)[0] for coding in codings]
                assert found == own, f"{value!r} beside {other!r}"
    assert tried > 150


DECLARED = (
    Categorical(["7", "a", "1", "-7"], nullable=True, other="a"),
    Categorical([7, 1, -7, 7.5], other=1),
    Numeric(-10, 10, nullable=True),
    Boolean(nullable=True),
    Datetime("2019-01-01", "2021-01-01"),
)


INSIDE = [
    DecimalsCoding(Numeric(-10, 10, nullable=True, missing_marker=7)),
    PiecesCoding(Numeric(-10, 10), codec_for(Numeric(-10, 10)), first_edges(codec_for(Numeric(-10, 10)))),
]


def key_at_first(column):
    keys, numbers = units(column)
    return keys[numbers[0]]


def test_a_decimal_or_bytes_of_one_person_move_no_row_of_another():
    """As the release is counted: which rows are kept, and what is read of them."""
    for kind, odd in ((int, Decimal("1002.25")), (str, b"b")):
        ids = [kind(i) for i in range(1, 41) for _ in range(3)]
        before = bounded_rows(pa.array(ids), PrivacyUnit("who", 1))
        np.testing.assert_array_equal(bounded_rows(pa.array([*ids, odd]), PrivacyUnit("who", 1)), [*before, len(ids)])


def test_an_id_is_never_an_address():
    """An address is another one in every run, and lets two rows of one person be two persons."""
    for made in (object, lambda: memoryview(b"ab"), lambda: lambda: 0, lambda: (i for i in "a"), lambda: [object()]):
        one, two = made(), made()
        assert key(one) == key(two)
        assert b"0x" not in key(one)
    code = "from dpsynth.door.ids import key; print(key(frozenset('abcdefgh')))"
    assert (
        len(
            {
                subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": s})
                for s in "12"
            }
        )
        == 1
    )
