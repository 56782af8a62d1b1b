"""From raw columns to codes and back: a pure function of the public schema, value by value.

The code of a value depends on no other value, nor on the container that other values forced (see `values`); the
number of cells, the edges and the dtypes follow from the schema and from charged bounds alone.

    >>> import numpy as np
    >>> from dpsynth.schema.table import Numeric
    >>> codec = codec_for(Numeric(0, 5, integer=True, nullable=True))
    >>> codec.encode([3, "3", 3.0, None, 99])
    array([3, 3, 3, 6, 5], dtype=uint8)
    >>> codec.decode(np.array([3, 6]), np.random.default_rng(0)).tolist()
    [3, <NA>]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.domain import Domain
from dpsynth.data.tables.cells import BooleanCodec, CategoricalCodec, DatetimeCodec, NumericCodec
from dpsynth.data.tables.identifiers import generate_identifiers
from dpsynth.door.codes import Coding
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Identifier, Numeric, Schema, SchemaError


class Codec(Coding, Protocol):
    """Cells of one column. Laws: encode(a + b) == encode(a) + encode(b); encode(decode(codes)) == codes."""

    widths: tuple[float, ...] | None
    """For an ordered column the public width of each valid cell: how many values, or how much length."""

    def encode(self, values: Any) -> np.ndarray:
        """Cells of a pandas Series, an Arrow array or a list: uint8, uint16 or int32. No value makes it raise."""
        ...

    def decode(self, codes: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
        """For each code a value drawn from its cell; the dtype follows from the column alone."""
        ...

    def ends(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The first and the last value of each valid cell, with the dtype of `decode`."""
        ...


@lru_cache(maxsize=256)
def codec_for(column: Column, bounds: tuple[float, float] | None = None) -> Codec:
    """The codec of a column; bounds are needed where a Numeric column leaves one to be learned."""
    match column:
        case Categorical():
            return CategoricalCodec(column)
        case Numeric():
            return NumericCodec(column, bounds)
        case Datetime():
            return DatetimeCodec(column)
        case Boolean():
            return BooleanCodec(column)
    raise ValueError(f"a column of type {type(column).__name__} is never read, so it has no codec")


def codecs(schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}) -> dict[str, Codec]:
    """The codecs of all columns that are read, in the schema's order."""
    schema.refuse_text()
    if lacking := [name for name in schema.unbounded if name not in bounds]:
        raise ValueError(f"columns {lacking} leave a bound to be learned: pass bounds for them, learned by a charge")
    return {name: codec_for(column, bounds.get(name)) for name, column in schema.coded.items()}


def schema_domain(schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}) -> Domain:
    """Sizes of the columns that are read, with widths for ordered ones. bounds: learned by charged queries."""
    found = codecs(schema, bounds)
    return Domain(
        tuple((name, codec.size) for name, codec in found.items()),
        tuple((name, codec.widths) for name, codec in found.items() if codec.widths is not None),
    )


def encode_frame(frame: Any, schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}) -> dict[str, np.ndarray]:
    """Codes of a pandas DataFrame or an Arrow table whose columns are the schema's, in any order.

    Identifiers are not read and may be absent; so may the unit's id column, which may also be there undeclared.
    """
    if not isinstance(frame, pd.DataFrame | pa.Table):
        raise TypeError(f"the table must be a pandas DataFrame or an Arrow table, got {type(frame).__name__}")
    check_columns(list(frame.columns) if isinstance(frame, pd.DataFrame) else frame.column_names, schema)
    return {name: codec.encode(frame[name]) for name, codec in codecs(schema, bounds).items()}


def check_columns(names: Sequence[Any], schema: Schema) -> None:
    """Raise SchemaError unless these are the schema's columns, as `encode_frame` wants them.

    It shows no name but those of the schema: of a file without a header line, the first record stands for the names.
    """
    times = Counter(names)
    read = [name for name, column in schema.columns.items() if not isinstance(column, Identifier)]
    known = {*schema.columns, schema.unit.id_column}
    strange = [str(place) for place, name in enumerate(names, start=1) if name not in known]
    if len(strange) == len(names) > 0:
        raise SchemaError("none of the table's columns is declared in the schema: is the header line missing?")
    faults = {
        "lacks": [repr(name) for name in read if name not in times],
        "repeats": [repr(name) for name in times if name in known and times[name] > 1],
        "has columns that are not declared, at the places": strange,
    }
    if any(faults.values()):
        found = "; ".join(f"it {fault} {', '.join(at)}" for fault, at in faults.items() if at)
        raise SchemaError(f"the table's columns are not the schema's: {found}; change the table, or the schema")


def decode_frame(
    codes: dict[str, np.ndarray], schema: Schema, bounds: Mapping[str, tuple[float, float]], rng: np.random.Generator
) -> pd.DataFrame:
    """Rows drawn from coded ones: the schema's columns, order and dtypes, identifiers generated afresh.

    Takes the columns out of `codes`, so that none is held twice.
    """
    found = codecs(schema, bounds)
    rows = max((len(codes[name]) for name in found), default=0)
    return pd.DataFrame(
        {
            name: generate_identifiers(column, rows, rng)
            if isinstance(column, Identifier)
            else found[name].decode(codes.pop(name), rng)
            for name, column in schema.columns.items()
        },
        copy=False,
    )
