"""Files in object stores: a fit of them is the fit of the table, and no message repeats who asks.

A folder stands for the store, behind the same door; where moto is installed, its server speaks to Arrow's own client.
"""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from pyarrow import fs

import dpsynth
from dpsynth import SchemaError
from dpsynth.data.engines import object_stores
from dpsynth.data.engines.files import open_rows, open_source
from tests.data import test_streams as streams

SCHEMA = streams.SCHEMAS["people"]
small_parts = streams.small_parts


@pytest.fixture(scope="module")
def server():
    moto = pytest.importorskip("moto.server", reason="no server of s3 can be started: pip install 'moto[server]'")
    running = moto.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    port = running.get_host_and_port()[1]
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture(params=["folder", "server"])
def put(request, tmp_path, monkeypatch):
    """Puts files below a folder into the bucket "clinic"."""
    if request.param == "folder":
        store = fs.SubTreeFileSystem(str(tmp_path / "store"), fs.LocalFileSystem())
        (tmp_path / "store").mkdir()
        monkeypatch.setattr(object_stores, "_store", lambda kind, bucket: store)
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("server"))
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anna")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
        store = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], allow_bucket_creation=True)
        if store.get_file_info("clinic").type != fs.FileType.NotFound:
            store.delete_dir_contents("clinic")
    store.create_dir("clinic")

    def put(folder: Path):
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"clinic/{path.relative_to(folder)}"
                store.create_dir(key.rpartition("/")[0])
                with store.open_output_stream(key, compression=None) as file:
                    file.write(path.read_bytes())
        return store

    return put


def written(kind: str, tmp_path: Path, put, rows: pd.DataFrame = streams.ROWS) -> str:
    (tmp_path / "here").mkdir()
    path = streams.FILES[kind](rows, tmp_path / "here")
    put(tmp_path / "here")
    return f"s3://clinic/{path.relative_to(tmp_path / 'here')}"


@pytest.fixture(scope="module")
def expected():
    return streams.sampled(streams.ROWS, SCHEMA)


@pytest.mark.parametrize("kind", streams.FILES)
def test_a_fit_of_a_store_is_the_fit_of_the_table(kind, put, tmp_path, expected):
    address = written(kind, tmp_path, put)
    assert open_source(address, SCHEMA).parts is not None
    pd.testing.assert_frame_equal(streams.sampled(address, SCHEMA), expected)


def test_small_files_json_lines_and_keys_in_the_names_of_folders_are_read_too(put, tmp_path):
    rows = streams.ROWS[["age", "ward"]]
    for ward in ("north", "south"):
        (tmp_path / "f" / f"site={ward}").mkdir(parents=True)
        rows[:10].to_parquet(tmp_path / "f" / f"site={ward}" / "a.parquet", index=False)
    rows[:10].to_json(tmp_path / "f" / "r.jsonl", orient="records", lines=True)
    store = put(tmp_path / "f")
    schema = dpsynth.Schema({name: streams.COLUMNS[name] for name in rows.columns})
    assert len(open_rows("s3://clinic/r.jsonl", schema)) == 10
    store.delete_file("clinic/r.jsonl")
    for address in ("s3://clinic", "  s3://clinic/"):
        table = open_rows(address)
        assert table["site"].to_pylist() == ["north"] * 10 + ["south"] * 10
    assert len(open_rows("s3://clinic/site=*/a.parquet")) == 20
    assert len(open_rows("s3://clinic/site=s*/*.parquet")) == 10


def test_a_draft_of_a_store_reads_types_and_no_row(put, tmp_path, run):
    address = written("parquet", tmp_path, put)
    code, _, err = run(f"schema draft {address} --id-column who --max-records 3 -o {tmp_path}/s.yaml")
    assert code == 0, err
    kinds = {name: facts["type"] for name, facts in dpsynth.Schema.draft(
        open_source(address).without_rows()).to_dict()["columns"].items()}  # fmt: skip
    assert (kinds["age"], kinds["ward"], kinds["day"]) == ("numeric", "categorical", "datetime")


