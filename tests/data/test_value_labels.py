"""Value labels of SPSS and Stata: what a row says hangs on no other row, nor does whether a file can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.data.engines import statistical
from dpsynth.data.engines.files import open_rows
from dpsynth.data.engines.labels import labels_of
from dpsynth.data.tables.check import check_rows
from dpsynth.data.tables.codec import encode_frame
from dpsynth.door.ids import units
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric, SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema
from tests.data.kinds import codes_of

pyreadstat = pytest.importorskip("pyreadstat", reason="SPSS and Stata files need pyreadstat")

N = {"nullable": True}
TEXTS: dict[str, tuple[Column, Sequence[str]]] = {
    "categories that look like codes": (Categorical(["0", "1", "2"], **N), ["0", "2", "x"]),
    "one category": (Categorical(["x"], other="x"), ["b", "x", "y"]),
    "without case": (Categorical(["Yes", "no"], ignore_case=True, **N), ["YES", "no", "2"]),
    "a missing marker": (Categorical(["1", "2"], missing_marker="none", **N), ["1", "none", "0"]),
    "truths": (Boolean(**N), ["0", "1", "yes", "no"]),
    "other truths": (Boolean(true=[1], false=[2], **N), ["2", "1", "z"]),
    "whole numbers": (Numeric(0, 120, integer=True, **N), ["40", "50", "60", "x"]),
    "decimal commas": (Numeric(0, 9, decimals=1, decimal=",", **N), ["1,5", "2", "3,0"]),
    "dates": (Datetime("2020-01-01", "2020-12-31", **N), ["2020-02-01", "2020-03-01", "1"]),
    "dates in German": (Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y", **N), ["01.02.2020", "3", "x"]),
}
MORE = ("", "!", "0", "1", "2", "20", "20,5", "2020-01-15", "a", "zz", "\u00fc")
"""What one more row says: it comes before, between or after the others in the order of texts."""


def numbered(texts: Sequence[str], folder: Path, ending: str) -> Path:
    """A file whose codes number the texts that occur, as pandas, R and Stata's encode do it."""
    path, column = folder / f"r.{ending}", pd.Series(texts, name="v").astype("category")
    if ending == "dta":
        column.to_frame().to_stata(path, write_index=False, version=118)
        return path
    codes = pd.DataFrame({"v": column.cat.codes.astype(float)})
    labels = {"v": dict(enumerate(column.cat.categories))}
    pyreadstat.write_sav(codes, str(path), variable_value_labels=labels)
    return path


def moved(column: Column, texts: Sequence[str], folder: Path, ending: str) -> int:
    """Of how many rows at most the code changes when one other row comes."""
    schema, most = Schema({"v": column}), 0
    before = codes_of(numbered(texts, folder, ending), schema)["v"]
    for more in MORE:
        after = codes_of(numbered([*texts, more], folder, ending), schema)["v"]
        assert len(after) == len(texts) + 1
        most = max(most, int((after[:-1] != before).sum()))
    return most


@pytest.mark.parametrize("ending", ["dta", "sav"])
@pytest.mark.parametrize("what", TEXTS)
def test_a_row_that_comes_changes_no_code_of_another(what, ending, tmp_path):
    column, texts = TEXTS[what]
    assert moved(column, [*texts] * 5, tmp_path, ending) == 0


@pytest.mark.parametrize("ending", ["dta", "sav"])
@pytest.mark.parametrize("what", TEXTS)
def test_a_labelled_code_says_what_its_text_says_in_a_frame(what, ending, tmp_path):
    column, texts = TEXTS[what]
    schema, all_texts = Schema({"v": column}), [*texts, *MORE]
    meant = encode_frame(pd.DataFrame({"v": [text or None for text in all_texts]}), schema)["v"]
    np.testing.assert_array_equal(codes_of(numbered(all_texts, tmp_path, ending), schema)["v"], meant)


def declared_alone(found, decode):
    """Labels in the place of codes where the schema has the label, as "0", "1" and "2"."""
    return {code: label for code, label in labels_of(found, decode).items() if label in ("0", "1", "2")}


BROKEN: dict[str, tuple[Callable[..., Any], str]] = {
    "labels that are declared, and other codes": (declared_alone, "categories that look like codes"),
    "codes of truths": (lambda found, decode: {}, "truths"),
    "codes of numbers": (lambda found, decode: {}, "whole numbers"),
}


