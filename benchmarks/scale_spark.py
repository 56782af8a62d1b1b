"""What a fit of a table costs on Spark, beside the fit of the same Parquet file.

    python benchmarks/scale_spark.py [--rows 1000000]
    python benchmarks/scale_spark.py --rows 10000000 --kinds files one --out benchmarks/results/scale_spark_large.json
    python benchmarks/scale_spark.py --rows 10000000 40000000 --kinds worker workers \
        --out benchmarks/results/scale_spark_workers.json

The table is that of `scale.py`: 15 columns like Adult's. Each fit runs in a process of its own, by `canopy` at epsilon
1; Spark runs as local[2] there. CPU seconds are those of all its processes: Python's, the JVM's and its workers', those
that have ended too. `started` is what Spark takes before it is given a table: its start, and the first task of a
Python worker. `files` is a frame whose tasks read the Parquet file, `one` the same by local[1], `frame` one that Spark
itself reads, behind a filter that keeps all rows; `ids` has a person for each five rows, three of which are kept.
`worker` and `workers` are a cluster of its own: a master, and one or two workers, each a process that has one core of
the machine for all its threads, those of its JVM too, as a machine of one core would.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from _record import ROOT, write
from scale import made, schema

TICKS = os.sysconf("SC_CLK_TCK")
WORKERS = {"worker": 1, "workers": 2}


def cpu_of_all() -> float:
    """CPU seconds of this process and of all that it started, those included that have ended."""
    found: dict[int, tuple[int, int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(place.parent.name)] = int(facts[1]), sum(map(int, facts[11:15]))
    mine = {os.getpid()}
    for _ in range(9):  # deeper than Spark's processes lie
        mine |= {process for process, (parent, _) in found.items() if parent in mine}
    return sum(found[process][1] for process in mine if process in found) / TICKS


@contextlib.contextmanager
def cluster_of(workers: int) -> Iterator[str]:
    """The address of a master with workers of one core each, all of them processes that this one started."""
    import pyspark

    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    started: list[subprocess.Popen[str]] = []
    cores = os.sched_getaffinity(0)

    def start(cores: set[int], name: str, *options: str) -> subprocess.Popen[str]:
        command = [
            str(program),
            f"org.apache.spark.deploy.{name}",
            "--host",
            "127.0.0.1",
            "--webui-port",
            "0",
            *options,
        ]
        bound = partial(os.sched_setaffinity, 0, cores)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, bufsize=1, preexec_fn=bound)
        started.append(process)
        return process

    def said(process: subprocess.Popen[str], words: str) -> str:
        assert process.stderr is not None
        return next(found[0] for line in process.stderr if (found := re.search(words, line)))

    with tempfile.TemporaryDirectory() as folder:
        try:
            address = said(start(cores, "master.Master", "--port", "0"), r"spark://[\w.:]+")
            for number in range(workers):
                place = ("--work-dir", f"{folder}/{number}")
                size = ("--cores", "1", "--memory", "2g")
                said(start({sorted(cores)[number]}, "worker.Worker", *size, *place, address), "Successfully registered")
            yield address
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def memory(path: str, kind: str) -> dict[str, float]:
    import dpsynth

    start = time.process_time()
    dpsynth.Synthesizer(asked(kind), epsilon=1, delta=1e-9, ledger=None).fit(path)
    return {"cpu": time.process_time() - start}


def spark(path: str, kind: str) -> dict[str, float]:
    local = contextlib.nullcontext("local[1]" if kind == "one" else "local[2]")
    with cluster_of(WORKERS[kind]) if kind in WORKERS else local as master:
        return fitted(path, kind, master)


def fitted(path: str, kind: str, master: str) -> dict[str, float]:
    from pyspark.sql import SparkSession

    import dpsynth
    from dpsynth.data.engines.spark import open_spark

    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    cluster = builder.config("spark.driver.memory", "4g").config("spark.sql.shuffle.partitions", "8").getOrCreate()
    cluster.sparkContext.setLogLevel("OFF")
    frame = cluster.read.parquet(path)
    frame = frame.filter("age >= 0") if kind == "frame" else frame
    files = open_spark(frame, asked(kind)).spread.scan is not None
    started, begun = cpu_of_all(), time.perf_counter()
    dpsynth.Synthesizer(asked(kind), epsilon=1, delta=1e-9, ledger=None).fit(frame)
    first = {"cpu": cpu_of_all() - started, "seconds": time.perf_counter() - begun}
    cluster.stop()
    return {"started": started, "files": files, **first}


def asked(kind: str) -> Any:
    import dpsynth

    if kind != "ids":
        return schema()
    return dpsynth.Schema(schema().columns, unit=dpsynth.PrivacyUnit("person", 3))


def alone(job: str, path: str, kind: str) -> dict[str, float]:
    """The result of a job in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "--job", job, path, kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def with_people(path: Path, place: Path) -> Path:
    """The same rows, with a person for each five of them."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    file, rng = parquet.ParquetFile(path), np.random.default_rng(1)
    people = file.metadata.num_rows // 5
    with parquet.ParquetWriter(place, file.schema_arrow.append(pa.field("person", pa.int64()))) as writer:
        for batch in file.iter_batches(1 << 20):
            table = pa.Table.from_batches([batch])
            writer.write_table(table.append_column("person", pa.array(rng.integers(0, people, len(table)))))
    return place


def measured(folder: Path, rows: int, kinds: list[str]) -> dict[str, Any]:
    plain = made(folder / f"{rows}.parquet", rows)
    found: dict[str, Any] = {"rows": rows}
    for kind in kinds:
        path = with_people(plain, folder / f"{rows}-people.parquet") if kind == "ids" else plain
        found[kind] = {"memory": alone("memory", str(path), kind), "spark": alone("spark", str(path), kind)}
        print(rows, kind, found[kind], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--kinds", nargs="+", default=["files", "one", "frame", "ids"])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "scale_spark.json")
    parser.add_argument("--job", nargs=3)
    given = parser.parse_args()
    if given.job:
        warnings.simplefilter("ignore")
        job, path, kind = given.job
        print(json.dumps({"memory": memory, "spark": spark}[job](path, kind)))
        return
    with tempfile.TemporaryDirectory() as folder:
        tables = [measured(Path(folder), rows, given.kinds) for rows in given.rows]
    write(given.out, {"columns": 15, "tables": tables})


if __name__ == "__main__":
    main()
