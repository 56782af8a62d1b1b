"""Samples in blocks: the same files whatever runs beside each other, and no two rows of one name."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Categorical, Identifier, Numeric, Order, PrivacyUnit, Schema, Unique
from dpsynth.models.base import ConditionError
from dpsynth.synthesizers import block_job, blocks
from dpsynth.synthesizers.drawing import drawn_again

RNG = np.random.default_rng(2)
N = 3_000
COLUMNS = {
    "record": Identifier(),
    "code": Identifier(pattern="A-####?"),
    "number": Identifier(range=(10_000, 49_999)),
    "patient": Identifier(pattern="P######", repeats=True),
    "age": Numeric(0, 99, integer=True),
    "ward": Categorical(["north", "south"]),
    "low": Numeric(0, 9, integer=True),
    "high": Numeric(0, 9, integer=True),
}
SCHEMA = Schema(
    COLUMNS,
    unit=PrivacyUnit("patient", 4),
    constraints=[Order("low", "<=", "high"), Unique("record")],
    not_identifying=["code"],
)


def rows() -> pd.DataFrame:
    low = RNG.integers(0, 9, N)
    return pd.DataFrame(
        {
            "patient": RNG.integers(0, 900, N),
            "age": RNG.integers(0, 99, N),
            "ward": RNG.choice(["north", "south"], N, p=[0.8, 0.2]),
            "low": low,
            "high": np.minimum(9, low + RNG.integers(0, 3, N)),
        }
    )


@pytest.fixture(scope="module")
def synth():
    return dpsynth.Synthesizer(SCHEMA, epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows())


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(block_job, "ROWS_OF_A_BLOCK", 700)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("rows")}


def read(folder) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("rows*"))], ignore_index=True)


def test_files_do_not_hang_on_what_runs_beside_them(synth, tmp_path):
    written = synth.write(tmp_path / "one", 3_000, seed=7)
    for workers in (2, 5):
        synth.write(tmp_path / str(workers), 3_000, seed=7, workers=workers)
        assert contents(tmp_path / str(workers)) == contents(tmp_path / "one")
    assert [path.name for path in written.files] == [f"rows-{number}.parquet" for number in range(5)]
    assert [len(pd.read_parquet(path)) for path in written.files] == [700, 700, 700, 700, 200]
    assert {*contents(tmp_path / "one")} == {path.name for path in written.files}
    synth.write(tmp_path / "other", 3_000, seed=8)
    assert {*contents(tmp_path / "other").values()}.isdisjoint(contents(tmp_path / "one").values())


def test_no_two_rows_have_one_name_and_units_repeat_as_they_do_in_a_sample(synth, tmp_path):
    synth.write(tmp_path / "out", 3_000, seed=7)
    found, sample = read(tmp_path / "out"), synth.sample(3_000, seed=7)
    for name in ("record", "code", "number"):
        assert found[name].is_unique
    assert found.dtypes.equals(sample.dtypes)
    assert found["number"].between(10_000, 49_999).all()
    assert found["code"].str.fullmatch(r"A-\d{4}[A-Z]").all()
    sizes = [frame["patient"].value_counts().value_counts(normalize=True).sort_index() for frame in (found, sample)]
    assert sizes[0].index.max() <= 4
    assert abs(sizes[0] - sizes[1]).max() < 0.1
    one, two = (pd.read_parquet(tmp_path / "out" / f"rows-{number}.parquet") for number in (0, 1))
    assert {*one["patient"]}.isdisjoint(two["patient"])
    assert (found["low"] <= found["high"]).all()


def test_blocks_follow_the_model_as_a_sample_does(synth, tmp_path):
    synth.write(tmp_path / "out", 30_000, seed=3)
    found, sample = read(tmp_path / "out"), synth.sample(30_000, seed=3)
    for name in ("ward", "low"):
        shares = [frame[name].value_counts(normalize=True) for frame in (found, sample)]
        assert abs(shares[0] - shares[1]).max() < 0.01


def test_conditions_and_shares_hold_in_each_file(synth, tmp_path):
    asked = {"where": "age >= 50", "balance": {"ward": {"north": 0.5, "south": 0.5}}, "support": True}
    for path in synth.write(tmp_path / "out", 2_000, **asked, seed=1).files:
        found = pd.read_parquet(path)
        assert found["age"].ge(50).all()
        assert found["ward"].eq("north").sum() == len(found) // 2
        assert found["support"].ge(0).all()


def test_what_ended_early_is_finished(synth, tmp_path, monkeypatch):
    synth.write(tmp_path / "whole", 3_000, seed=7)
    real, calls = blocks.write_rows, []

    def ends_at_the_third(*args):
        calls.append(args)
        if len(calls) == 3:
            args[1].write_bytes(b"half a file")
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(blocks, "write_rows", ends_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        synth.write(tmp_path / "out", 3_000, seed=7)
    assert len(contents(tmp_path / "out")) == 2
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("rows*")}
    for other in ({"n": 3_001, "seed": 7}, {"n": 3_000, "seed": 8}, {"n": 3_000, "where": "age > 5"}):
        with pytest.raises(ValueError, match="unfinished sample that was asked for differently"):
            synth.write(tmp_path / "out", **other)
    synth.write(tmp_path / "out", 3_000)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*contents(tmp_path / "out"), "manifest.json"}


def test_a_finished_file_that_somebody_changed_is_drawn_anew(synth, tmp_path, monkeypatch):
    synth.write(tmp_path / "whole", 3_000, seed=7)
    real = blocks.write_rows

    def ends(rows, path, schema):
        if "rows-3" in path.name:
            raise KeyboardInterrupt
        real(rows, path, schema)

    monkeypatch.setattr(blocks, "write_rows", ends)
    with pytest.raises(KeyboardInterrupt):
        synth.write(tmp_path / "out", 3_000, seed=7)
    monkeypatch.setattr(blocks, "write_rows", real)
    (tmp_path / "out" / "rows-1.parquet").write_bytes(b"REAL PERSON")
    synth.write(tmp_path / "out", 3_000, seed=7)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_samples_of_other_seeds_and_blocks_share_no_source(synth, tmp_path):
    synth.write(tmp_path / "a", 1_400, seed=7)
    synth.write(tmp_path / "b", 1_400, seed=7 + 2**32)
    ages = {tuple(pd.read_parquet(path)["age"]) for path in tmp_path.rglob("rows*")}
    assert len(ages) == 4
    assert tuple(synth.sample(700, seed=7)["age"]) not in ages


def test_the_manifest_lists_each_file_and_each_can_be_drawn_again(synth, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    synth.certificate.save(out)
    synth.save(out / "model.dpsynth")
    from dpsynth.evidence.manifest import add_lines, line_of

    add_lines(out, line_of(out / "model.dpsynth", "model", model=synth.certificate.model))
    written = synth.write(out, 1_500, seed=4)
    lines = {line["name"]: line for line in json.loads((out / "manifest.json").read_text())["files"]}
    assert [lines[path.name]["block"]["first"] for path in written.files] == [0, 700, 1400]
    assert [str(outcome) for outcome in drawn_again(out) if outcome.fault or outcome.undecided] == []


@pytest.mark.parametrize("ending", ["csv", ".jsonl", "feather"])
def test_files_of_every_kind_are_written(synth, ending, tmp_path):
    written = synth.write(tmp_path / "out", 800, seed=1, format=ending)
    assert [path.suffix for path in written.files] == ["." + ending.removeprefix(".")] * 2


def test_what_cannot_be_drawn_in_blocks_is_refused_and_leaves_nothing(tmp_path):
    schema = Schema({"key": Numeric(0, 10**6, integer=True), "a": Numeric(0, 9)}, constraints=[Unique("key")])
    synth = dpsynth.Synthesizer(schema, epsilon=5, delta=1e-6, ledger=None)
    synth.fit(pd.DataFrame({"key": range(50), "a": 1.0}))
    with pytest.raises(ConditionError, match="unique among all rows"):
        synth.write(tmp_path / "out", 100)
    for wrong in ({"n": -1}, {"n": 10, "workers": 0}, {"n": 10, "format": "docx"}):
        with pytest.raises((ValueError, dpsynth.SchemaError)):
            synth.write(tmp_path / "out", **wrong)
    assert [*tmp_path.iterdir()] == []


def test_too_few_names_are_found_before_a_row_is_written(synth, tmp_path):
    with pytest.raises(dpsynth.SchemaError, match="40,000 identifiers, fewer than 40,001: draw at most 40,000"):
        synth.write(tmp_path / "out", 40_001, seed=1)
    assert [*tmp_path.iterdir()] == []


def test_rows_that_are_there_already_are_not_replaced(synth, tmp_path):
    (tmp_path / "rows-0.parquet").write_bytes(b"mine")
    with pytest.raises(ValueError, match="exists already"):
        synth.write(tmp_path, 100, seed=1)
    assert (tmp_path / "rows-0.parquet").read_bytes() == b"mine"


def test_no_rows_are_written_beside_tables_of_somebody_else(synth, tmp_path):
    (tmp_path / "visits.parquet").write_bytes(b"real")
    with pytest.raises(ValueError, match=r"has tables that no manifest\.json lists, .*: choose another folder$"):
        synth.write(tmp_path, 100, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["visits.parquet"]


def test_the_command_writes_a_folder(synth, tmp_path, run):
    synth.save(tmp_path / "m.dpsynth")
    code, out, err = run(f"sample {tmp_path}/m.dpsynth -n 1.5e3 --seed 7 --workers 2 -o {tmp_path}/out/")
    assert code == 0, err
    assert "1,500 synthetic rows in 3 files, seed 7" in out
    synth.write(tmp_path / "py", 1500, seed=7)
    assert contents(tmp_path / "out") == contents(tmp_path / "py")


def test_what_was_written_is_read_as_one_table(synth, tmp_path):
    synth.write(tmp_path / "out", 1_500, seed=3)
    again = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1)
    assert again.fit(tmp_path / "out").certificate.record["released"]["rows"] == pytest.approx(1_500, abs=50)