def test_a_release_from_a_store_repeats_neither_address_nor_credentials(put, tmp_path, run):
    address = written("parquet", tmp_path, put)
    SCHEMA.save(tmp_path / "s.yaml")
    code, out, err = run(
        f"release {address} --schema {tmp_path}/s.yaml --epsilon 1 --ledger {tmp_path}/l.ledger -o {tmp_path}/release"
    )
    assert code == 0, err
    told = (out + err).encode() + (tmp_path / "l.ledger").read_bytes()
    told += b"".join(path.read_bytes() for path in (tmp_path / "release").iterdir() if path.is_file())
    assert not any(secret in told for secret in (b"geheim", b"anna", b"s3://"))
    assert run(f"verify {tmp_path}/release")[0] == 0
    assert run(f"split {address} --schema {tmp_path}/s.yaml -o {tmp_path}/a.parquet {tmp_path}/b.parquet")[0] == 2


def test_an_object_that_is_written_while_it_is_read_is_refused(put, tmp_path):
    address = written("parquet", tmp_path, put)
    source = open_source(address, SCHEMA)
    list(source.parts(["age"]))
    streams.write_parquet(streams.ROWS[:-1], tmp_path / "here")
    put(tmp_path / "here")
    with pytest.raises(ValueError, match="written while it was read"):
        list(source.parts(["age"]))


def test_an_object_of_the_same_size_that_is_written_later_is_refused(put, tmp_path):
    address = written("parquet", tmp_path, put)
    source = open_source(address, SCHEMA)
    list(source.parts(["age"]))
    time.sleep(1.1)  # stores tell times in seconds
    put(tmp_path / "here")
    with pytest.raises(ValueError, match="written while it was read"):
        list(source.parts(["age"]))


def test_what_is_not_in_the_store_is_refused_in_one_sentence(put, tmp_path):
    store = put(tmp_path)
    for name in ("r.xlsx", "r.sav", "r.parquet"):
        with store.open_output_stream(f"clinic/{name}") as file:
            file.write(b"no table")
    for address, message in {
        "s3://clinic/no.parquet": "does not exist: give",
        "s3://clinic/no/*.parquet": "has no file: give",
        "s3://clinic/r.xlsx": "on a disk only: copy it",
        "s3://clinic/r.sav": "on a disk only: copy it",
        "s3://clinic/r.parquet": "cannot be read as PARQUET: check",
    }.items():
        with pytest.raises(SchemaError, match=rf"^{address.replace('*', '.')} [^\n]*{message}") as caught:
            open_source(address, SCHEMA)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "address",
    [
        "s3://anna:geheim@clinic/r.parquet",
        "s3://anna:ge/geheim@clinic/r.parquet",
        " gs://anna:geheim@clinic/r.parquet",
        "s3://clinic/r.parquet?secret_key=geheim&user=anna",
        "s3://",
        "s3:///r.parquet",
    ],
)
def test_an_address_that_says_who_asks_is_refused_and_not_repeated(address):
    with pytest.raises(SchemaError, match=r"^an address in an object store is written as [^\n]*: leave") as caught:
        open_source(address, SCHEMA)
    shown = "".join(traceback.format_exception(caught.value)).replace(__file__, "")
    assert "geheim" not in shown
    assert "anna" not in shown


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_a_store_that_does_not_answer_is_told_in_one_sentence_without_what_it_said(kind, monkeypatch):
    class Silent(fs.SubTreeFileSystem):
        def get_file_info(self, path):
            raise OSError("geheim")

    monkeypatch.setattr(object_stores, "_store", lambda kind, bucket: Silent("/", fs.LocalFileSystem()))
    with pytest.raises(SchemaError, match=rf"^{kind}://clinic cannot be looked up: check") as caught:
        open_source(f"{kind}://clinic/a.csv", SCHEMA)
    assert "geheim" not in "".join(traceback.format_exception(caught.value)).replace(__file__, "")


def test_stores_are_asked_as_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    found = object_stores._store("s3", "clinic")
    assert (type(found), found.region) == (fs.S3FileSystem, "eu-west-1")
    assert type(object_stores._store("gs", "clinic")) is fs.GcsFileSystem


def test_a_folder_of_arrow_files_is_one_table(tmp_path):
    rows = streams.ROWS[["age", "ward"]]
    for name in ("a.feather", "b.arrow"):
        pa.feather.write_feather(pa.Table.from_pandas(rows[:50], preserve_index=False), tmp_path / name)
    table = open_rows(tmp_path)
    assert table["age"].to_pylist() == [*rows["age"][:50]] * 2
