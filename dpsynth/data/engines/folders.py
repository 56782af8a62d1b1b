"""A table in several files: a folder or a pattern of Parquet, CSV or Arrow files of one kind.

Each file states types of its own, which may differ: one missing value can turn whole numbers into
others. So where they differ values are read one by one, as in a column of Python objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from glob import glob
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa

from dpsynth.data.engines.object_stores import matching
from dpsynth.data.engines.source import LARGE, Rows, Source, unchanged
from dpsynth.door.columns import objects, pieces
from dpsynth.schema.columns import SchemaError

_MANIFEST = "manifest.json"
"""What a folder of samples has beside them."""

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Spark and Hive call the folder of rows without a value."""


def parts_of(place: Path) -> list[Path]:
    """The files of a folder and of the folders in it, or those of a pattern, by name.

    An empty file is none, where others are not: programs write one for a part without rows.
    """
    found = place.rglob("*") if place.is_dir() else matching(place)
    found = map(Path, glob(str(place), recursive=True)) if found is None else found
    files = (path for path in found if path.is_file() and not _is_hidden(path, place))
    listed = sorted(files)
    return [path for path in listed if path.stat().st_size] or listed


def _is_hidden(path: Path, place: Path) -> bool:
    """Files such as _SUCCESS and .part.crc say of the writing; Spark and pyarrow leave them out."""
    below = place if place.is_dir() else path.parent
    return path.name == _MANIFEST or any(
        part.startswith(("_", ".")) for part in path.relative_to(below).parts
    )


def open_parts(place: Path, paths: Sequence[Path], open_: Callable[[Path], Source]) -> Source:
    """The table in these files, of each of which the names have been read.

    A message names no file within a folder: a file or a folder may be called by a value.
    """
    parts = [_opened(place, number, path, open_) for number, path in enumerate(paths, 1)]
    folders = [_folder_values(place, path) for path in paths]
    names, keys = parts[0].names, [*folders[0]]
    checks = [unchanged(path) for path in paths]
    same = all({*part.names} == {*names} and len(part.names) == len(names) for part in parts)
    if not same or any([*each] != keys for each in folders):
        raise SchemaError(
            f"the files of {place} have not all the same columns: give files of one table"
        )

    def read() -> Rows:
        tables = map(_in_order, parts, repeat(names), folders)
        return joined([*tables])

    def in_parts(columns: Sequence[str]) -> Iterator[Rows]:
        wanted = [name for name in names if name in {*columns}] or names[:1]
        for part, check, values in zip(parts, checks, folders, strict=True):
            check()
            for rows in part.reader()(wanted):
                assert isinstance(rows, pa.Table)
                yield _with_folders(rows.select(wanted), values)
            check()

    types = parts[0].types
    if types is not None:
        types = pa.schema([*types, *((key, pa.string()) for key in keys)])
    large = sum(path.stat().st_size for path in paths) > LARGE
    kept = in_parts if large else None
    return Source([*names, *keys], read, types, parts[0].form, kept)


def _opened(place: Path, number: int, path: Path, open_: Callable[[Path], Source]) -> Source:
    try:
        return open_(path)
    except Exception:
        pass
    raise SchemaError(
        f"file {number} of {place}, in the order of names, cannot be read: check that file by"
        " itself"
    )


def _folder_values(place: Path, path: Path) -> dict[str, str | None]:
    """What the folders on the way to a file say, as in year=2024/ward=north."""
    inner = path.relative_to(place).parts[:-1] if place.is_dir() else ()
    pairs = (folder.partition("=") for folder in inner if "=" in folder)
    return {key: None if value == _NO_VALUE else unquote(value) for key, _, value in pairs}


def _in_order(part: Source, names: list[str], values: dict[str, str | None]) -> pa.Table:
    """The rows of one file, its columns in this order, and those that its folders stand for."""
    rows = part.read()
    assert isinstance(rows, pa.Table)
    return _with_folders(rows.select(names), values)


def _with_folders(table: pa.Table, values: dict[str, str | None]) -> pa.Table:
    for key, value in values.items():
        table = table.append_column(key, pa.array([value] * len(table), pa.string()))
    return table


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after another; by the value where types differ."""
    tables = [part.replace_schema_metadata() for part in parts if isinstance(part, pa.Table)]
    if len(tables) == len(parts) and len({tuple(table.schema.types) for table in tables}) == 1:
        return pa.concat_tables(tables)
    names = [*(parts[0].column_names if isinstance(parts[0], pa.Table) else parts[0].columns)]
    columns = [_column([part[name] for part in parts]) for name in names]
    return pd.concat(columns, axis=1, keys=range(len(names))).set_axis(names, axis=1)


def _column(parts: Sequence[Any]) -> pd.Series:
    types = {part.type if isinstance(part, pa.ChunkedArray) else None for part in parts}
    if len(types) == 1 and None not in types:
        whole = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
        return pd.Series(pd.arrays.ArrowExtensionArray(whole))
    return pd.Series([value for part in parts for value in objects(pieces(part))], dtype=object)
