"""The first minutes of a user: the version, help, a misspelt name, and data that is no file of ours."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.engines.files import open_source
from tests.structure.source import ROOT

SCHEMA = dpsynth.Schema({"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Boolean()})
BUDGET = {"epsilon": 1.0, "delta": 1e-6, "ledger": None}
COMMANDS = [
    *("fit", "sample", "evaluate", "audit", "demo", "plan", "verify"),
    *("schema draft", "schema check", "images fit", "images sample", "ledger show", "ledger verify"),
]


def test_the_version_is_the_installed_one(run):
    version = importlib.metadata.version("dpsynth")
    assert dpsynth.__version__ == version
    assert run("--version") == (0, f"dpsynth {version}\n", "")


@pytest.mark.parametrize("command", ["", *COMMANDS, "schema", "images", "ledger"])
def test_every_command_takes_the_short_form_of_help(command, run):
    code, text, _ = run(f"{command} -h".strip())
    assert code == 0
    assert "Usage: dpsynth" in text
    assert (code, text) == run(f"{command} --help".strip())[:2]


def test_the_package_runs_as_a_module():
    run = subprocess.run([sys.executable, "-m", "dpsynth", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"dpsynth {dpsynth.__version__}\n")


@pytest.mark.parametrize("name", ["canopi", "Canopy", "", "smartnoise", "external:more", "a:b"])
def test_a_misspelt_mechanism_is_refused_when_it_is_given(name):
    with pytest.raises(ValueError, match=r"one of .*canopy.*pate-gan.* got"):
        dpsynth.Synthesizer(SCHEMA, name, **BUDGET)
    with pytest.raises(ValueError, match=r"no mechanism .*image-embedding"):
        dpsynth.ImageSynthesizer(classes=2, shape=(8, 8), mechanism=name, **BUDGET)


def test_names_are_compared_without_importing_torch():
    code = """
import sys, dpsynth
schema = dpsynth.Schema({"sex": dpsynth.Boolean()})
dpsynth.Synthesizer(schema, "pate-gan", epsilon=1, delta=1e-6)
try:
    dpsynth.Synthesizer(schema, "pate", epsilon=1, delta=1e-6)
except ValueError as error:
    assert "pate-gan" in str(error)
assert not [name for name in sys.modules if name == "torch"]
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["schema.yaml", "schema.json"])
def test_a_schema_is_taken_from_its_file_and_from_what_the_file_holds(name, tmp_path):
    path = tmp_path / name
    SCHEMA.save(path)
    for given in (path, str(path), SCHEMA.to_dict(), json.loads(json.dumps(SCHEMA.to_dict()))):
        assert dpsynth.Synthesizer(given, **BUDGET).schema == SCHEMA


@pytest.mark.parametrize("given", [None, 7, [("age", 1)], {}, {"age": dpsynth.Numeric(0, 9)}, "none.yaml"], ids=repr)
def test_what_is_no_schema_is_refused_in_one_sentence(given):
    with pytest.raises((dpsynth.SchemaError, FileNotFoundError), match=r"^[^\n]+: \w+"):
        dpsynth.Synthesizer(given, **BUDGET)


ADDRESSES = [
    "postgresql://anna:geheim@db/claims",
    "mssql+pyodbc://anna:geheim@db/claims.csv",
    "host=db user=anna password=geheim",
    "Server=db;Uid=anna;PWD = geheim;",
    "https://anna:geheim@files/claims.parquet",
    "hdfs://anna:geheim@files/claims.parquet",
    "s3://anna:geheim@clinic/claims.parquet",
    "jdbc:postgresql://anna:geheim@db/claims",
    "//anna:geheim@db/claims",
    "anna:geheim@db/claims",
]


_REFUSED = r"of a kind that is not read|names a table or a query|leave these to the environment"


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_is_refused_and_not_repeated(address, kind, run):
    with pytest.raises(dpsynth.SchemaError, match=_REFUSED) as caught:
        open_source(kind(address))
    assert "geheim" not in str(caught.value)
    assert "anna" not in str(caught.value)


def test_the_command_line_does_not_repeat_an_address(run):
    code, out, err = run("schema draft postgresql://anna:geheim@db/claims -o never.yaml")
    assert code == 2
    assert "?table=" in err
    assert "geheim" not in out + err


