"""Tables that are no files: of databases and lakes, and in parts that functions give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dpsynth.data.engines.databases import Database, is_address, open_database
from dpsynth.data.engines.lakes import lake_fault, lake_of, open_lake
from dpsynth.data.engines.partitions import Partitions, open_partitions
from dpsynth.data.engines.source import Source, refuse_nested, refuse_real_records, written_attrs
from dpsynth.data.engines.spark import is_spark, open_spark, spark_fault
from dpsynth.schema.table import Schema


def table_source(data: Any, schema: Schema | None) -> Source | None:
    """A table whose rows are read later; None for what is no table of these kinds.

    Raises
    ------
    SchemaError
        Where it cannot be opened, holds lists, or carries the stamp.
    """
    table: Any = Database(data) if is_address(data) else data
    opener: Callable[[Any, Schema | None], Source]
    if isinstance(table, Database):
        opener = open_database
    elif isinstance(table, Partitions):
        opener = open_partitions
    elif is_spark(table):
        opener = open_spark
    elif lake_of(table) is not None:
        opener = open_lake
    else:
        return None
    source = opener(table, schema)
    refuse_real_records(source.names, written_attrs(source.types))
    refuse_nested(source.types, schema)
    return source


def table_fault(data: Any) -> str | None:
    """The sentence that says that such a table could not be read to its end; None for all else."""
    table = Database(data) if is_address(data) else data  # which shows no address
    if isinstance(table, Database):
        return f"{table!r} cannot be read to its end: see whether the server runs"
    if isinstance(table, Partitions):
        return (
            f"{table!r} cannot be read: see whether each function gives a table with the columns"
            " that were named, and the same rows each time"
        )
    if is_spark(table):
        return spark_fault()
    return None if lake_of(table) is None else lake_fault(table)
