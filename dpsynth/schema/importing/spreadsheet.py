"""A plain spreadsheet with a line for each column: name, type, low, high, labels, and more."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported, joined
from dpsynth.schema.importing.public import plain, set_aside
from dpsynth.schema.importing.reading import (
    bounds,
    codes,
    date_format,
    ends_of_range,
    identifier,
    lists_codes,
    number_of,
    numbered_codes,
    says_yes,
)
from dpsynth.schema.importing.sheets import Sheet

TITLES = {
    "name": "name column columnname field fieldname variable variablename attribute spalte",
    "type": "type datatype dtype kind fieldtype variabletype columntype typ datentyp",
    "low": "low lower lowerbound min minimum minvalue allowedmin allowedminimum von",
    "high": "high upper upperbound max maximum maxvalue allowedmax allowedmaximum bis",
    "labels": "labels values valuelabels allowedvalues categories codes levels choices"
    " options enum codelist valueset werte",
    "nullable": "nullable null missingallowed optional",
    "required": "required mandatory notnull pflichtfeld",
    "integer": "integer whole",
    "decimals": "decimals decimalplaces digits nachkommastellen",
    "step": "step increment",
    "ordered": "ordered ordinal",
    "missing": "missing missingcode missingcodes missingvalue missingmarker missingmarkers navalue",
    "format": "format dateformat pattern",
}
"""Titles, in lower case without blanks and signs, for each fact; any other title is left out."""

_LABEL = "label"
"""Says what a column is, or lists its codes: taken where no other title lists codes."""

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
_NUMBERS = ("integer", "float", "numeric")
_INTEGER = {"integer": True, "float": False}
_DECIMALS = re.compile(r"\(\s*\d+\s*,\s*(\d+)\s*\)|(\d+)\s*decimals?\b", re.IGNORECASE)
"""Such as "decimal(8, 2)" and "number, 1 decimal"."""


def recognised(content: Any) -> bool:
    return isinstance(content, Sheet) and "name" in titles_of_facts(content.titles)


def titles_of_facts(titles: Collection[str]) -> dict[str, str]:
    """For each fact the first title that stands for it."""
    facts = {word: fact for fact, words in TITLES.items() for word in words.split()}
    found: dict[str, str] = {}
    for title in titles:
        if (fact := facts.get(plain(title))) is not None:
            found.setdefault(fact, title)
    label = next((title for title in titles if plain(title) == _LABEL), None)
    if label is not None:
        found.setdefault("labels", label)
    return found


def read(content: Sheet) -> Imported:
    public, refused = set_aside(dict.fromkeys(content.titles, ""))
    titles = titles_of_facts(public)
    lines = [{fact: line[title] for fact, title in titles.items()} for line in content.lines]
    if plain(titles.get("labels", "")) == _LABEL:
        described = [line for line in lines if not lists_codes(line["labels"])]
        for line in described:
            del line["labels"]
    return Imported(tuple(_column(line) for line in lines if line["name"]), frozenset(refused))


def _column(line: dict[str, str]) -> ColumnFacts:
    name, said = line["name"], line.get("type", "")
    word = _KINDS.get(plain(re.split(r"[(,;]", said)[0]))
    listed, ends, unlisted = _values(word, line.get("labels", ""))
    line = {**line, **{end: at for end, at in ends.items() if not line.get(end)}}
    kind, note = _kind(said, word, line, bool(listed))
    if kind == "identifier":
        return identifier(name)
    stated, odd = bounds(kind, line.get("low"), line.get("high"))
    facts, unread = _facts(kind, word, line)
    if kind == "categorical":
        facts["categories"] = listed
    facts["missing_marker"], several = _marker(line.get("missing", ""))
    note = joined([note, unlisted, odd, unread, several])
    pattern = line.get("format") or None
    return ColumnFacts(name, kind, {**stated, **facts}, _nullable(line), pattern, note)


def _values(word: str | None, text: str) -> tuple[list[Any] | None, dict[str, str], str]:
    """The categories that a line lists, or the ends where it has a range; and a note on what a
    column of numbers cannot have.
    """
    if not text or word in ("date", "datetime", "identifier"):
        return None, {}, ""
    if word not in _NUMBERS:
        return [*codes(text)], {}, ""
    if (ends := ends_of_range(text)) is not None:
        return None, dict(zip(("low", "high"), ends, strict=True)), ""
    if (numbers := numbered_codes(text)) is not None:
        return [*numbers], {}, ""
    return None, {}, "its type says numbers, and its labels do not: they are left out"


def _kind(
    said: str, word: str | None, line: Mapping[str, str], listed: bool
) -> tuple[str | None, str]:
    """The type of a column, and a note where the word for it is not known."""
    if listed:
        return "categorical", ""
    ended = any(number_of(line.get(end)) is not None for end in ("low", "high"))
    if word is None and ended:
        note = f"the type {said!r} is not known, and numeric is taken for it, by the bounds"
        return "numeric", note if said else ""
    if word is None:
        return None, f"the type {said!r} is not known" if said else ""
    names = {"integer": "numeric", "float": "numeric", "date": "datetime", "ordinal": "categorical"}
    return names.get(word, word), ""


def _marker(text: str) -> tuple[str | None, str]:
    """The marker of missing values, and a note where a line has several."""
    found = [each.strip() for each in re.split(r"[;,|]", text) if each.strip()]
    if len(found) > 1:
        return None, (
            f"its missing markers {text!r} are several: write them under file, as missing_markers"
        )
    return text or None, ""


def _facts(
    kind: str | None, word: str | None, line: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """The facts of one type that a line has besides its bounds, and a note on odd ones."""
    if kind == "numeric":
        decimals, step = number_of(line.get("decimals")), number_of(line.get("step"))
        if decimals is None and (told := _DECIMALS.search(line.get("type", ""))):
            decimals = int(told[1] or told[2])
        whole = _INTEGER.get(str(word), says_yes(line["integer"]) if line.get("integer") else None)
        if decimals == 0 and step is None:
            return {"integer": True}, ""
        if decimals is not None or step is not None:
            whole = None
        return {"integer": whole, "decimals": decimals, "step": step}, ""
    if kind == "categorical":
        ordered = word == "ordinal" or says_yes(line.get("ordered", ""))
        return {"ordered": ordered or None}, ""
    if kind == "datetime":
        return date_format(line.get("format") or None, "s" if word == "datetime" else "D")
    return {}, ""


def _nullable(line: Mapping[str, str]) -> bool:
    if line.get("required"):
        return not says_yes(line["required"])
    return says_yes(line["nullable"]) if line.get("nullable") else True
