"""DDI Codebook (XML): the variables of a data file, their categories, ranges and formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.importing.facts import ColumnFacts, Imported, joined
from dpsynth.schema.importing.reading import bounds, by_name, chosen_table, number_of

_OF_ROWS = ("sumStat", "catStat", "totlResp", "caseQnty")
"""Elements that tell of rows: statistics, frequencies, numbers of answers and of cases."""

_DATES = {"date": "D", "time": "s", "datetime": "s"}


def read_xml(path: Path) -> Any:
    """The root of an XML file; SchemaError where it is none."""
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeError, LookupError, ValueError):
        pass
    # Raised here, outside of the `except`: the context of an exception might quote the file.
    raise SchemaError("the file is no XML that can be read: export the codebook anew")


def recognised(content: Any) -> bool:
    return isinstance(content, ElementTree.Element) and _tag(content) == "codeBook"


def read(content: ElementTree.Element, table: str | None = None) -> Imported:
    files = {each.get("ID", ""): _text(each, "fileName") for each in _all(content, "fileDscr")}
    tables: dict[str, list[ElementTree.Element]] = {}
    for variable in _all(content, "var"):
        for file in (variable.get("files") or "").split() or [""]:
            tables.setdefault(file, []).append(variable)
    named = by_name(("", files.get(file) or file, each) for file, each in tables.items())
    chosen = chosen_table(named, table)
    refused = {_tag(each) for variable in chosen for each in variable.iter() if _is_of_rows(each)}
    read = [_column(variable) for variable in chosen]
    refused |= {"valrng" for _, observed in read if observed}
    return Imported(tuple(column for column, _ in read), frozenset(refused))


def _column(variable: ElementTree.Element) -> tuple[ColumnFacts, bool]:
    """What is said of a variable, and whether its range was observed and is left out."""
    listed = [_Category(each) for each in _all(variable, "catgry")]
    codes = [each.code for each in listed if each.code and each.label and not each.missing]
    markers = [each.code for each in listed if each.missing and each.code]
    markers += [each.get("VALUE", "") for each in _all(variable, "invalrng", "item")]
    marker = markers[0] if markers else None
    bare = [each for each in listed if not each.label and not each.missing]
    notes = [
        f"further codes of missing values, {markers[1:]}, are not declared" if markers[1:] else "",
        "categories without a label were found in rows, and are left out" if bare else "",
    ]
    kind, facts, observed = _facts(variable, codes)
    if kind in ("numeric", "categorical"):
        facts["missing_marker"] = marker if marker not in codes else None
    name = variable.get("name") or ""
    return ColumnFacts(name, kind, facts, note=joined(notes)), observed


class _Category:
    """One category of a variable: its code, its label, and whether it stands for missing."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.code, self.label = _text(element, "catValu"), _text(element, "labl")
        self.missing = element.get("missing", "N").upper() == "Y"


def _facts(
    variable: ElementTree.Element, codes: list[str]
) -> tuple[str | None, dict[str, Any], bool]:
    """The type, its facts, and whether the range is left out."""
    format = next(iter(_all(variable, "varFormat")), None)
    said = {} if format is None else format.attrib
    if said.get("category") in _DATES:
        return "datetime", {"resolution": _DATES[said["category"]]}, False
    continuous = variable.get("intrvl") == "contin"
    if codes and not continuous:
        ordered = True if variable.get("nature") == "ordinal" else None
        return "categorical", {"categories": codes, "ordered": ordered}, False
    if said.get("type") == "character":
        return "categorical", {}, False
    if not continuous and said.get("type") != "numeric":
        return None, {}, False
    return _number(variable)


def _number(variable: ElementTree.Element) -> tuple[str, dict[str, Any], bool]:
    given: dict[str, str] = {}
    for range_ in _all(variable, "valrng", "range"):
        given |= range_.attrib
    # A program that wrote statistics of the rows wrote the range of the rows beside them.
    counted = next(_all(variable, "sumStat"), None) is not None
    observed = counted and bool({"min", "max"} & given.keys())
    ends = {} if observed else bounds("numeric", given.get("min"), given.get("max"))[0]
    decimals = number_of(variable.get("dcml"))
    whole = given.get("UNITS") == "INT" or decimals == 0
    precise = {"integer": True} if whole else {"decimals": decimals}
    return "numeric", {**ends, **precise}, observed


def _is_of_rows(element: ElementTree.Element) -> bool:
    return _tag(element) in _OF_ROWS


def _tag(element: ElementTree.Element) -> str:
    """The name of an element without its namespace, which each version of DDI changes."""
    return str(element.tag).rpartition("}")[2]


def _all(element: ElementTree.Element, *path: str) -> Iterator[ElementTree.Element]:
    """The elements of this name below, or those below each of them."""
    for each in element.iter():
        if _tag(each) == path[0]:
            yield from _all(each, *path[1:]) if path[1:] else (each,)


def _text(element: ElementTree.Element, name: str) -> str:
    found = next(_all(element, name), None)
    return "" if found is None else "".join(found.itertext()).strip()