@pytest.mark.parametrize(("double", "what"), BROKEN.values(), ids=BROKEN.keys())
def test_a_reader_that_takes_codes_for_values_is_found(double, what, tmp_path, monkeypatch):
    monkeypatch.setattr(statistical, "labels_of", double)
    column, texts = TEXTS[what]
    assert moved(column, [*texts] * 5, tmp_path, "dta") > 1


CODES = [0.0, 1.0, 2.0, 0.5, 1.5, -1.0, 2.0**53, 1e-7, 1234.5, 20200101.0, None]
CODED: dict[str, Column] = {
    "categories": Categorical(["0", "1.5", "02", "2", "0.5"], **N),
    "numeric categories": Categorical([0, 1.5, -1], other=0),
    "truths": Boolean(**N),
    "numbers": Numeric(-9, 2000, decimals=1, **N),
    "decimal commas": Numeric(-9, 2000, decimals=1, decimal=",", **N),
    "with thousands": Numeric(-9, 2000, decimals=1, decimal=",", thousands=".", **N),
    "dates": Datetime("2020-01-01", "2020-12-31", format="%Y%m%d", **N),
}


def coded(folder: Path, labels: dict[str, dict[float, str]]) -> Path:
    rows = pd.DataFrame({"v": CODES, "pid": CODES})
    pyreadstat.write_sav(rows, str(folder / "r.sav"), variable_value_labels=labels)
    return folder / "r.sav"


ELSEWHERE = {"v": {99.0: "of nobody here"}, "pid": {99.0: "x"}}


def apart(column: Column, folder: Path) -> bool:
    """Whether codes without a label are read in another way where another code has one."""
    schema = Schema({"v": column}, unit=dpsynth.PrivacyUnit("pid"))
    plain, labelled = (open_rows(coded(folder, labels), schema) for labels in ({}, ELSEWHERE))
    same_ids = units(plain["pid"])[0] == units(labelled["pid"])[0]
    return not same_ids or (encode_frame(plain, schema)["v"] != encode_frame(labelled, schema)["v"]).any()


@pytest.mark.parametrize("what", CODED)
def test_a_label_of_another_code_changes_nothing(what, tmp_path):
    assert not apart(CODED[what], tmp_path)


def test_a_reader_that_writes_numbers_with_another_decimal_mark_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(statistical, "_number_writer", lambda column: statistical.number_text)
    assert apart(CODED["with thousands"], tmp_path)


DATED: dict[str, Column] = {
    "dates": Datetime("2020-01-01", "2020-12-31", zone="Europe/Berlin", **N),
    "dates in German": Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y", **N),
    "numbers": Numeric(0, 9, **N),
    "categories": Categorical(["2020-01-31T00:00:00", "of nobody here"], **N),
}


def dated(folder: Path, labels: dict[date, str], last: float | None = None) -> Path:
    """Days in January, of which the last is replaced by this number of seconds."""
    days = pd.DataFrame({"v": [date(2020, 1, 31), None, date(2020, 1, 1)]})
    path = folder / "d.sav"
    pyreadstat.write_sav(days, str(path), variable_value_labels={"v": labels})
    seconds = (np.datetime64("2020-01-01", "s") - np.datetime64("1582-10-14", "s")).astype(float)
    return path if last is None else damaged(path, seconds.tobytes(), np.float64(last).tobytes())


@pytest.mark.parametrize("what", DATED)
def test_a_label_of_another_time_changes_nothing(what, tmp_path):
    schema = Schema({"v": DATED[what]})
    plain, labelled = (
        codes_of(dated(tmp_path, labels), schema)["v"] for labels in ({}, {date(2020, 3, 3): "2020-02-01"})
    )
    np.testing.assert_array_equal(plain, labelled)


def test_a_labelled_time_is_its_label(tmp_path):
    path = dated(tmp_path, {date(2020, 1, 1): "2020-02-01", date(2020, 1, 31): "x"})
    column = Datetime("2020-01-01", "2020-12-31", **N)
    assert (
        codes_of(path, Schema({"v": column}))["v"].tolist()
        == encode_frame(pd.DataFrame({"v": ["x", None, "2020-02-01"]}), Schema({"v": column}))["v"].tolist()
    )


