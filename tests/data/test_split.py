"""A holdout by unit: everybody is on one side, always the same, and lines are copied as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth import PrivacyUnit
from dpsynth.data.engines.files import open_rows
from dpsynth.data.tables.split import in_holdout, split_file

PEOPLE = dpsynth.Schema({"x": dpsynth.Numeric(0, 9)}, unit=dpsynth.PrivacyUnit("pid", 3))
ROWS = dpsynth.Schema({"x": dpsynth.Numeric(0, 9)})


def table(n: int = 2000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"pid": rng.integers(0, 400, n), "x": rng.integers(0, 9, n)})


def split(tmp_path, data, schema=PEOPLE, **facts):
    paths = [tmp_path / f"{name}{data.suffix}" for name in ("train", "holdout")]
    for path in paths:
        path.unlink(missing_ok=True)
    split_file(data, schema, *paths, **{"share": 0.3, "seed": 1, **facts})
    return paths


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_all_rows_of_a_unit_are_on_one_side_in_their_order(ending, tmp_path):
    rows = table()
    data = tmp_path / f"rows{ending}"
    rows.to_csv(data, index=False) if ending == ".csv" else rows.to_parquet(data)
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    train, holdout = map(read, split(tmp_path, data))
    assert set(train["pid"]).isdisjoint(holdout["pid"])
    held = rows["pid"].isin(holdout["pid"])
    pd.testing.assert_frame_equal(train, rows[~held].reset_index(drop=True))
    pd.testing.assert_frame_equal(holdout, rows[held].reset_index(drop=True))


def test_the_side_of_a_unit_hangs_on_its_id_and_the_seed_alone():
    rows = table()
    sides = dict(zip(rows["pid"], in_holdout(rows, PrivacyUnit("pid"), 0.3, 1), strict=True))
    more = pd.concat([table(seed=5), rows]).sample(frac=1, random_state=0)
    for other in (rows[::-1], more, rows.astype({"pid": float}), rows.astype({"pid": str}), pa.table(rows)):
        ids = other["pid"].to_pylist() if isinstance(other, pa.Table) else other["pid"]
        for pid, held in zip(ids, in_holdout(other, PrivacyUnit("pid"), 0.3, 1), strict=True):
            assert sides.get(int(float(pid)), held) == held
    again = dict(zip(rows["pid"], in_holdout(rows, PrivacyUnit("pid"), 0.3, 2), strict=True))
    assert 0.2 < np.mean([sides[pid] != again[pid] for pid in sides]) < 0.65  # 2 * 0.3 * 0.7 = 0.42, 400 units


def test_a_larger_share_holds_out_the_same_units_and_more():
    rows = table()
    before = in_holdout(rows, PrivacyUnit("pid"), 0.05, 1)
    for share in (0.2, 0.5, 0.9):
        after = in_holdout(rows, PrivacyUnit("pid"), share, 1)
        assert not (before & ~after).any()
        before = after


@pytest.mark.parametrize("id_column", ["pid", None])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_about_the_share_of_units_is_held_out(id_column, share):
    rows = pd.DataFrame({"pid": range(20_000)})
    held = in_holdout(rows, PrivacyUnit(id_column), share, 3)
    sigma = np.sqrt(share * (1 - share) / len(rows))
    assert abs(held.mean() - share) < 5 * sigma  # a fixed seed: no chance of a false alarm
    assert abs(held.mean() - share) > 0


def test_rows_without_an_id_are_one_unit():
    rows = pd.DataFrame({"pid": [None] * 50 + ["a"] * 5})
    held = in_holdout(rows, PrivacyUnit("pid"), 0.5, 1)
    assert len(set(held[:50])) == 1


LINES = (
    b'\xef\xbb\xbfpid,name,x\r\n1,"a ""b"", c",0\r\n2,"two\nlines",01\r\n3,caf\xe9,  1.50\r\n4,,\r\n5,"",2\r\n6,last,3'
)


def test_the_lines_of_a_csv_file_are_copied_byte_by_byte(tmp_path):
    data = tmp_path / "rows.csv"
    data.write_bytes(LINES)
    train, holdout = split(tmp_path, data, ROWS, share=0.4, seed=1)
    header = LINES[: LINES.index(b"\n") + 1]
    parts = [path.read_bytes().removeprefix(header) for path in (train, holdout)]
    assert all(path.read_bytes().startswith(header) for path in (train, holdout))
    rest = LINES.removeprefix(header) + b"\n"
    whole = [b'1,"a ""b"", c",0\r\n', b'2,"two\nlines",01\r\n', *(line + b"\n" for line in rest.split(b"\n")[3:-1])]
    assert b"".join(whole) == rest
    for record in whole:
        assert sum(record in part for part in parts) == 1
    assert sum(map(len, parts)) == len(rest)
    assert all(parts)


@pytest.mark.parametrize("text", [b'pid,x\n1,a"b\n2,c\n3,d"\n4,e\n', b"pid,x\r1,2\r3,4\r5,6\r"])
def test_lines_that_cannot_be_told_apart_are_refused_and_nothing_is_left(text, tmp_path):
    data = tmp_path / "rows.csv"
    data.write_bytes(text)
    with pytest.raises(dpsynth.SchemaError, match=r"write the table as \.parquet first"):
        split(tmp_path, data, ROWS, share=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_as_many_pieces_as_records_of_which_two_are_torn_are_refused(tmp_path):
    """A quote inside of a value joins two records, and the line break of the second one parts them elsewhere."""
    data = tmp_path / "rows.csv"
    data.write_bytes(b'pid,x,y\n1,c,d\n2,a"b,c\n3,"two\nlines","d"\n')
    held = in_holdout(open_rows(data), PrivacyUnit(), 0.5, 3)
    assert held[1] != held[2]
    with pytest.raises(dpsynth.SchemaError, match=r"write the table as \.parquet first"):
        split(tmp_path, data, ROWS, share=0.5, seed=3)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share, tmp_path):
    data = tmp_path / "rows.csv"
    table().to_csv(data, index=False)
    with pytest.raises(ValueError, match="share of the holdout must lie strictly between 0 and 1"):
        split(tmp_path, data, share=share)


def test_a_side_without_rows_is_refused(tmp_path):
    data = tmp_path / "rows.csv"
    pd.DataFrame({"pid": [1, 1], "x": [1, 2]}).to_csv(data, index=False)
    with pytest.raises(ValueError, match="all rows would be on one side"):
        split(tmp_path, data)


def test_what_exists_is_not_overwritten_and_both_parts_are_of_the_datas_kind(tmp_path):
    data = tmp_path / "rows.csv"
    table().to_csv(data, index=False)
    whole = data.read_bytes()
    free = tmp_path / "free.csv"
    for train, holdout, word in (
        (data, free, "exists already"),
        (free, data, "exists already"),
        (free, free, "give each its own place"),
        (free, tmp_path / "holdout.parquet", "must end in .csv"),
    ):
        with pytest.raises(ValueError, match=word):
            split_file(data, PEOPLE, train, holdout, share=0.5, seed=1)
        assert not free.exists()
    assert data.read_bytes() == whole


def test_a_table_without_the_units_column_is_refused(tmp_path):
    data = tmp_path / "rows.csv"
    table().drop(columns="pid").to_csv(data, index=False)
    with pytest.raises(dpsynth.SchemaError, match="lacks 'pid', which says whose record a row is"):
        split(tmp_path, data)


CODES = dpsynth.Schema({"größe": dpsynth.Numeric(0, 99, integer=True), "ort": dpsynth.Categorical(["Köln", "a;b\nc"])})
FORMS = {
    "gzip": ({}, "gzip"),
    "zstd of cp1252 between semicolons": ({"encoding": "cp1252", "delimiter": ";"}, "zstd"),
    "no header": ({"header": False}, None),
    "no header below two lines": ({"header": False, "skip_lines": 2}, "gzip"),
    "UTF-16 with its mark": ({"encoding": "utf-16", "delimiter": "\t"}, None),
    "UTF-16 without its mark, compressed": ({"encoding": "utf-16-le", "quote": "'"}, "zstd"),
}


@pytest.mark.parametrize(("form", "packed"), FORMS.values(), ids=FORMS.keys())
def test_each_record_of_a_file_in_any_form_is_in_one_part_in_the_same_form(form, packed, tmp_path):
    schema = dpsynth.Schema(CODES.columns, file=dpsynth.FileFormat(**form))
    quote, sign = form.get("quote", '"'), form.get("delimiter", ",")
    above = "Report\n" * schema.file.skip_lines + f"größe{sign}ort\n" * schema.file.header
    records = [f"{i}{sign}{(f'{quote}a;b{chr(10)}c{quote}', 'Köln')[i % 2]}\n" for i in range(40)]
    whole = (above + "".join(records)).encode(schema.file.encoding or "utf-8")
    data = tmp_path / {None: "r.csv", "gzip": "r.csv.gz", "zstd": "r.csv.zst"}[packed]
    data.write_bytes(whole if packed is None else pa.compress(whole, packed, asbytes=True))
    ends = data.name.removeprefix("r")
    train, holdout = tmp_path / f"train{ends}", tmp_path / f"holdout{ends}"
    split_file(data, schema, train, holdout, share=0.4, seed=1)
    held = in_holdout(open_rows(data, schema), PrivacyUnit(), 0.4, 1)
    for path, here in ((train, ~held), (holdout, held)):
        assert open_rows(path, schema).equals(open_rows(data, schema).filter(pa.array(here)))
        raw = path.read_bytes()
        if packed is not None:
            assert raw[:2] == data.read_bytes()[:2]
            raw = pa.input_stream(path, compression=packed).read()
        kept = "".join(record for record, at in zip(records, here, strict=True) if at)
        assert raw == (above + kept).encode(schema.file.encoding or "utf-8")


def test_both_parts_are_compressed_as_the_table_is_called(tmp_path):
    data = tmp_path / "r.csv.gz"
    data.write_bytes(pa.compress(b"x\n1\n2\n", "gzip", asbytes=True))
    with pytest.raises(ValueError, match=r"must end in \.csv\.gz, as .* does"):
        split_file(data, ROWS, tmp_path / "a.csv", tmp_path / "b.csv.gz", share=0.5, seed=1)
