"""Spark: the counts of memory, whatever the tasks are; no row is collected, and nothing is counted twice or said."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import sys
import traceback
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import dpsynth
from dpsynth import Datetime, Numeric, PrivacyUnit, RowsError, Schema, SchemaError
from dpsynth.base.domain import Domain
from dpsynth.data.engines import spark_scans, spark_shares
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.engines.spark import open_spark
from dpsynth.data.tables.codec import codec_for, codecs, schema_domain
from dpsynth.data.tables.periods import period_codings
from dpsynth.data.tables.records import record_codings
from dpsynth.door.bounded import bound_table
from dpsynth.door.table import PrivateTable
from dpsynth.kernel import sensitive
from tests.data import test_streams as streams

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)

ROWS = streams.ROWS.astype({"day": "datetime64[us]", "end": "datetime64[us]"})
TABLE = pa.Table.from_pandas(ROWS, preserve_index=False).replace_schema_metadata()
ROOT = Path(dpsynth.__file__).parents[1]
PEOPLE = streams.SCHEMAS["people"]


def java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java") is not None or (home is not None and (Path(home) / "bin" / "java").exists())


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'dpsynth[spark]'")
    if not java():
        pytest.skip("Java is not installed, which Spark runs on: install Java 17 or set JAVA_HOME")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        from pyspark.sql import SparkSession

        settings = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "3",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
            "spark.sql.warehouse.dir": "/nonexistent",
            "spark.task.maxFailures": "3",
            "spark.driver.bindAddress": "127.0.0.1",
        }
        builder = SparkSession.builder.master("local[2,3]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        made = builder.getOrCreate()
        made.sparkContext.setLogLevel("OFF")
        yield made
        made.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visits")
    for number, start in enumerate(range(0, len(TABLE), 1000)):
        parquet.write_table(TABLE.slice(start, 1000), folder / f"{number}.parquet")
    return folder


@pytest.fixture(scope="module")
def visits(spark, place):
    return spark.read.parquet(str(place))


def counts(data, schema=PEOPLE, cliques=(("age", "ward"), ("smoker",))):
    """Exact counts of a bounded table, as its charges would get them."""
    source = open_source(data, schema)
    rows = bound_table(source.for_the_door(), schema.unit, period_codings(schema), record_codings(schema))
    small = Schema({name: schema.columns[name] for clique in cliques for name in clique})
    domain = schema_domain(small, {})
    answers = PrivateTable.encoded(rows, codecs(small, {}), domain).marginals(cliques)
    return [sensitive._integers(answers[clique]).tolist() for clique in cliques]


@pytest.mark.parametrize("unit", ["people", "rows"])
def test_a_fit_of_a_spark_frame_is_the_fit_of_the_table(unit, visits):
    schema = streams.SCHEMAS[unit]
    pd.testing.assert_frame_equal(streams.sampled(visits, schema), streams.sampled(ROWS, schema))


def test_partitions_order_and_batches_say_nothing(spark, visits):
    months = streams.SCHEMAS["months"]
    expected = {unit: counts(ROWS, schema) for unit, schema in (("people", PEOPLE), ("months", months))}
    assert counts(visits.repartition(5), PEOPLE) == expected["people"]
    assert counts(visits.orderBy("age"), months) == expected["months"]
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    try:
        assert counts(visits, streams.SCHEMAS["rows"]) == counts(ROWS, streams.SCHEMAS["rows"])
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


def kinds():
    """Ids of each type, of which several say the same or nothing; and values at the ends of their types."""
    far = [
        datetime.datetime(1, 1, 2),
        datetime.datetime(9999, 12, 30),
        datetime.datetime(1969, 12, 31, 23, 59, 59),
        None,
    ]
    return {
        "doubles": ([0.0, -0.0, float("nan"), None], "double"),
        "texts": (["a", "a\0", "A", None], "string"),
        "decimals": ([Decimal("1.50"), Decimal("-1"), Decimal("1"), None], "decimal(10,2)"),
        "longs": ([2**63 - 1, -(2**63), 0, None], "bigint"),
        "binary": ([b"a", b"\xff", b"", None], "binary"),
        "dates": ([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1970, 1, 1), None], "date"),
        "local times": (far, "timestamp_ntz"),
        "instants": (far, "timestamp"),
        "booleans": ([True, False, None, True], "boolean"),
    }


@pytest.mark.parametrize("kind", kinds())
def test_ids_are_told_apart_as_in_memory(kind, spark):
    values, name = kinds()[kind]
    rows = [(values[i % 4], i % 90) for i in range(120)]
    frame = spark.createDataFrame(rows, f"who {name}, age int").repartition(3)
    schema = Schema({"age": Numeric(0, 100, integer=True)}, unit=PrivacyUnit("who", 2))
    found = counts(frame, schema, [("age",)])
    assert found == counts(open_rows(frame), schema, [("age",)])
    people = len({float("nan") if v != v else v for v in values}) - (kind in ("doubles", "texts"))
    assert np.sum(found) == 2 * people


def test_the_zone_of_spark_says_nothing_of_times(spark):
    days = [datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=hour) for hour in range(60)]
    frame = spark.createDataFrame([(day,) for day in days], "day timestamp").coalesce(1)
    found = []
    for zone in (None, "America/New_York"):
        schema = Schema({"day": Datetime("2020-05-31", "2020-06-05", zone=zone)})
        expected = counts(pa.table({"day": days}), schema, [("day",)])
        for told in ("UTC", "Asia/Tokyo"):
            spark.conf.set("spark.sql.session.timeZone", told)
            assert counts(frame, schema, [("day",)]) == expected
        found.append(expected)
    spark.conf.unset("spark.sql.session.timeZone")
    assert found[0] != found[1]


def test_a_person_with_very_many_rows_moves_counts_by_as_many_as_are_allowed(spark, visits):
    schema = Schema({"age": Numeric(0, 120, integer=True)}, unit=PrivacyUnit("who", 3))
    one = visits.select("who", "age")
    more = one.union(spark.range(200_000).selectExpr("'new' as who", "cast(id % 100 as bigint) as age"))
    moved = np.subtract(counts(more, schema, [("age",)]), counts(one, schema, [("age",)]))
    assert (moved.sum(), moved.min()) == (3, 0)


def test_categories_sizes_and_paid_looks_are_of_the_same_rows(visits, tmp_path):
    ledger = dpsynth.Ledger.create(tmp_path / "l", dpsynth.Budget(50, 1e-3), dataset="d", unit=PEOPLE.unit)
    found = [
        dpsynth.rows_per_unit(data, PEOPLE, epsilon=20, delta=1e-6, ledger=ledger, unsafe_seed=1).counts
        for data in (visits, ROWS)
    ]
    assert list(found[0]) == list(found[1])


def killed_once(spark, mark: Path, frame):
    """The rows of a frame; the first task that has read some of them kills its worker, once."""

    def read(batches):
        for number, batch in enumerate(batches):
            yield batch
            if number == 1:
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                    os.kill(os.getpid(), signal.SIGKILL)

    return frame.mapInArrow(read, frame.schema)


@pytest.mark.parametrize("unit", ["people", "rows"])
def test_a_worker_that_is_killed_counts_nothing_twice(unit, spark, visits, tmp_path):
    """Tasks are tried again from their start: what the killed one had read is counted once."""
    schema = streams.SCHEMAS[unit]
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
    try:
        assert counts(killed_once(spark, tmp_path / "killed", visits), schema) == counts(ROWS, schema)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert (tmp_path / "killed").exists()


def test_a_sum_by_accumulators_counts_what_a_killed_worker_had_read_twice(spark, visits, tmp_path):
    """The double: a count beside the task's result, as one that is not Spark's own might keep. It is caught out."""
    log = tmp_path / "counted"

    def counting(batches):
        for batch in batches:
            with log.open("a") as file:
                file.write(f"{len(batch)}\n")
            yield batch

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
    try:
        counted = killed_once(spark, tmp_path / "killed", visits.mapInArrow(counting, visits.schema))
        assert counts(counted, streams.SCHEMAS["rows"]) == counts(ROWS, streams.SCHEMAS["rows"])
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert sum(map(int, log.read_text().split())) > len(ROWS)


def test_what_is_kept_is_read_once_and_what_is_lost_is_made_anew(spark, visits, tmp_path):
    log = tmp_path / "read"

    def noting(batches):
        for batch in batches:
            with log.open("a") as file:
                file.write(f"{len(batch)}\n")
            yield batch

    schema = streams.SCHEMAS["rows"]
    source = open_source(visits.mapInArrow(noting, visits.schema), schema)
    rows = bound_table(source.for_the_door(), schema.unit, {}, record_codings(schema))
    coding = {"age": codec_for(schema.columns["age"])}
    domain = Domain.of({"age": coding["age"].size})
    for passes in range(3):
        table = PrivateTable.encoded(rows, coding, domain)
        first = sensitive._integers(table.marginals([("age",)])["age",])
        assert first.sum() == len(ROWS), passes
    assert sum(map(int, log.read_text().split())) == len(ROWS)
    spark.catalog.clearCache()
    again = sensitive._integers(PrivateTable.encoded(rows, coding, domain).marginals([("age",)])["age",])
    np.testing.assert_array_equal(first, again)


def test_a_table_that_was_written_anew_ends_the_fit_and_says_nothing(spark, tmp_path):
    parquet.write_table(TABLE, tmp_path / "t.parquet")
    schema = streams.SCHEMAS["rows"]
    source = open_source(spark.read.parquet(str(tmp_path)), schema)
    rows = bound_table(source.for_the_door(), schema.unit, {}, record_codings(schema))
    coding = {"age": codec_for(schema.columns["age"])}
    table = PrivateTable.encoded(rows, coding, Domain.of({"age": coding["age"].size}))
    table.marginals([("age",)])
    parquet.write_table(TABLE.set_column(1, "age", pa.array([7] * len(TABLE))), tmp_path / "t.parquet")
    spark.catalog.clearCache()  # as where machines are lost
    with pytest.raises(RowsError):
        table.marginals([("age",)])


def plans():
    from pyspark.sql import functions as f

    @f.udf("int")
    def same(x):
        return x

    random = r"draws at random.*: write it to Parquet first"
    some = r"a limit or a sample.*: write it to Parquet first"
    moves = r"moves rows between tasks.*: write it to Parquet first"
    return {
        "rand": (lambda v: v.withColumn("age", (f.rand() * 9).cast("int")), random, True),
        "uuid": (lambda v: v.withColumn("ward", f.expr("uuid()")), random, True),
        "numbers of rows": (lambda v: v.withColumn("age", f.monotonically_increasing_id()), random, True),
        "a function": (lambda v: v.withColumn("age", same.asNondeterministic()("age")), random, True),
        "rand that is cached": (lambda v: v.withColumn("age", f.rand()).cache(), random, True),
        "limit": (lambda v: v.limit(9), some, True),
        "limit by an order": (lambda v: v.orderBy("age").limit(9), some, True),
        "sample": (lambda v: v.sample(0.5, seed=1), some, True),
        "limit that is cached": (lambda v: v.limit(9).cache(), some, True),
        "repartition": (lambda v: v.repartition(5), moves, False),
        "repartition that is cached": (lambda v: v.repartition(5).cache(), moves, False),
        "distinct": (lambda v: v.distinct(), moves, False),
        "join": (lambda v: v.join(v.groupBy("who").count().hint("merge"), "who"), moves, False),
        "rdd": (lambda v: v.sparkSession.createDataFrame(v.rdd.repartition(3), v.schema), moves, False),
    }


NAMES = ("rand", "uuid", "numbers of rows", "a function", "rand that is cached", "limit", "limit by an order", "sample",
         "limit that is cached", "repartition", "repartition that is cached", "distinct", "join", "rdd")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_that_may_give_other_rows_is_refused_before_anything_is_spent(name, visits, tmp_path):
    plan, message, with_ids = plans()[name]
    for unit in ["people", "rows"] if with_ids else ["rows"]:
        schema = streams.SCHEMAS[unit]
        ledger = dpsynth.Ledger.create(tmp_path / unit, dpsynth.Budget(1, 1e-6), dataset="d", unit=schema.unit)
        with pytest.raises(SchemaError, match=message):
            dpsynth.Synthesizer(schema, epsilon=1, delta=1e-6, ledger=ledger).fit(plan(visits))
        assert ledger.runs() == []


def test_plans_that_give_the_same_rows_are_read(visits, spark):
    from pyspark.sql import functions as f

    small = spark.createDataFrame([("north", 1), ("south", 2)], ["ward", "place"])
    alike = {
        "a filter": visits.filter("age > 5"),
        "a cached table": visits.cache(),
        "fewer partitions": visits.coalesce(1),
        "a union": visits.union(visits),
        "a join with a small table": visits.join(f.broadcast(small), "ward"),
        "a checkpoint": visits.limit(9).localCheckpoint(),
    }
    for frame in alike.values():
        assert open_spark(frame, streams.SCHEMAS["rows"]).spread is not None
    visits.unpersist()


def test_a_plan_that_moves_rows_is_read_where_spark_verifies_what_it_moves(visits, spark):
    names = [f"spark.sql.shuffle.orderIndependentChecksum.{x}" for x in ("enabled", "enableFullRetryOnMismatch")]
    for name in names:
        spark.conf.set(name, "true")
    try:
        assert open_spark(visits.repartition(4), streams.SCHEMAS["rows"]).spread is not None
    finally:
        for name in names:
            spark.conf.unset(name)


def test_rows_that_are_moved_in_their_order_are_refused_with_ids_too(visits, spark):
    spark.conf.set("spark.sql.execution.sortBeforeRepartition", "false")
    try:
        with pytest.raises(SchemaError, match=r"in the order in which they come: .* set spark\.sql"):
            open_spark(visits.repartition(4), PEOPLE)
    finally:
        spark.conf.unset("spark.sql.execution.sortBeforeRepartition")


def test_a_stream_is_refused(spark):
    frame = spark.readStream.format("rate").load().selectExpr("cast(value as int) as age")
    with pytest.raises(SchemaError, match=r"is a stream, .*: write it to a table"):
        open_spark(frame, Schema({"age": Numeric(0, 9)}))


def test_types_that_hold_several_values_are_refused_in_one_sentence(spark):
    for kind in ("array(1)", "map('a', 1)", "struct(1)", "interval 1 day"):
        frame = spark.sql(f"select {kind} as age, 1 as pay")
        with pytest.raises(SchemaError, match=r"^column .*(one plain value a row: cast it|holds lists)"):
            open_source(frame, Schema({"age": Numeric(0, 9)}))
        assert open_spark(frame, Schema({"pay": Numeric(0, 9)})).names == ["age", "pay"]


def failing(batches):
    for batch in batches:
        yield batch
        raise ValueError(f"CANARY {batch.to_pylist()[0]}")


@pytest.mark.parametrize("where", ["in a task", "in a file", "in the plan"])
def test_what_fails_in_a_task_says_nothing(where, visits, spark, tmp_path, monkeypatch, capfd):
    data = visits
    if where == "in a file":
        monkeypatch.setattr(spark_scans, "_read", lambda *arguments: failing(arguments[-1]))
    elif where == "in a task":
        data = unread_by_files(visits)
        monkeypatch.setattr(spark_shares, "_tables", lambda *arguments: failing(arguments[-1]))
    else:
        data = visits.selectExpr("*").withColumn("age", visits["age"])
        data = data.mapInArrow(failing, data.schema)
    ledger = dpsynth.Ledger.create(tmp_path / "l", dpsynth.Budget(1, 1e-6), dataset="d", unit=PEOPLE.unit)
    with pytest.raises(RowsError) as caught:
        dpsynth.Synthesizer(PEOPLE, epsilon=1, delta=1e-6, ledger=ledger).fit(data)
    assert caught.value.__context__ is None
    assert "CANARY" not in "".join(traceback.format_exception(caught.value))
    assert ledger.runs()[0].state == "drawing"
    if where != "in the plan":
        said = capfd.readouterr()
        assert "CANARY" not in said.out + said.err


def test_no_row_is_collected_by_a_fit(visits, monkeypatch):
    """Every result that a task gives is an Arrow table of counts, and of whose rows it is in groups."""
    told = []
    reading = spark_shares._table
    monkeypatch.setattr(spark_shares, "_table", lambda piece: told.append(reading(piece)) or told[-1])
    schema = Schema({"age": Numeric(0, 120, integer=True)}, unit=PrivacyUnit("who", 2))
    some = visits.select("who", "age")
    dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None).fit(some)
    assert told
    assert {name for table in told for name in table.column_names} == {"counts"}


def test_a_mechanism_that_reads_rows_is_refused_before_anything_is_spent(visits, tmp_path):
    ledger = dpsynth.Ledger.create(tmp_path / "l", dpsynth.Budget(1, 1e-6), dataset="d", unit=PrivacyUnit())
    schema = Schema({"age": Numeric(0, 120, integer=True)})
    command = ["true", "{output}"]
    program = dpsynth.Synthesizer(schema, "external:", epsilon=1, delta=1e-6, ledger=ledger, command=command)
    with pytest.raises(ValueError, match=r"reads rows, and those of a Spark DataFrame are only counted"):
        program.fit(visits.select("age"))
    assert ledger.runs() == []


def test_workers_without_this_package_are_refused_before_anything_is_spent(visits, monkeypatch):
    monkeypatch.setattr("dpsynth.data.engines.spark._said", lambda: "another version")
    with pytest.raises(SchemaError, match="the workers of Spark do not have dpsynth"):
        open_spark(visits, PEOPLE)


def test_a_folder_and_a_table_have_addresses_that_no_message_repeats(spark, place, tmp_path, run):
    PEOPLE.save(tmp_path / "s.yaml")
    assert counts(f"spark:///{place}") == counts(ROWS)
    spark.read.parquet(str(place)).createOrReplaceTempView("visits")
    assert counts("spark://?table=visits") == counts(ROWS)
    code, out, err = run(
        f"release spark:///{place} --schema {tmp_path}/s.yaml --epsilon 1 --mechanism independent"
        f" --ledger {tmp_path}/l.ledger -o {tmp_path}/release"
    )
    assert code == 0, err
    told = (tmp_path / "l.ledger").read_bytes()
    told += b"".join(path.read_bytes() for path in (tmp_path / "release").iterdir() if path.is_file())
    assert str(place) not in out + err
    assert str(place).encode() not in told
    for address, message in (
        ("spark:///no/CANARY", "the address of Spark cannot be opened"),
        ("spark://?table=CANARY", "the address of Spark cannot be opened"),
        ("spark:///x?table=CANARY", "names a folder or a table"),
        ("spark:///x?CANARY=1", "names a folder or a table"),
    ):
        with pytest.raises(SchemaError, match=message) as caught:
            open_source(address, PEOPLE)
        assert "CANARY" not in "".join(traceback.format_exception(caught.value))


def test_a_draft_has_the_types_of_spark_and_reads_no_row(visits):
    draft = Schema.draft(visits, PrivacyUnit("who", 3)).to_dict()["columns"]
    assert draft["age"]["type"] == "numeric"
    assert draft["day"]["type"] == "datetime"
    assert draft["smoker"]["type"] == "boolean"


def test_names_with_dots_and_of_the_same_letters_are_read(spark):
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        frame = spark.createDataFrame([(1, 2), (3, 4)], "`a.b` int, `A.B` int").coalesce(1)
        schema = Schema({"a.b": Numeric(0, 9, integer=True), "A.B": Numeric(0, 9, integer=True)})
        rows = pd.DataFrame({"a.b": [1, 3], "A.B": [2, 4]})
        assert counts(frame, schema, [("a.b", "A.B")]) == counts(rows, schema, [("a.b", "A.B")])
    finally:
        spark.conf.unset("spark.sql.caseSensitive")


def unread_by_files(frame):
    """The same rows, by a plan that Spark itself has to carry out."""
    return frame.filter("age >= 0")


def test_files_are_read_in_tasks_with_the_counts_that_spark_itself_would_give(visits):
    assert open_spark(visits, PEOPLE).spread.scan is not None
    assert open_spark(visits.select(*visits.columns[::-1]), PEOPLE).spread.scan is not None
    assert open_spark(unread_by_files(visits), PEOPLE).spread.scan is None
    for unit in ("people", "rows"):
        schema = streams.SCHEMAS[unit]
        assert counts(visits, schema) == counts(unread_by_files(visits), schema) == counts(ROWS, schema)


def test_files_that_are_written_after_the_first_look_end_the_fit(spark, tmp_path):
    schema = Schema({"age": Numeric(0, 120, integer=True)})
    pa_rows = TABLE.select(["age"])
    parquet.write_table(pa_rows, tmp_path / "rows.parquet")
    source = open_spark(spark.read.parquet(str(tmp_path / "rows.parquet")), schema)
    assert source.spread.scan is not None
    parquet.write_table(pa_rows.slice(1), tmp_path / "rows.parquet")
    tables = source.spread.scan.tables(["age"])
    with pytest.raises(ValueError, match="written while it was read"):
        list(tables(iter([pa.RecordBatch.from_pydict({"id": [0]})])))


def test_what_is_no_plain_scan_is_read_by_spark(spark, visits, tmp_path):
    visits.write.partitionBy("ward").parquet(str(tmp_path / "keyed"))
    visits.write.orc(str(tmp_path / "orc"))
    other = {
        "other names": visits.withColumnRenamed("note", "more"),
        "computed": visits.withColumn("age", visits["age"] + 0 * visits["pay"]),
        "a union": visits.union(visits),
        "folders with keys": spark.read.parquet(str(tmp_path / "keyed")),
        "another format": spark.read.orc(str(tmp_path / "orc")),
    }
    for name, frame in other.items():
        assert open_spark(frame, streams.SCHEMAS["rows"]).spread.scan is None, name
    keyed = spark.read.parquet(str(tmp_path / "keyed"))
    assert counts(keyed) == counts(ROWS)


def test_times_are_instants_or_local_whoever_reads_them(spark, tmp_path):
    """Spark's own files do not say which: Spark knows it, and pyarrow is told."""
    rows = [(datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=h), h) for h in range(60)]
    schema = Schema({"day": Datetime("2020-05-31", "2020-06-05", zone="America/New_York")})
    frame = spark.createDataFrame(rows, "day timestamp, age int").coalesce(1)
    for kind in ("INT96", "TIMESTAMP_MICROS"):
        spark.conf.set("spark.sql.parquet.outputTimestampType", kind)
        frame.write.parquet(str(tmp_path / kind))
        read = spark.read.parquet(str(tmp_path / kind)).select("day")
        assert open_spark(read, schema).spread.scan is not None
        assert counts(read, schema, [("day",)]) == counts(frame.select("day"), schema, [("day",)])
    spark.conf.unset("spark.sql.parquet.outputTimestampType")


def test_rows_that_spark_draws_are_those_of_files_however_many_tasks_there_are(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("dpsynth.synthesizers.block_job.ROWS_OF_A_BLOCK", 40)
    schema = Schema({"age": Numeric(0, 90, integer=True), "day": Datetime("2020-01-01", "2020-12-31")})
    rows = ROWS[["age", "day"]]
    synth = dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None).fit(rows)
    synth.write(tmp_path / "rows", n=110, seed=7)
    written = pd.concat([pd.read_parquet(path) for path in sorted((tmp_path / "rows").glob("*.parquet"))])
    drawn = synth.sample_spark(110, spark, seed=7)
    assert drawn.rdd.getNumPartitions() == 3
    for frame in (drawn, drawn.coalesce(1)):
        found = frame.toPandas()
        assert found["age"].tolist() == written["age"].tolist()
        assert pd.to_datetime(found["day"]).tolist() == pd.to_datetime(written["day"]).tolist()
    old = synth.sample_spark(50, spark, where="age >= 65", seed=1).toPandas()
    assert len(old) == 50
    assert (old["age"] >= 65).all()
    with pytest.raises(ValueError, match="n must be"):
        synth.sample_spark(-1, spark)
