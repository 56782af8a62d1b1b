"""Mixed tables hold all real rows and the share asked for, and no command takes them for anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth import Numeric, Schema, Synthesizer
from dpsynth.base.real_records import STAMP
from dpsynth.data.engines import source
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.tables.mixing import mix, stamped
from dpsynth.data.tables.writing import write_rows
from dpsynth.schema.files import FileFormat

REAL = pd.DataFrame({"a": np.arange(30), "b": np.arange(30) / 2})
DRAWN = pd.DataFrame({"b": np.arange(100) / 4, "a": np.arange(1000, 1100)})
SCHEMA = Schema({"a": Numeric(0, 2000, integer=True), "b": Numeric(0, 100)})


@pytest.mark.parametrize(("share", "synthetic"), [(0, 0), (0.25, 10), (0.5, 30), (0.75, 90), (0.01, 0)])
def test_all_real_rows_are_there_and_the_share_of_synthetic_ones(share, synthetic) -> None:
    mixed = mix(REAL, DRAWN, share=share, seed=1)
    assert len(mixed) == 30 + synthetic
    assert sorted(mixed["a"][mixed["a"] < 1000]) == [*range(30)]
    assert mixed["a"].is_unique
    assert list(mixed) == ["a", "b", STAMP]
    assert mixed[STAMP].all()
    pd.testing.assert_frame_equal(mixed, mix(REAL, DRAWN, share=share, seed=1))


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan"), True])
def test_another_share_is_refused(share) -> None:
    with pytest.raises(ValueError, match="share must be"):
        mix(REAL, DRAWN, share=share)


def test_what_cannot_be_mixed_is_one_sentence_that_does_not_count_real_rows() -> None:
    for real, drawn, share, said in (
        (REAL, DRAWN[["a"]], 0.5, "differ in 1 columns"),
        (REAL, DRAWN, 0.99, "100 synthetic rows are too few"),
        (stamped(REAL), stamped(DRAWN), 0.5, STAMP),
    ):
        with pytest.raises(dpsynth.SchemaError, match=said) as caught:
            mix(real, drawn, share=share)
        assert "30" not in str(caught.value)


def writers():
    def with_metadata_alone(rows, path):
        rows.drop(columns=STAMP).to_parquet(path)

    return {
        "csv": (".csv", lambda rows, path: rows.to_csv(path, index=False)),
        "semicolons": (".csv", lambda rows, path: rows.to_csv(path, index=False, sep=";")),
        "gzip": (".csv.gz", lambda rows, path: rows.to_csv(path, index=False)),
        "parquet": (".parquet", lambda rows, path: rows.to_parquet(path)),
        "arrow": (".parquet", lambda rows, path: pa.parquet.write_table(pa.table(rows), path)),
        "metadata alone": (".parquet", with_metadata_alone),
    }


@pytest.mark.parametrize("kind", writers())
def test_the_stamp_outlives_a_file_and_is_refused_wherever_a_table_is_read(tmp_path, kind) -> None:
    ending, write = writers()[kind]
    path = tmp_path / f"mixed{ending}"
    write(mix(REAL, DRAWN, share=0.5, seed=1), path)
    synth = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None)
    for use in (
        lambda: synth.fit(path),
        lambda: dpsynth.evaluate(path, REAL, SCHEMA),
        lambda: dpsynth.audit(path, REAL, REAL, schema=SCHEMA),
        lambda: mix(path, DRAWN, share=0.5),
    ):
        with pytest.raises(dpsynth.SchemaError, match=STAMP):
            use()


def test_a_frame_is_refused_too_and_one_without_the_stamp_is_not(monkeypatch) -> None:
    mixed = mix(REAL, DRAWN, share=0.5, seed=1)
    synth = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None)
    for table in (mixed, mixed.drop(columns=STAMP), pa.table(mixed)):
        with pytest.raises(dpsynth.SchemaError, match=STAMP):
            synth.fit(table)
    synth.fit(REAL)
    monkeypatch.setattr(source, "carries", lambda names, attrs: False)
    synth.fit(mixed.drop(columns=STAMP))  # the double that does not look at the stamp


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_a_stamped_record_of_json_lines_is_refused_by_all_who_read_it(ending: str, tmp_path: Path) -> None:
    """A fit learns of it with its rows, as which keys a record has is a part of the record."""
    rows, path = mix(REAL, DRAWN, share=0.5, seed=1), tmp_path / f"r{ending}"
    rows.to_json(path, orient="records", lines=True)
    for use in (
        lambda: dpsynth.evaluate(path, REAL, SCHEMA),
        lambda: dpsynth.audit(path, REAL, REAL, schema=SCHEMA),
        lambda: mix(path, DRAWN, share=0.5, schema=SCHEMA),
    ):
        with pytest.raises(dpsynth.SchemaError, match=STAMP):
            use()
    synth = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None)
    with pytest.raises(dpsynth.RowsError):
        synth.fit(path)
    rows.drop(columns=STAMP).to_json(path, orient="records", lines=True)
    synth.fit(path)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_stamped_table_is_not_written_without_the_line_that_names_the_stamp(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="Excel files need openpyxl")
    rows, path = mix(REAL, DRAWN, share=0.5, seed=1), tmp_path / f"r{ending}"
    bare = Schema(SCHEMA.columns, file=FileFormat(header=False))
    for table in (rows, rows.drop(columns=STAMP)):
        with pytest.raises(dpsynth.SchemaError, match=f"would have no header line, and so no stamp .{STAMP}. of rows"):
            write_rows(table, path, bare)
        assert not path.exists()
    write_rows(rows, tmp_path / "r.parquet", bare)
    write_rows(rows, path, SCHEMA)
    for file in (tmp_path / "r.parquet", path):
        with pytest.raises(dpsynth.SchemaError, match=STAMP):
            open_source(file, bare if file.suffix == ".parquet" else SCHEMA)
    write_rows(DRAWN, path, bare)


def test_a_sheet_without_names_that_another_program_stamped_is_not_read(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="Excel files need openpyxl")
    rows = mix(REAL, DRAWN, share=0.5, seed=1)
    bare = Schema(SCHEMA.columns, file=FileFormat(header=False))
    rows.to_excel(tmp_path / "r.xlsx", index=False, header=False)
    with pytest.raises(dpsynth.SchemaError, match="has columns that the schema has not: declare them"):
        dpsynth.evaluate(tmp_path / "r.xlsx", REAL, bare)
    rows.drop(columns=STAMP).to_excel(tmp_path / "r.xlsx", index=False, header=False)
    assert len(open_rows(tmp_path / "r.xlsx", bare)) == 60


@pytest.mark.parametrize("ending", [".feather", ".xlsx"])
def test_a_stamped_table_in_another_kind_of_file_is_refused_too(ending: str, tmp_path: Path) -> None:
    rows = mix(REAL, DRAWN, share=0.5, seed=1)
    if ending == ".xlsx":
        pytest.importorskip("openpyxl", reason="Excel files need openpyxl")
        rows.to_excel(tmp_path / "r.xlsx", index=False)
    else:
        rows.drop(columns=STAMP).to_feather(tmp_path / "r.feather")
    with pytest.raises(dpsynth.SchemaError, match=STAMP):
        open_source(tmp_path / f"r{ending}", SCHEMA)
