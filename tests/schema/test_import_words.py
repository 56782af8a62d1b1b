"""What people write into the lines of a data dictionary: labels, types, ranges, codes and markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpsynth.schema.importing.facts import Imported
from dpsynth.schema.importing.forms import import_facts
from dpsynth.schema.importing.reading import ends_of_range, lists_codes, numbered_codes


def imported(folder: Path, *lines: str) -> Imported:
    (folder / "dictionary.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return import_facts(folder / "dictionary.csv")[1]


def entries(folder: Path, *lines: str) -> dict[str, dict[str, Any]]:
    return imported(folder, *lines).draft().to_dict()["columns"]


def test_a_label_that_says_what_a_column_is_is_no_category(tmp_path: Path):
    found = entries(
        tmp_path,
        "Variable,Label,Type,Minimum,Maximum,Value labels",
        'age,"Age, in years",integer,0,120,',
        'sex,Sex of the patient,categorical,,,"F=female, M=male"',
        'dead,"0=alive, 1=dead",categorical,,,',
    )
    assert found["age"] == {"type": "numeric", "low": 0, "high": 120, "integer": True, "nullable": True}
    assert found["sex"]["categories"] == ["F", "M"]
    assert found["dead"]["categories"] == "TODO"  # another title lists codes


def test_a_label_that_lists_codes_is_taken_where_no_other_title_does(tmp_path: Path):
    found = entries(tmp_path, "name,type,label", 'dead,,"0=alive, 1=dead"', "age,integer,Age in years")
    assert found["dead"]["categories"] == ["0", "1"]
    assert found["age"]["type"] == "numeric"


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("Age in years", False),
        ("Age, in years", False),
        ("time in days; censored at 3000", False),
        ("0=alive, 1=dead", True),
        ("f|m", True),
        ("1: low; 2: high", True),
        ("body mass index = weight / height", False),
    ],
)
def test_a_description_lists_no_codes(text: str, lists: bool):
    assert lists_codes(text) is lists


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0/1", [0, 1]),
        ("1 yes; 2 no", [1, 2]),
        ("(1) low, (2) high", [1, 2]),
        ("0; 0.5; 1", [0, 0.5, 1]),
        ("-9 = unknown | 1 = a", [-9, 1]),
        ("Age in years", None),
        ("12 kg/m2 and more", None),
        ("yes; no", None),
    ],
)
def test_the_codes_of_a_column_of_numbers_are_numbers(text: str, found: list[float] | None):
    assert numbered_codes(text) == found


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("0-120", ("0", "120")),
        ("-20 to 45", ("-20", "45")),
        ("0..1.5", ("0", "1.5")),
        ("[1 - 10]", ("1", "10")),
        ("1-2-3", None),
        ("0,1", None),
    ],
)
def test_a_range_has_two_ends(text: str, ends: tuple[str, str] | None):
    assert ends_of_range(text) == ends


def test_a_type_of_numbers_holds_whatever_the_labels_say(tmp_path: Path):
    found = imported(
        tmp_path,
        "name,type,min,max,values",
        "age,int,,,0-120",
        "stage,int,,,0/1",
        "pulse,integer,20,250,beats a minute",
        "wing,string,,,0/1",
    )
    columns = found.draft().to_dict()["columns"]
    assert columns["age"] == {"type": "numeric", "low": 0, "high": 120, "integer": True, "nullable": True}
    assert columns["stage"]["categories"] == [0, 1]
    assert columns["pulse"] == {"type": "numeric", "low": 20, "high": 250, "integer": True, "nullable": True}
    assert columns["wing"]["categories"] == ["0/1"]
    assert found.notes() == {"pulse": "its type says numbers, and its labels do not: they are left out"}


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("number, 1 decimal", {"decimals": 1}),
        ("decimal(8, 2)", {"decimals": 2}),
        ("numeric(10,0)", {"integer": True}),
        ("int(11)", {"integer": True}),
        ("numeric", {"integer": "TODO"}),
    ],
)
def test_a_type_says_how_finely_numbers_are_kept(said: str, fact: dict[str, Any], tmp_path: Path):
    found = entries(tmp_path, "name;type;low;high", f"x;{said};0;9")["x"]
    assert found == {"type": "numeric", "low": 0, "high": 9, "nullable": True, **fact}


def test_bounds_beside_an_unknown_type_are_kept(tmp_path: Path):
    found = imported(tmp_path, "name,type,low,high", "x,quux,0,9", "y,quux,,")
    columns = found.draft().to_dict()["columns"]
    assert (columns["x"]["type"], columns["x"]["high"], columns["y"]) == ("numeric", 9, {"type": "TODO"})
    assert "numeric is taken for it, by the bounds" in found.notes()["x"]


def test_several_missing_markers_are_named_and_none_is_taken(tmp_path: Path):
    found = imported(tmp_path, "name,type,low,high,missing", 'x,integer,0,9,"-9; -8"', "y,integer,0,9,-9")
    columns = found.draft().to_dict()["columns"]
    assert "missing_marker" not in columns["x"]
    assert columns["y"]["missing_marker"] == "-9"
    assert "write them under file, as missing_markers" in found.notes()["x"]
