"""The dictionaries inside of SPSS and Stata files: types, formats, value labels, missing codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.schema.columns import SchemaError, number_of_text, text_of_number
from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.statistical import FAMILIES, time_format


@dataclass(frozen=True)
class Dictionary:
    """What a file says of its columns. family: of the program. facts: pyreadstat's metadata."""

    family: str
    facts: Any


def read_dictionary(path: Path) -> Dictionary:
    """The dictionary of a file, no row of which is read; SchemaError where there is none."""
    try:
        import pyreadstat
    except ImportError:
        raise SchemaError(
            "SPSS and Stata files are read by pyreadstat, which is not installed: pip install"
            " 'dpsynth[stat]'"
        ) from None
    family = FAMILIES[path.suffix.lower()]
    read = pyreadstat.read_dta if family == "stata" else pyreadstat.read_sav
    try:
        return Dictionary(family, read(str(path), metadataonly=True, user_missing=True)[1])
    except Exception:
        pass
    raise SchemaError("the file has no dictionary that can be read: save it anew")


def spss(content: Any) -> bool:
    return isinstance(content, Dictionary) and content.family == "spss"


def stata(content: Any) -> bool:
    return isinstance(content, Dictionary) and content.family == "stata"


def read(content: Dictionary) -> Imported:
    names = content.facts.column_names
    return Imported(tuple(_column(name, content.family, content.facts) for name in names))


def _column(name: str, family: str, facts: Any) -> ColumnFacts:
    declared_missing = facts.missing_ranges.get(name, [])
    labels = {
        code: str(label).strip()
        for code, label in facts.variable_value_labels.get(name, {}).items()
        if not _is_missing(code, declared_missing)
    }
    measure = facts.variable_measure.get(name)
    if labels and measure != "scale":
        ordered = True if measure == "ordinal" else None
        return ColumnFacts(name, "categorical", {"categories": _listed(labels), "ordered": ordered})
    if facts.readstat_variable_types[name] == "string":
        return ColumnFacts(name, "categorical")
    if meant := time_format(family, facts.original_variable_types[name]):
        return ColumnFacts(name, "datetime", {"resolution": meant.resolution})
    note = f"values with labels, {[*labels.values()][:5]}, are numbers here" if labels else ""
    return ColumnFacts(name, "numeric", note=note)


def _is_missing(code: Any, ranges: list[Mapping[str, Any]]) -> bool:
    """Whether the file declares a code as missing; Stata's are letters."""
    if isinstance(code, str):
        return any(each["lo"] == code for each in ranges) or code.startswith(".")
    return any(
        each["lo"] <= code <= each["hi"] for each in ranges if not isinstance(each["lo"], str)
    )


def _listed(labels: Mapping[Any, str]) -> list[str]:
    """The labels in the order of their codes; the codes where labels could not be told apart."""
    texts = [labels[code] for code in sorted(labels, key=str if _mixed(labels) else None)]
    numbers = any(text == "" or number_of_text(text) == number_of_text(text) for text in texts)
    if len({*texts}) == len(texts) and not numbers:
        return texts
    return [code if isinstance(code, str) else str(text_of_number(float(code))) for code in labels]


def _mixed(labels: Mapping[Any, str]) -> bool:
    return any(isinstance(code, str) for code in labels)