@pytest.mark.parametrize("labels", [{}, {date(2020, 3, 3): "x"}], ids=["no label", "a label"])
@pytest.mark.parametrize("what", DATED)
def test_a_time_beyond_all_years_is_no_error_and_changes_no_other_row(what, labels, tmp_path):
    schema = Schema({"v": DATED[what]})
    before = codes_of(dated(tmp_path, labels), schema)["v"]
    after = codes_of(dated(tmp_path, labels, 1e16), schema)["v"]
    np.testing.assert_array_equal(before[:2], after[:2])


@pytest.mark.parametrize("what", CODED)
def test_labels_are_never_looked_at_where_codes_are_declared(what, tmp_path):
    schema = Schema({"v": CODED[what], "pid": dpsynth.Identifier()}, file=FileFormat(value_labels="codes"))
    meant = encode_frame(pd.DataFrame({"v": pd.Series(CODES, dtype=float)}), Schema({"v": CODED[what]}))["v"]
    for labels in ({}, ELSEWHERE, {"v": {0.0: "2", 1.0: "no", 1234.5: "0"}}):
        np.testing.assert_array_equal(codes_of(coded(tmp_path, labels), schema)["v"], meant)


def test_an_undeclared_label_is_an_undeclared_value(tmp_path):
    schema = Schema({"v": Numeric(0, 9, **N), "pid": dpsynth.Identifier()})
    found = check_rows(open_rows(coded(tmp_path, {"v": {1.0: "x", 2.0: "y"}}), schema), schema)
    assert (found[0].undeclared, found[0].missing) == (2, 1)


def damaged(path: Path, old: bytes, new: bytes) -> Path:
    raw = path.read_bytes()
    assert raw.count(old) == 1
    path.write_bytes(raw.replace(old, new))
    return path


def unreadable(folder: Path) -> list[Path]:
    """Files with one label whose bytes say nothing in the file's encoding."""
    frame = pd.DataFrame({"v": pd.Categorical(["a", "q~q", "a"])})
    frame.to_stata(folder / "old.dta", write_index=False, version=114)
    frame.to_stata(folder / "new.dta", write_index=False, version=118)
    numbered(["a", "q~q", "a"], folder, "sav")
    places = (folder / "old.dta", folder / "new.dta", folder / "r.sav")
    return [damaged(path, b"q~q", b"q\x81q") for path in places]


def test_a_label_that_cannot_be_read_is_no_error_and_changes_no_other_row(tmp_path):
    for path in unreadable(tmp_path):
        assert codes_of(path, Schema({"v": Categorical(["a"], **N)}))["v"].tolist() == [0, 1, 0], path


def test_a_reader_that_decodes_labels_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(statistical, "_BYTES", "UTF-8")
    for path in unreadable(tmp_path):
        with pytest.raises(SchemaError, match="cannot be read"):
            open_rows(path, Schema({"v": Categorical(["a"], **N)}))


def test_a_bad_label_does_not_hide_the_encoding_of_a_file(tmp_path):
    path = numbered(["a", "q~q"], tmp_path, "sav")
    reader = pyreadstat.read_sav
    assert statistical._stated_encoding(path, reader) == "UTF-8"
    assert statistical._stated_encoding(damaged(path, b"q~q", b"q\x81q"), reader) == "UTF-8"


@pytest.mark.parametrize("ending", ["dta", "sav"])
def test_names_that_are_not_ascii_are_read(ending, tmp_path):
    frame, path = pd.DataFrame({"gr\u00f6\u00dfe": [1.0, 2.0]}), tmp_path / f"r.{ending}"
    getattr(pyreadstat, f"write_{ending}")(frame, str(path))
    schema = Schema({"gr\u00f6\u00dfe": Numeric(0, 9, integer=True)})
    assert codes_of(path, schema)["gr\u00f6\u00dfe"].tolist() == [1, 2]


@pytest.mark.parametrize("extra", [[], ["1"]])
def test_whether_a_value_occurs_does_not_decide_whether_a_file_is_fitted(extra, tmp_path):
    path = numbered([*["0", "2"] * 50, *extra], tmp_path, "dta")
    synth = dpsynth.Synthesizer(
        Schema({"v": Categorical(["0", "1", "2"])}), "independent", epsilon=1.0, delta=1e-6, ledger=None
    )
    assert len(synth.fit(path).sample(5, seed=1)) == 5


def test_another_word_for_how_labels_are_read_is_refused():
    with pytest.raises(SchemaError, match=r"value_labels must be one of \['read', 'codes'\], got 'labels': choose one"):
        FileFormat(value_labels="labels")
