"""Plans of Spark that give the same rows however often a task is tried, and plain types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from dpsynth.schema.columns import SchemaError

_SIMPLE = frozenset(
    {
        *("string", "char", "varchar", "boolean", "tinyint", "smallint", "int", "bigint"),
        *("float", "double", "decimal", "date", "timestamp", "timestamp_ntz", "binary", "void"),
    }
)
_SOME_ROWS = re.compile("GlobalLimit|LocalLimit|CollectLimit|TakeOrdered|Offset|Tail|Sample")
"""Steps that take some rows: which ones may hang on the order in which rows come."""
_MOVES_ROWS = re.compile("Exchange|ShuffleExchange|CustomShuffleReader|AQEShuffleRead")
_NUMBERED = re.compile("Exchange.*RoundRobin", re.DOTALL)
_SORTED = "spark.sql.execution.sortBeforeRepartition"
_CHECKSUMS = "spark.sql.shuffle.orderIndependentChecksum.enabled"
_RETRIES = "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch"


def refuse_types(frame: Any, wanted: Sequence[str]) -> None:
    """SchemaError where one of these columns has not one plain value a row."""
    for each in frame.schema.fields:
        kind = re.split(r"[ (<]", each.dataType.simpleString())[0]
        if each.name in wanted and kind not in _SIMPLE:
            raise SchemaError(
                f"column {each.name!r} of the Spark DataFrame is of a type that has not one plain"
                " value a row: cast it to a string or a number, or leave it out"
            )


def refuse_plan(frame: Any, with_ids: bool) -> None:
    """SchemaError for a plan of which a task that is tried again may give other rows.

    with_ids: whether rows are bounded by ids after all that the plan does.
    """
    if frame.isStreaming:
        raise SchemaError(
            "the Spark DataFrame is a stream, which has other rows each time: write it to a table,"
            " and give that one"
        )
    query = frame._jdf.queryExecution()
    found = [*steps(query.optimizedPlan()), *steps(query.executedPlan())]
    if not all(step.deterministic() for step in found):
        raise SchemaError(
            "the plan of the Spark DataFrame draws at random, or hangs on the order of rows: write"
            " it to Parquet first, so that all passes see one table"
        )
    names = [str(step.nodeName()) for step in found]
    if any(map(_SOME_ROWS.match, names)):
        raise SchemaError(
            "the plan of the Spark DataFrame has a limit or a sample, which may take other rows"
            " each time: write it to Parquet first, so that all passes see one table"
        )
    conf = frame.sparkSession.conf
    if _on(conf, _CHECKSUMS, "false") and _on(conf, _RETRIES, "false"):
        return
    moves = any(map(_MOVES_ROWS.match, names)) or any(map(_of_moved_rows, found))
    if moves and not with_ids:
        raise SchemaError(
            "the plan of the Spark DataFrame moves rows between tasks, and a task that is tried"
            " again could count rows twice or never: write it to Parquet first, or give the unit"
            f" an id_column, or set {_CHECKSUMS} and {_RETRIES} to true where Spark has them"
        )
    if not _on(conf, _SORTED, "true") and any(_NUMBERED.match(str(step)) for step in found):
        raise SchemaError(
            "the plan of the Spark DataFrame moves rows in the order in which they come: write it"
            f" to Parquet first, or set {_SORTED} to true"
        )


def _on(conf: Any, name: str, otherwise: str) -> bool:
    return str(conf.get(name, otherwise)).lower() == "true"


def _of_moved_rows(step: Any) -> bool:
    """Whether a step reads an RDD whose rows may come in another order, or as others, each time."""
    if str(step.nodeName()) != "LogicalRDD":
        return False
    rdd = step.rdd()
    return not rdd.isCheckpointed() and str(rdd.outputDeterministicLevel()) != "DETERMINATE"


def steps(plan: Any) -> Iterator[Any]:
    """All steps of a plan, those of a cached table and of an adaptive plan too."""
    yield plan
    name = str(plan.nodeName())
    if name.startswith("AdaptiveSparkPlan"):
        yield from steps(plan.executedPlan())
    if name.startswith("InMemoryTableScan"):
        yield from steps(plan.relation().cacheBuilder().cachedPlan())
    children = plan.children()
    for place in range(children.size()):
        yield from steps(children.apply(place))
