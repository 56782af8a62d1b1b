"""Files of synthetic rows, of the kind that the path's ending says; equal rows give equal bytes.

In CSV files numbers and dates have the formats that the schema declares, so that the file is read
with the schema that it was made by. What has no declared format is written as pandas writes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from csv import QUOTE_MINIMAL, QUOTE_NONE
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.real_records import STAMP, carries
from dpsynth.data.engines.files import ending_of, is_several
from dpsynth.data.engines.folders import parts_of
from dpsynth.data.engines.json_lines import write_json_lines
from dpsynth.data.engines.statistical import write_sav
from dpsynth.data.engines.workbooks import write_workbook
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.identifiers import generate_identifiers
from dpsynth.data.tables.written import as_declared, as_numbers_and_texts
from dpsynth.schema.columns import Column, Identifier, SchemaError, Text
from dpsynth.schema.table import Schema

_WRITTEN_AT_ONCE = 1 << 17
"""Rows of which the text is held in memory when they are written to a CSV file."""

_TRIED = 10_000
"""Rows, at most, that are written to see whether a kind of file can hold them."""

_SAME = {
    ".csv.gz": ".csv",
    ".csv.zst": ".csv",
    ".arrow": ".feather",
    ".ndjson": ".jsonl",
    ".jsonl.gz": ".jsonl",
    ".jsonl.zst": ".jsonl",
    ".ndjson.gz": ".jsonl",
    ".ndjson.zst": ".jsonl",
    ".xlsm": ".xlsx",
    ".zsav": ".sav",
}
"""The ending of the kind of file in which rows come back, where it is another one."""


def ending_for(path: Path) -> str:
    """The ending of a file of the kind that this is; .csv where that kind is not written."""
    parts = parts_of(path) if is_several(path) else ()
    ending = ending_of(next(iter(parts), path))
    ending = _SAME.get(ending, ending)
    return ending if ending in WRITTEN else ".csv"


def refuse_unwritable(ending: str, schema: Schema) -> None:
    """SchemaError where rows of this schema cannot be written so, as for want of a package or of a
    quote around a category. It writes values that the schema alone gives.
    """
    values = {name: _possible(column) for name, column in schema.settled({}).columns.items()}
    count = min(_TRIED, max(map(len, values.values())))
    rows = pd.DataFrame({name: each.reindex(range(count)) for name, each in values.items()})
    fault = None
    with TemporaryDirectory() as scratch:
        place = Path(scratch, f"rows{ending}")
        try:
            write_rows(rows, place, schema)
        except SchemaError as error:
            fault = str(error).replace(str(place), place.name)  # nobody knows the scratch folder
    if fault is not None:
        raise SchemaError(fault)


def _possible(column: Column) -> pd.Series[Any]:
    """Values of a column as a release may have them: each category, the ends of cells, a name."""
    if isinstance(column, Identifier):
        return generate_identifiers(column, 1, np.random.default_rng(0))
    if isinstance(column, Text):
        return pd.Series(dtype="object")
    learned = None if getattr(column, "bounded", True) else (0.0, 1.0)
    possible = codec_for(column, learned).ends()[0]
    return possible.reindex(range(len(possible) + column.nullable))


def write_rows(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    """Writes synthetic rows of this schema, or rows beside real ones, of some of its columns.

    SchemaError where such a file cannot hold them.
    """
    _refuse_a_lost_stamp(rows, path, schema)
    write = WRITTEN[path.suffix.lower()]
    try:
        write(rows, path, schema)
        return
    except (SchemaError, OSError):
        raise
    except Exception:  # a writer's own words may quote a value
        pass
    raise SchemaError(
        f"{path} cannot be written{_REASONS.get(path.suffix.lower(), '')}, or choose another kind"
        " of file, such as .parquet"
    )


def _refuse_a_lost_stamp(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    """SchemaError where no line would say that the rows are stamped."""
    headed = schema.file.header or path.suffix.lower() not in (".csv", ".xlsx")
    if not headed and carries([*rows], rows.attrs):
        raise SchemaError(
            f"{path} would have no header line, and so no stamp ({STAMP}) of rows that contain real"
            " records: leave header: false out of the schema's file section, or choose another kind"
            " of file, such as .parquet"
        )


_NAMES = (
    ", as a name or a value is none that this program has: give columns names of letters, digits"
    " and _"
)
_REASONS = {
    ".csv": " as the schema's file section says, as a value holds its delimiter or a sign that its"
    " encoding lacks: declare a quote or another encoding",
    ".xlsx": ", as it has more rows than a sheet, or a sign that Excel does not know: draw fewer"
    " rows",
    ".sav": _NAMES,
    ".dta": _NAMES,
}


def _write_csv(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    form = schema.file
    with path.open("w", encoding=form.encoding or "utf-8", newline="") as file:
        file.write("\n" * form.skip_lines)
        for start in range(0, max(1, len(rows)), _WRITTEN_AT_ONCE):
            as_declared(rows.iloc[start : start + _WRITTEN_AT_ONCE], schema).to_csv(
                file,
                index=False,
                header=form.header and start == 0,
                sep=form.delimiter or ",",
                quotechar=form.quote or '"',
                quoting=QUOTE_MINIMAL if form.quote else QUOTE_NONE,
                lineterminator="\n",  # on every system
            )


def _write_parquet(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    rows.to_parquet(path, index=False)


def _write_feather(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    from pyarrow import feather

    feather.write_feather(pa.Table.from_pandas(rows, preserve_index=False), str(path))


def _write_json_lines(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    write_json_lines(as_declared(rows, schema, numbers=False), path)


def _write_workbook(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    write_workbook(rows, path, schema.file)


def _write_spss(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    write_sav(as_numbers_and_texts(rows, schema), path)


def _write_stata(rows: pd.DataFrame, path: Path, schema: Schema) -> None:
    plain = as_numbers_and_texts(rows, schema)
    times = [name for name in plain if pd.api.types.is_datetime64_any_dtype(plain[name])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pandas warns where it changes a name
        plain.to_stata(
            path,
            write_index=False,
            version=118,
            time_stamp=datetime(1980, 1, 1),
            convert_dates=dict.fromkeys(times, "tc"),
        )


Writer = Callable[[pd.DataFrame, Path, Schema], None]
WRITTEN: dict[str, Writer] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".feather": _write_feather,
    ".jsonl": _write_json_lines,
    ".xlsx": _write_workbook,
    ".sav": _write_spss,
    ".dta": _write_stata,
}
"""Files that are written, by the ending of their name."""
