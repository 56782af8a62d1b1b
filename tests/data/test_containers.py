"""Arrays and objects: a value has one code and one key, whether its column is typed or a record made it objects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.door.codes import code_of, codes_of
from dpsynth.door.ids import key, units
from tests.data.examples import CODECS

WHOLE = [0, 1, -1, 2, 3, 10**3, 10**6, 10**9, 2**53 + 1, 10**15, -(10**15), 10**18, 2**63 - 1, -(2**63) + 1, -(2**63)]
REAL = [0, -0.0, 1, 2.5, -10, 10.5, np.inf, -np.inf, np.nan, 1e30, -1e300, 0.1, 5e-324, 2.0**53, 2.0**60]
UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "2s", "7D", "3M")
with np.errstate(all="ignore"):  # what does not fit a smaller float is infinite
    REALS = {kind: np.array(REAL).astype(kind) for kind in ("f2", "f4", "f8", "g", ">f8")}
ARRAYS = {
    "bool": np.array([True, False]),
    "beyond doubles": np.array(["1e400", "-1e400", "1"], dtype=np.longdouble),
    **REALS,
    **{kind: np.array(WHOLE).astype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")},
    # The smallest of all int64 is NaT. pandas makes Timestamps far beyond the years that Python knows.
    **{f"M8[{unit}]": np.array([*WHOLE, 18_262, 1_577_836_800]).view(f"M8[{unit}]") for unit in UNITS},
}
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as behind the wall


def keys_of(column):
    keys, numbers = units(column)
    return [keys[number] for number in numbers]


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_is_read_as_its_values_are_read_alone(array):
    assert keys_of(array) == [key(value) for value in array]
    for name, codec in CODECS.items():
        assert codes_of(array, codec).tolist() == [code_of(value, codec) for value in array], name


IN_PANDAS = [name for name, array in ARRAYS.items() if array.dtype.kind != "M" or name in
             ("M8[s]", "M8[ms]", "M8[us]", "M8[ns]")]  # fmt: skip


@pytest.mark.parametrize("name", IN_PANDAS)
def test_a_word_that_turns_a_series_into_objects_moves_no_other_value(name):
    typed = pd.Series(ARRAYS[name])
    objects = pd.Series([*typed.astype(object), "word"], dtype=object)
    assert keys_of(objects)[:-1] == keys_of(typed)
    for each, codec in CODECS.items():
        assert codes_of(objects, codec).tolist()[:-1] == codes_of(typed, codec).tolist(), each


ARROW = [pa.int64(), pa.uint64(), pa.float64(), *map(pa.timestamp, ("s", "ms", "us", "ns")), pa.date32(), pa.bool_()]


@pytest.mark.parametrize("kind", ARROW, ids=str)
def test_a_null_in_arrow_moves_no_other_value(kind):
    values = [False, True, True] if kind == pa.bool_() else [0, 1, 2**53 + 1]
    if kind == pa.date32():
        values = [0, 1, 2**31 - 1]
    array = pa.array(values, pa.int64() if kind not in (pa.float64(), pa.date32(), pa.bool_()) else None)
    array = array.cast(pa.int32()).cast(kind) if kind == pa.date32() else array.cast(kind, safe=False)
    for more in (pa.concat_arrays([array, pa.nulls(1, kind)]), pa.chunked_array([pa.nulls(1, kind)[:0], array])):
        assert keys_of(more)[:3] == keys_of(array)
        for name, codec in CODECS.items():
            assert codes_of(more, codec).tolist()[:3] == codes_of(array, codec).tolist(), name
    assert len({*keys_of(array)}) == len({*values})


def test_categories_may_come_in_any_number_of_chunks():
    words = pa.chunked_array([["a", "b"], [], ["1", "2.5"]])
    categories = pd.Index(pd.arrays.ArrowStringArray(words))
    for where in (categories, pd.Index(words.to_pylist())):
        column = pd.Series(pd.Categorical.from_codes([0, 3, -1, 2, 1, 0], categories=where))
        assert keys_of(column) == [b"ta", b"t2.5", b"", b"t1", b"tb", b"ta"]
        assert codes_of(column, CODECS["words"]).tolist() == [0, 3, 8, 2, 1, 0]