@pytest.mark.parametrize(
    "address", ["postgresql://anna:gehe/im@db/c?table=v", "//anna:gehe/im@db", "a?password=gehe/im"]
)
@pytest.mark.parametrize(
    "line",
    ["impute {} rows.csv -o a.csv", "schema check {} s.yaml", "sample {} -o a.csv", "verify {}", "schema import {}"],
)
def test_a_command_that_wants_a_file_repeats_no_address_either(line, address, run):
    code, out, err = run(line.format(address))
    assert code != 0
    assert "gehe" not in out + err


SECRETS = [
    "postgresql://u:geheim@h/d",
    "s3://b/k?X-Amz-Signature=geheim",
    "a;AccountKey=geheim;b",
    "x?sslpassword=geheim",
    "md:x?motherduck_token=geheim",
    "x?sig=geheim&sas=1",
]


@pytest.mark.parametrize(
    "line", ["init p {}", "plan {} more", "sample m.dpsynth -n {} -o a.csv", "plan --no-{}", "plan {}"]
)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_wrong_use_repeats_no_secret(secret, line, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(line.format(secret))
    assert code != 0
    assert "geheim" not in out + err


@pytest.mark.parametrize(
    ("line", "wanted"), [("-n 1.5", "must be whole"), ("-n 3e6x", "must be whole"), ("-n nan", "must be whole")]
)
def test_a_number_of_rows_that_is_none_is_said_in_one_sentence(line, wanted, run):
    code, _, err = run(f"sample m.dpsynth {line} -o a.csv")
    assert code == 2
    assert wanted in " ".join(err.split())
    assert "2.5e5" in err


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--append", "--append is of a table, and a.csv is a file"),
        ("--format xlsx", "--format is of a folder, and"),
    ],
)
def test_an_option_of_another_kind_of_output_is_refused_and_not_passed_over(option, why, run):
    code, _, err = run(f"sample m.dpsynth -n 5 -o a.csv {option}")
    assert code == 2
    assert why in " ".join(err.split())


@pytest.mark.parametrize("name", ["folder", "folder.parquet", "part-*.parquet", "part-[0-9].csv", "p?.csv"])
def test_a_folder_and_a_pattern_are_told_from_a_file(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(dpsynth.SchemaError, match="has no file: give a folder or a pattern of the Parquet, CSV"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["a[1].csv", "a=b:c.csv", "~a.csv"])
def test_a_file_with_a_strange_name_is_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("age\n1\n")
    assert open_source(name).names == ["age"]


def test_the_home_folder_is_found(tmp_path, monkeypatch, run):
    monkeypatch.setenv("HOME", str(tmp_path))
    pd.DataFrame({"age": [30, 60] * 50, "sex": [True, False] * 50}).to_csv(tmp_path / "rows.csv", index=False)
    SCHEMA.save("~/schema.yaml")
    made = dpsynth.Synthesizer("~/schema.yaml", epsilon=1, delta=1e-6, ledger="~/a.ledger", mechanism="independent")
    made.fit("~/rows.csv").save("~/a.dpsynth")
    made.certificate.save("~/release")
    assert {path.name for path in tmp_path.iterdir()} >= {"schema.yaml", "a.ledger", "a.dpsynth", "release"}
    assert dpsynth.Synthesizer.load("~/a.dpsynth").schema == SCHEMA
    assert dpsynth.Certificate.load("~/release").record == made.certificate.record
    assert run("sample ~/a.dpsynth -n 5 --output=~/out.csv")[0] == 0
    assert (tmp_path / "out.csv").exists()
    assert dpsynth.Ledger.open(tmp_path / "a.ledger").runs()


def test_a_frame_of_another_package_is_named_with_its_package():
    other = type("LazyFrame", (), {"__module__": "polars.lazyframe.frame"})()
    once = pa.table({"a": [1]}).to_reader()
    for given, name in (
        (other, "polars.LazyFrame"),
        (once, "pyarrow.RecordBatchReader"),
        ({}, "dict"),
        (pd.Series([1]).to_numpy(), "numpy.ndarray"),
    ):
        with pytest.raises(dpsynth.SchemaError, match=f"a DataFrame of pandas or polars.*got {name}: convert it first"):
            open_source(given)
