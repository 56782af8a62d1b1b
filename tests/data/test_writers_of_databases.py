"""What a write into a database must not do: add to rows of others, lose rows that it says are kept, or write twice."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Database, Numeric, Schema
from dpsynth.data.engines import into_databases
from tests.data import test_into_databases as base
from tests.data.test_into_databases import do

address, kind = base.address, base.kind

SCHEMA = Schema({"age": Numeric(0, 99, integer=True), "dose": Numeric(-5, 5, decimals=3), "sex": Boolean()})
REAL = "insert into made (age, dose) values (47, 1)"


def fitted(schema: Schema, rows: pd.DataFrame) -> dpsynth.Synthesizer:
    return dpsynth.Synthesizer(schema, "independent", epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows)


@pytest.fixture(scope="module")
def synth():
    rng = np.random.default_rng(4)
    rows = {"age": rng.integers(0, 100, 900), "dose": rng.normal(0, 1, 900).round(3), "sex": rng.random(900) < 0.5}
    return fitted(SCHEMA, pd.DataFrame(rows))


def count(address: str, table: str = "made") -> int:
    return do(address, f"select count(*) from {table}")[0][0]


MIXED = [
    pytest.param(["insert"], id="a real row beside the rows of ours"),
    pytest.param(["drop", "make", "insert"], id="a table of real rows under the name of one of ours"),
    pytest.param(["delete"], id="a row fewer than listed"),
]


@pytest.mark.parametrize("then", MIXED)
def test_rows_are_added_only_where_all_rows_are_listed(synth, address, then):
    synth.write(Database(address, table="made"), 100, seed=1)
    delete = "delete from made where age = (select min(age) from made)"
    make = "create table made (age bigint, dose double precision, sex boolean)"
    do(address, *({"insert": REAL, "drop": "drop table made", "make": make, "delete": delete}[each] for each in then))
    there = count(address)
    with pytest.raises(ValueError, match="rows that dpsynth_manifest does not list, which may be of real records"):
        synth.write(Database(address, table="made"), 100, seed=2, append=True)
    assert count(address) == there
    assert len(do(address, "select * from dpsynth_manifest")) == 1


def test_a_mutant_that_takes_a_line_for_all_rows_adds_to_real_ones(synth, address, monkeypatch):
    real = into_databases.OPENERS[address.partition("://")[0]]
    mutant = type("Mutant", (real,), {"count": lambda self, place: 100})
    monkeypatch.setitem(into_databases.OPENERS, address.partition("://")[0], mutant)
    synth.write(Database(address, table="made"), 100, seed=1)
    do(address, REAL)
    synth.write(Database(address, table="made"), 100, seed=2, append=True)
    assert count(address) == 201


@pytest.mark.parametrize("gone", ["drop table made", "delete from made"])
def test_lines_of_rows_that_are_gone_go_with_the_next_write(synth, address, gone):
    synth.write(Database(address, table="made"), 100, seed=1)
    do(address, gone)
    synth.write(Database(address, table="made"), 50, seed=2)
    synth.write(Database(address, table="made"), 25, seed=3, append=True)
    assert count(address) == 75
    assert do(address, 'select "rows" from dpsynth_manifest order by seed') == [(50,), (25,)]


def test_a_name_in_other_letters_is_the_same_table_where_the_database_says_so(synth, address):
    synth.write(Database(address, table="made"), 100, seed=1)
    synth.write(Database(address, table="MADE"), 100, seed=2, append=True)
    assert count(address) == (100 if address.startswith("postgres") else 200)


@pytest.mark.parametrize("found", ["create table dpsynth_manifest (a int)", "create view dpsynth_manifest as select 1"])
def test_another_table_in_the_place_of_the_manifest_is_refused(synth, address, found):
    do(address, found)
    with pytest.raises(ValueError, match=r"^dpsynth_manifest beside .* is not the table that dpsynth writes"):
        synth.write(Database(address, table="made"), 100)
    with pytest.raises(Exception, match="made"):
        count(address)


def at_once(do_one, n: int = 3) -> list:
    """What several threads give that begin together."""
    found: list = []
    begin = threading.Barrier(n)

    def run(number: int) -> None:
        begin.wait()
        try:
            found.append(do_one(number))
        except (OSError, ValueError) as error:
            found.append(str(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def test_the_same_rows_written_at_once_are_there_once(synth, address):
    synth.write(Database(address, table="made"), 10, seed=1)
    table = Database(address, table="made")
    found = at_once(lambda _: synth.write(table, 5_000, seed=2, append=True).count)
    assert found.count(5_000) == 1, found
    assert all("has these rows already" in each or "another program writes" in each for each in found if each != 5_000)
    assert count(address) == 5_010


def test_of_writers_into_a_new_place_those_that_succeed_are_kept(synth, address):
    """A writer that gives up removes the file that it made, unless another one wrote to it."""
    found = at_once(lambda seed: synth.write(Database(address, table="made"), 5_000, seed=seed).count)
    kept = count(address) if 5_000 in found else 0
    assert kept == 5_000 * found.count(5_000), found


def test_a_table_with_the_name_of_the_rows_on_their_way_takes_them(synth, address):
    for seed in range(2):
        synth.write(Database(address, table="dpsynth_rows"), 20, seed=seed, append=True)
    assert count(address, "dpsynth_rows") == 40


@pytest.mark.parametrize("name", ["temp.made", "pg_temp.made"])
def test_a_table_that_would_be_gone_afterwards_is_refused(synth, address, name):
    with pytest.raises((ValueError, OSError), match=r"would be gone|SQLite has none|took no rows, as"):
        synth.write(Database(address, table=name), 20)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_database_in_memory_takes_no_rows(synth, kind):
    if kind == "duckdb":
        pytest.importorskip("duckdb", reason="duckdb is not installed")
    with pytest.raises(OSError, match="cannot be opened to be written"):
        synth.write(f"{kind}:///:memory:?table=made", 20)


@pytest.mark.parametrize("table", ["", "care.", ".made"])
def test_a_table_without_a_name_is_refused(table):
    with pytest.raises(dpsynth.SchemaError, match="the name of a table has an empty part"):
        Database("sqlite:///n.db", table=table)


def test_names_that_a_database_cannot_tell_apart_are_refused(address):
    postgres = address.startswith("postgres")
    names = ["y" * 64, "a"] if postgres else ["A", "a"]
    made = fitted(Schema({name: Boolean() for name in names}), pd.DataFrame(dict.fromkeys(names, [True] * 50)))
    words = (
        "has names of up to 63 bytes, and 'y*' is longer" if postgres else "only the case differs, as of 'A' and 'a'"
    )
    with pytest.raises(ValueError, match=words):
        made.write(Database(address, table="made"), 20)


def test_decimals_and_awkward_texts_are_those_of_the_files(synth, address, tmp_path):
    evil = "x\"; drop table made; --'"
    texts = ["", "NULL", "\\N", "\tab\nline", "a'); drop table made; --", "ü<b>"]
    rng = np.random.default_rng(5)
    schema = Schema({"dose": Numeric(-5, 5, decimals=3), evil: Categorical(texts, nullable=True)})
    rows = pd.DataFrame({"dose": rng.normal(0, 1, 900).round(3), evil: rng.choice(texts, 900)})
    rows.loc[::4, evil] = None
    made = fitted(schema, rows)
    made.write(Database(address, table="made"), 900, seed=5)
    expected = pd.read_parquet(made.write(tmp_path / "files", 900, seed=5).files[0])
    found = do(address, "select * from made")
    assert [float(each[0]) for each in found] == expected["dose"].tolist()
    assert [each[1] for each in found] == expected[evil].astype(object).where(expected[evil].notna(), None).tolist()
