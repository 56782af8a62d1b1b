"""DataFrames of Spark, which are read where they lie, and never collected by a fit."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, unquote

import pyarrow as pa

from dpsynth.base.versions import versions
from dpsynth.data.engines.source import Rows, Source
from dpsynth.data.engines.spark_plans import refuse_plan, refuse_types
from dpsynth.data.engines.spark_scans import Scan, scan_of
from dpsynth.data.engines.spark_shares import SparkTable, pruned
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema


def is_spark(data: object) -> bool:
    """Whether this is a DataFrame of Spark, or the address of one. Spark is not imported."""
    if isinstance(data, str):
        return re.match(r"\s*spark(\+\w+)?://", data) is not None
    return type(data).__module__.startswith("pyspark.") and type(data).__name__ == "DataFrame"


def spark_fault() -> str:
    """The sentence that says that a DataFrame of Spark could not be read."""
    return "the Spark DataFrame cannot be read: see in Spark whether its count() ends without error"


def open_spark(data: Any, schema: Schema | None) -> Source:
    """The source of a DataFrame of Spark, or of its address, of which no row has been read.

    Raises
    ------
    SchemaError
        Where its plan may give other rows when a task is tried again, where the workers lack this
        package, and for an address where Spark cannot be started or has no such table.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = _found(data.strip()) if isinstance(data, str) else data
        if type(frame).__module__.startswith("pyspark.sql.connect"):
            raise SchemaError(
                "the DataFrame is of Spark Connect, whose plan cannot be checked: use a classic"
                " Spark session, or write the table to Parquet and give the path"
            )
        if type(frame).__module__.startswith("pyspark.pandas"):
            frame = frame.to_spark()
        return _source_of(frame, schema)


def _found(address: str) -> Any:
    """The DataFrame of an address. No message repeats it, nor what Spark says of it."""
    place, _, asked = address.partition("?")
    options = dict(parse_qsl(asked))
    local = place.removeprefix("spark:///")
    path = local if local != place else place.removeprefix("spark+").removeprefix("spark://")
    if {*options} - {"table", "format", "master"} or ("table" in options) == bool(path):
        raise SchemaError(
            "an address of Spark names a folder or a table: write it as spark:///folder,"
            " spark+s3a://bucket/folder or spark://?table=clinic.visits, if need be with"
            " format=orc or master=local[4]"
        )
    spark = _spark(options.get("master"))
    with contextlib.suppress(Exception):
        if "table" in options:
            return spark.table(options["table"])
        return spark.read.format(options.get("format", "parquet")).load(unquote(path))
    raise SchemaError(
        "the address of Spark cannot be opened: check that the folder or the table is there, that"
        " Spark may read it, and its format"
    )


def _spark(master: str | None) -> Any:
    """The Spark session of this process, or a new one, whose workers run this Python."""
    if find_spec("pyspark") is None:
        raise SchemaError(
            "addresses of Spark are read by pyspark, which is not installed: pip install"
            " 'dpsynth[spark]'"
        )
    with contextlib.suppress(Exception):
        from pyspark.sql import SparkSession

        if (active := SparkSession.getActiveSession()) is not None and master is None:
            return active
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName("dpsynth")
        return (builder.master(master) if master is not None else builder).getOrCreate()
    raise SchemaError(
        "Spark cannot be started: see whether Java 17 is installed (JAVA_HOME), and whether the"
        " master can be reached"
    )


def _source_of(frame: Any, schema: Schema | None) -> Source:
    names = [each.name for each in frame.schema.fields]
    scan: Scan | None = None
    if schema is not None:
        wanted = [name for name in names if name in {*schema.coded, *schema.unit.columns}]
        refuse_types(frame, wanted)
        _refuse_plan(pruned(frame, wanted), schema)
        _refuse_other_workers(frame)
        with contextlib.suppress(Exception):  # then Spark reads the files
            scan = scan_of(frame, wanted)
    types = pa.schema([(each.name, _arrow_type(each)) for each in frame.schema.fields])
    return Source(names, partial(_collected, frame), types, spread=SparkTable(frame, scan))


def _refuse_plan(frame: Any, schema: Schema) -> None:
    """SchemaError for a plan that may give other rows each time, or cannot be looked into."""
    try:
        return refuse_plan(frame, with_ids=schema.unit.id_column is not None)
    except SchemaError:
        raise
    except Exception:
        pass
    raise SchemaError(  # raised here: the context of an exception would quote the plan
        "the plan of the Spark DataFrame cannot be looked into: write it to Parquet, and give the"
        " path"
    )


def _arrow_type(each: Any) -> pa.DataType:
    from pyspark.sql.pandas.types import to_arrow_type

    with contextlib.suppress(Exception):
        return to_arrow_type(each.dataType)
    return pa.null()


def _refuse_other_workers(frame: Any) -> None:
    """SchemaError where the workers do not have this package in this version."""
    found = None
    with contextlib.suppress(Exception):
        probe = frame.sparkSession.range(1).mapInArrow(_versions, "said string")
        found = {row["said"] for row in probe.collect()}
    if found != {_said()}:
        raise SchemaError(
            "the workers of Spark do not have dpsynth, Python, numpy and pyarrow in the versions of"
            " this process: install the same on all machines, and see PYSPARK_PYTHON"
        )


def _versions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    list(batches)
    yield pa.RecordBatch.from_pydict({"said": [_said()]})


def _said() -> str:
    return f"{sys.version_info[:2]} {sorted(versions().items())}"


def frame_of(spark: Any, tasks: int, draw: Callable[[int], pa.Table], types: pa.Schema) -> Any:
    """A DataFrame of Spark with what `draw` gives for each number of a task.

    SchemaError where the workers lack this package.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers = spark.range(0, tasks, 1, tasks)
        _refuse_other_workers(numbers)
        columns = from_arrow_schema(types, prefer_timestamp_ntz=True)
        return numbers.mapInArrow(partial(_drawn, draw), columns)


def _drawn(
    draw: Callable[[int], pa.Table], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for number in [number for batch in batches for number in batch["id"].to_pylist()]:
        yield from draw(number).to_batches(max_chunksize=1 << 16)


def _collected(frame: Any) -> Rows:
    """All rows here, for their owner: no fit calls it."""
    names = [each.name for each in frame.schema.fields]
    frame = frame.toDF(*(f"c{place}" for place in range(len(names))))
    if hasattr(frame, "toArrow"):
        return frame.toArrow().rename_columns(names)
    types = pa.schema([(each.name, _arrow_type(each)) for each in frame.schema.fields])
    batches = frame._collect_as_arrow()
    return pa.Table.from_batches(batches, None if batches else types).rename_columns(names)
