"""From raw columns to codes and back: a pure function of the public schema, value by value.

The code of a value depends on no other value, nor on the dtype that other values gave its container
(see `values`). The number of cells, the edges and the dtypes follow from the schema and from
charged bounds alone.

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
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.domain import Domain
from dpsynth.base.text import some
from dpsynth.data.engines.files import column_names, kind_of
from dpsynth.data.tables.cells import BooleanCodec, CategoricalCodec, DatetimeCodec, NumericCodec
from dpsynth.data.tables.identifiers import generate_identifiers
from dpsynth.data.tables.parts import Parts
from dpsynth.door.codes import Coding
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.table import (
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    Schema,
    SchemaError,
)


class Codec(Coding, Protocol):
    """The cells of one column.

    Laws: encode(a + b) == encode(a) + encode(b), where + joins lists; encode(decode(codes)) ==
    codes.
    """

    widths: tuple[float, ...] | None
    """Of an ordered column the public width of each valid cell, as a number of values or a length.

    None for a nominal column.
    """

    def encode(self, values: Any) -> np.ndarray:
        """Cells of a pandas Series, an Arrow array or a list, as uint8, uint16 or int32.

        No value makes it raise.
        """
        ...

    def decode(
        self, codes: np.ndarray, rng: np.random.Generator, parts: Parts | None = None
    ) -> pd.Series[Any]:
        """For each code a value drawn from its cell, or from the given parts of it.

        The dtype follows from the column alone.
        """
        ...

    @property
    def single(self) -> bool:
        """Whether each cell holds one value."""
        ...

    def settled(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The cells, of a column that is not nullable another one in place of each invalid one."""
        ...

    def parts(
        self, holds: Callable[[pd.Series[Any]], np.ndarray], constants: Sequence[Any]
    ) -> Parts:
        """The parts of the valid cells whose values meet a condition.

        holds: for each value whether it meets the condition, which changes at `constants` only.
        """
        ...

    def told(
        self, holds: Callable[[pd.Series[Any]], np.ndarray], constants: Sequence[Any]
    ) -> np.ndarray:
        """For each cell 1 where all of its values meet a condition, 0 where none does, else NaN."""
        ...

    def weights(self, parts: Parts) -> np.ndarray:
        """For each cell how much of it these parts are."""
        ...

    def ends(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The first and the last value of each valid cell, with the dtype of `decode`."""
        ...


@lru_cache(maxsize=256)
def codec_for(column: Column, bounds: tuple[float, float] | None = None) -> Codec:
    """The codec of a column.

    Parameters
    ----------
    column : Column
        Of any type but `Identifier` and `Text`, which are never read.
    bounds : tuple of float or None
        (low, high), learned by a charged query. Needed for a `Numeric` column with an open bound.

    Returns
    -------
    Codec
        The same object for equal columns and bounds.

    Raises
    ------
    ValueError
        For a column that is never read, and where bounds are needed and not given.
    """
    match column:
        case Categorical():
            return CategoricalCodec(column)
        case Numeric():
            return NumericCodec(column, bounds)
        case Datetime():
            return DatetimeCodec(column)
        case Boolean():
            return BooleanCodec(column)
    raise ValueError(
        f"a column of type {type(column).__name__} is never read and has no codec: ask for those of"
        " Schema.coded"
    )


def codecs(schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}) -> dict[str, Codec]:
    """The codecs of all columns that are read.

    Parameters
    ----------
    schema : Schema
        Of the table.
    bounds : mapping of str to tuple of float
        (low, high) for each column with an open bound, learned by charged queries.

    Returns
    -------
    dict of str to Codec
        In the schema's order.

    Raises
    ------
    SchemaError
        For a column of free text.
    ValueError
        Where bounds are needed and not given.
    """
    schema.refuse_text()
    if schema.open:
        raise SchemaError(
            f"the categories of {some([*map(repr, schema.open)])} are found by a fit: use"
            " schema.settled(synthesizer.categories), the schema that has them"
        )
    if lacking := [name for name in schema.unbounded if name not in bounds]:
        raise ValueError(
            f"columns {lacking} have an open bound: pass bounds for them, learned by a charged"
            " query"
        )
    return {name: codec_for(column, bounds.get(name)) for name, column in schema.coded.items()}


def schema_domain(schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}) -> Domain:
    """The domain of the columns that are read.

    Parameters
    ----------
    schema : Schema
        Of the table.
    bounds : mapping of str to tuple of float
        (low, high) for each column with an open bound, learned by charged queries.

    Returns
    -------
    Domain
        The size of each column, and the widths of ordered ones, in the schema's order.

    Raises
    ------
    SchemaError, ValueError
        As for `codecs`.

    Examples
    --------
    >>> from dpsynth import Categorical, Schema
    >>> schema_domain(Schema({"sex": Categorical(["f", "m"], nullable=True)}))
    Domain(sizes=(('sex', 3),), widths=())
    """
    found = codecs(schema, bounds)
    sizes = tuple((name, codec.size) for name, codec in found.items())
    widths = ((name, codec.widths) for name, codec in found.items())
    return Domain(sizes, tuple((name, each) for name, each in widths if each is not None))


def encode_frame(
    frame: Any, schema: Schema, bounds: Mapping[str, tuple[float, float]] = {}
) -> dict[str, np.ndarray]:
    """The codes of a table, column by column.

    Parameters
    ----------
    frame : pandas.DataFrame or pyarrow.Table
        Its columns are the schema's, in any order. Identifiers are not read and may be absent. The
        unit's id column may be absent or present, declared or not.
    schema : Schema
        Of the table.
    bounds : mapping of str to tuple of float
        (low, high) for each column with an open bound, learned by charged queries.

    Returns
    -------
    dict of str to ndarray
        Cell numbers, shape (rows,), as uint8, uint16 or int32.

    Raises
    ------
    TypeError
        For another kind of table.
    SchemaError
        For columns that are not the schema's, and for a column of free text.
    ValueError
        Where bounds are needed and not given.
    """
    if not isinstance(frame, pd.DataFrame | pa.Table):
        raise TypeError(
            f"the table must be a pandas DataFrame or a pyarrow Table, got {kind_of(frame)}:"
            " convert it first"
        )
    check_columns(column_names(frame), schema)
    return {name: codec.encode(frame[name]) for name, codec in codecs(schema, bounds).items()}


def check_owner(names: Sequence[Any], unit: PrivacyUnit) -> None:
    """SchemaError where a column is missing that says whose record a row is."""
    if missing := [owner for owner in unit.columns if owner not in names]:
        raise SchemaError(
            f"the table lacks {', '.join(map(repr, missing))}, which says whose record a row is:"
            " add it, or choose another unit"
        )


def check_columns(names: Sequence[Any], schema: Schema) -> None:
    """SchemaError where these are not the schema's columns, as `encode_frame` wants them.

    It shows no name but those of the schema: of a file without a header line, the first record
    stands for the names.
    """
    wrong = [name for name in names if not isinstance(name, str)]
    if any(str(name) in schema.columns for name in wrong):
        raise SchemaError(
            f"column names must be text, and {len(wrong)} of the table's {len(names)} are not:"
            " rename them, as by table.columns = table.columns.map(str)"
        )
    times = Counter(names)
    read = [name for name, column in schema.columns.items() if not isinstance(column, Identifier)]
    known = {*schema.columns, *schema.unit.columns}
    strange = [str(place) for place, name in enumerate(names, start=1) if name not in known]
    if len(strange) == len(names) > 0:
        raise SchemaError(
            "none of the table's columns is declared in the schema: use the schema of this table,"
            " add the header line that names its columns, or declare in the schema's file section"
            " what stands before it (skip_lines) or between its fields (delimiter)"
        )
    undeclared = (
        "has a column that is not declared, at place"
        if len(strange) == 1
        else "has columns that are not declared, at places"
    )
    faults = {
        "lacks": [repr(name) for name in read if name not in times],
        "repeats": [repr(name) for name in times if name in known and times[name] > 1],
        undeclared: strange,
    }
    if any(faults.values()):
        found = {fault: some(at) for fault, at in faults.items() if at}
        said = "; ".join(f"it {fault} {at}" for fault, at in found.items())
        raise SchemaError(
            f"the table's columns are not the schema's: {said}; change the table, or the schema"
        )


def decode_frame(
    codes: dict[str, np.ndarray],
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    rng: np.random.Generator,
    parts: Mapping[str, Parts] = {},
    names: Mapping[str, pd.Series[Any]] = {},
) -> pd.DataFrame:
    """Rows drawn from coded ones: a value for each cell, and new identifiers.

    Parameters
    ----------
    codes : dict of str to ndarray
        Cell numbers, shape (rows,). The columns are taken out of it, so that none is held twice in
        memory.
    schema : Schema
        Of the table.
    bounds : mapping of str to tuple of float
        Those with which the codes were made.
    rng : numpy.random.Generator
        Draws the values and the identifiers.
    parts : mapping of str to Parts
        For some columns the parts of cells that their values come from.
    names : mapping of str to Series
        For some identifiers those of the rows; all others are made here, each of them once.

    Returns
    -------
    pandas.DataFrame
        With the schema's columns, their order and their dtypes.
    """
    found = codecs(schema, bounds)
    rows = max((len(codes[name]) for name in found), default=0)
    decoded: dict[str, pd.Series[Any]] = {}
    for name, column in schema.columns.items():
        if name in names:
            decoded[name] = names[name]
        elif isinstance(column, Identifier):
            decoded[name] = generate_identifiers(column, rows, rng)
        else:
            decoded[name] = found[name].decode(codes.pop(name), rng, parts.get(name))
    return pd.DataFrame(decoded, copy=False)
