"""A plain spreadsheet with a line for each column: name, type, low, high, labels, and more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported, joined
from dpsynth.schema.importing.public import plain, set_aside
from dpsynth.schema.importing.reading import (
    bounds,
    codes,
    date_format,
    identifier,
    number_of,
    says_yes,
)
from dpsynth.schema.importing.sheets import Sheet

TITLES = {
    "name": "name column columnname field fieldname variable variablename attribute spalte",
    "type": "type datatype dtype kind fieldtype variabletype columntype typ datentyp",
    "low": "low lower lowerbound min minimum minvalue allowedmin allowedminimum von",
    "high": "high upper upperbound max maximum maxvalue allowedmax allowedmaximum bis",
    "labels": "labels label values valuelabels allowedvalues categories codes levels choices"
    " options enum codelist valueset werte",
    "nullable": "nullable null missingallowed optional",
    "required": "required mandatory notnull pflichtfeld",
    "integer": "integer whole",
    "decimals": "decimals decimalplaces digits nachkommastellen",
    "step": "step increment",
    "ordered": "ordered ordinal",
    "missing": "missing missingcode missingvalue missingmarker navalue",
    "format": "format dateformat pattern",
}
"""Titles, in lower case without blanks and signs, for each fact; any other title is left out."""

_TYPES = {
    "integer": "integer int smallint bigint tinyint int8 int16 int32 int64 long whole wholenumber"
    " ganzzahl",
    "float": "float double real float32 float64 continuous decimal",
    "numeric": "numeric number numerical quantity zahl",
    "date": "date datum",
    "datetime": "datetime timestamp datetime64",
    "boolean": "boolean bool yesno truefalse logical flag",
    "ordinal": "ordinal ordered orderedcategorical",
    "categorical": "categorical category nominal factor enum code coded string str varchar char"
    " character kategorie",
    "identifier": "identifier id key uuid guid primarykey",
    "text": "text freetext memo note notes comment freitext",
}
_KINDS = {word: kind for kind, words in _TYPES.items() for word in words.split()}
_INTEGER = {"integer": True, "float": False}


def recognised(content: Any) -> bool:
    return isinstance(content, Sheet) and "name" in titles_of_facts(content.titles)


def titles_of_facts(titles: Iterable[str]) -> dict[str, str]:
    """For each fact the first title that stands for it."""
    facts = {word: fact for fact, words in TITLES.items() for word in words.split()}
    found: dict[str, str] = {}
    for title in titles:
        if (fact := facts.get(plain(title))) is not None:
            found.setdefault(fact, title)
    return found


def read(content: Sheet) -> Imported:
    public, refused = set_aside(dict.fromkeys(content.titles, ""))
    titles = titles_of_facts(public)
    lines = [{fact: line[title] for fact, title in titles.items()} for line in content.lines]
    return Imported(tuple(_column(line) for line in lines if line["name"]), frozenset(refused))


def _column(line: Mapping[str, str]) -> ColumnFacts:
    name, said = line["name"], line.get("type", "")
    kind, note = _kind(said, line)
    if kind == "identifier":
        return identifier(name)
    ends, odd = bounds(kind, line.get("low"), line.get("high"))
    facts, unread = _facts(kind, _KINDS.get(plain(said)), line)
    facts["missing_marker"] = line.get("missing") or None
    note = joined([note, odd, unread])
    pattern = line.get("format") or None
    return ColumnFacts(name, kind, {**ends, **facts}, _nullable(line), pattern, note)


def _kind(said: str, line: Mapping[str, str]) -> tuple[str | None, str]:
    """The type of a column, and a note where the word for it is not known."""
    kind = _KINDS.get(plain(said.partition("(")[0]))
    if line.get("labels") and kind not in ("date", "datetime", "identifier"):
        return "categorical", ""
    if kind is None and not said and (line.get("low") or line.get("high")):
        kind = "numeric"
    names = {"integer": "numeric", "float": "numeric", "date": "datetime", "ordinal": "categorical"}
    note = f"the type {said!r} is not known" if said and kind is None else ""
    return names.get(str(kind), kind), note


def _facts(
    kind: str | None, word: str | None, line: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """The facts of one type that a line has besides its bounds, and a note on odd ones."""
    if kind == "numeric":
        decimals, step = number_of(line.get("decimals")), number_of(line.get("step"))
        whole = _INTEGER.get(str(word), says_yes(line["integer"]) if line.get("integer") else None)
        if decimals is not None or step is not None:
            whole = None
        return {"integer": whole, "decimals": decimals, "step": step}, ""
    if kind == "categorical":
        labels = codes(line["labels"]) if line.get("labels") else None
        ordered = word == "ordinal" or says_yes(line.get("ordered", ""))
        return {"categories": labels, "ordered": ordered or None}, ""
    if kind == "datetime":
        return date_format(line.get("format") or None, "s" if word == "datetime" else "D")
    return {}, ""


def _nullable(line: Mapping[str, str]) -> bool:
    if line.get("required"):
        return not says_yes(line["required"])
    return says_yes(line["nullable"]) if line.get("nullable") else True
