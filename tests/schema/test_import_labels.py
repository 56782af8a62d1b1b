"""A data file's value labels are no public categories until a person says so: they may have been made from rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import dpsynth
from dpsynth.schema.importing import forms
from dpsynth.schema.importing.forms import import_facts
from dpsynth.schema.importing.labels import read
from dpsynth.schema.table import TODO
from tests.schema.importing import SOURCES, written

pytest.importorskip("pyreadstat", reason="SPSS and Stata files are read by the extra stat")

TOWNS = ["Bonn", "Berlin"]


def with_towns(folder: Path, towns: list[str]) -> Path:
    path = folder / "p.dta"
    pd.DataFrame({"town": pd.Categorical(towns), "age": range(len(towns))}).to_stata(path, write_index=False)
    return path


def told_apart(folder: Path) -> bool:
    """Whether one more person shows in the schema that is written."""
    drafts = [import_facts(with_towns(folder, towns))[1].draft().to_dict() for towns in (TOWNS, [*TOWNS, "CANARY"])]
    return drafts[0] != drafts[1]


def test_one_more_person_does_not_show_in_a_schema(tmp_path):
    assert not told_apart(tmp_path)


def test_an_import_that_takes_labels_in_silence_is_found(tmp_path, monkeypatch):
    stata = forms.FORMS["stata"]
    silent = forms.Form(stata.title, stata.recognised, lambda content: read(content, True))
    monkeypatch.setitem(forms.FORMS, "stata", silent)
    assert told_apart(tmp_path)


@pytest.mark.parametrize("form", ["spss", "stata"])
def test_labels_stand_in_a_note_and_become_categories_where_they_are_said_to_be_public(form, tmp_path):
    path = written(tmp_path, form)
    closed, said = import_facts(path)[1], import_facts(path, labels_public=True)[1]
    assert closed.draft().to_dict()["columns"]["sex"]["categories"] == TODO
    assert closed.notes()["sex"] == "value labels ['male', 'female'], perhaps private, not taken"
    assert said.draft().to_dict()["columns"]["sex"]["categories"] == ["male", "female"]
    assert "sex" in closed.labelled
    assert said.labelled == ()


def test_a_category_that_several_labels_say_is_listed_once_and_an_empty_label_is_none(tmp_path):
    path = with_towns(tmp_path, ["1", "01", "", "b"])
    categories = import_facts(path, labels_public=True)[1].draft().to_dict()["columns"]["town"]["categories"]
    assert categories == ["01", "b"]


def test_a_schema_of_labels_needs_a_word_in_python(tmp_path):
    path = tmp_path / "p.dta"
    pd.DataFrame({"town": pd.Categorical(TOWNS)}).to_stata(path, write_index=False)
    with pytest.raises(dpsynth.SchemaError, match="value labels of 'town' may have been made from the rows") as caught:
        dpsynth.Schema.from_file(path)
    assert "Bonn" not in str(caught.value)
    schema = dpsynth.Schema.from_file(path, labels_public=True)
    assert schema.columns["town"] == dpsynth.Categorical(["Berlin", "Bonn"], nullable=True)


def test_the_command_says_why_and_takes_labels_on_request(tmp_path, run):
    path = with_towns(tmp_path, TOWNS)
    code, out, _ = run(f"schema import {path} -o {tmp_path / 'a.yaml'}")
    assert code == 0
    assert "made from its rows" in out
    assert "--labels-are-public" in out
    assert "Bonn" not in (tmp_path / "a.yaml").read_text()
    code, out, _ = run(f"schema import {path} -o {tmp_path / 'b.yaml'} --labels-are-public")
    assert code == 0
    assert "--labels-are-public" not in out
    assert "Bonn" in (tmp_path / "b.yaml").read_text()


@pytest.mark.parametrize("form", sorted({*SOURCES} - {"sql"}))
def test_a_dictionary_without_rows_has_no_such_labels(form, tmp_path):
    with pytest.raises(dpsynth.SchemaError, match="is no data file with labels: leave out --labels-are-public"):
        import_facts(written(tmp_path, form), labels_public=True)
