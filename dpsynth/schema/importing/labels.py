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


def read(content: Dictionary, labels_public: bool = False) -> Imported:
    """What the dictionary says; labels become categories where a person says they are public.

    A data file's labels may have been made from its rows: pandas and Stata's `encode` make one for
    each text that occurs.
    """
    found = [_labels(name, content.facts) for name in content.facts.column_names]
    columns = tuple(
        _column(name, content, labels, labels_public)
        for name, labels in zip(content.facts.column_names, found, strict=True)
    )
    doubtful = (
        column.name
        for column, labels in zip(columns, found, strict=True)
        if labels and column.kind == "categorical" and not labels_public
    )
    return Imported(columns, labelled=tuple(doubtful))


def _labels(name: str, facts: Any) -> dict[Any, str]:
    """The labels of a column's codes, but for those that stand for missing values."""
    declared_missing = facts.missing_ranges.get(name, [])
    return {
        code: str(label).strip()
        for code, label in facts.variable_value_labels.get(name, {}).items()
        if not _is_missing(code, declared_missing)
    }


def _column(
    name: str, content: Dictionary, labels: Mapping[Any, str], labels_public: bool
) -> ColumnFacts:
    facts = content.facts
    measure = facts.variable_measure.get(name)
    if labels and measure != "scale":
        ordered, listed = True if measure == "ordinal" else None, _listed(labels)
        stated = {"categories": listed if labels_public else None, "ordered": ordered}
        note = "" if labels_public else f"value labels {_few(listed)}, perhaps private, not taken"
        return ColumnFacts(name, "categorical", stated, note=note)
    if facts.readstat_variable_types[name] == "string":
        return ColumnFacts(name, "categorical")
    if meant := time_format(content.family, facts.original_variable_types[name]):
        return ColumnFacts(name, "datetime", {"resolution": meant.resolution})
    note = (
        f"codes with value labels, {_few(_listed(labels))}, are read as these, which are no"
        " numbers: to read the codes of all columns, declare file: {value_labels: codes}"
    )
    return ColumnFacts(name, "numeric", note=note if labels else "")


def _few(texts: list[str], most: int = 20) -> str:
    """The first labels, and how many others there are."""
    others = f" and {len(texts) - most} others" if len(texts) > most else ""
    return f"{texts[:most]}{others}"


def _is_missing(code: Any, ranges: list[Mapping[str, Any]]) -> bool:
    """Whether the file declares a code as missing; Stata's are letters."""
    if isinstance(code, str):
        return any(each["lo"] == code for each in ranges) or code.startswith(".")
    return any(
        each["lo"] <= code <= each["hi"] for each in ranges if not isinstance(each["lo"], str)
    )


def _listed(labels: Mapping[Any, str]) -> list[str]:
    """The labels in the order of their codes, each category once; an empty one is missing."""
    mixed = any(isinstance(code, str) for code in labels)
    texts = [labels[code] for code in sorted(labels, key=str if mixed else None)]
    distinct = {text_of_number(number_of_text(text)) or text: text for text in reversed(texts)}
    return [text for text in reversed(distinct.values()) if text]
