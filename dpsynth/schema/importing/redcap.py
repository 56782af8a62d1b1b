"""A REDCap data dictionary (CSV): the fields of a project, as its raw export has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.public import plain
from dpsynth.schema.importing.reading import bounds, identifier, says_yes
from dpsynth.schema.importing.sheets import Sheet

_NAME = "Variable / Field Name"
_FORM = "Form Name"
_TYPE = "Field Type"
_CHOICES = "Choices, Calculations, OR Slider Labels"
_VALIDATION = "Text Validation Type OR Show Slider Number"
_LOW, _HIGH = "Text Validation Min", "Text Validation Max"
_IDENTIFIER = "Identifier?"
_TITLES = (_NAME, _FORM, _TYPE, _CHOICES, _VALIDATION, _LOW, _HIGH, _IDENTIFIER)

_LISTED = ("radio", "dropdown")
_WORDS = {"true": [1], "false": [0]}
_COMPLETE = {"categories": ["0", "1", "2"], "ordered": True}
_FORMATS = {"email": "email", "phone": "phone", "ssn": "ssn"}


def recognised(content: Any) -> bool:
    if not isinstance(content, Sheet):
        return False
    return {plain(_NAME), plain(_TYPE)} <= {plain(title) for title in content.titles}


def read(content: Sheet) -> Imported:
    """The columns of a raw export: of checkboxes one for each code, and one for each form."""
    plain_titles = {plain(title): title for title in content.titles}
    titles = {title: plain_titles.get(plain(title)) for title in _TITLES}
    columns: list[ColumnFacts] = []
    form = ""
    for number, line in enumerate(content.lines):
        said = {title: line[own] if own else "" for title, own in titles.items()}
        if form and said[_FORM] != form:
            columns.append(ColumnFacts(f"{form}_complete", "categorical", _COMPLETE))
        form = said[_FORM]
        columns += [identifier(said[_NAME])] if number == 0 else _columns(said)
    if form:
        columns.append(ColumnFacts(f"{form}_complete", "categorical", _COMPLETE))
    return Imported(tuple(columns))


def _columns(said: Mapping[str, str]) -> list[ColumnFacts]:
    name, kind = said[_NAME], said[_TYPE].lower()
    if kind == "descriptive":
        return []
    if kind == "checkbox":
        boxes = [f"{name}___{_suffix(code)}" for code in _codes(said[_CHOICES])]
        return [ColumnFacts(box, "boolean", _WORDS, nullable=False) for box in boxes]
    if says_yes(said[_IDENTIFIER]):
        note = "the source marks it as an identifier: declare identifier, or leave it out"
        return [ColumnFacts(name, pattern=_FORMATS.get(said[_VALIDATION]), note=note)]
    if kind in _LISTED:
        return [ColumnFacts(name, "categorical", {"categories": _codes(said[_CHOICES]) or None})]
    if kind in ("yesno", "truefalse"):
        return [ColumnFacts(name, "boolean", _WORDS)]
    if kind in ("notes", "file"):
        return [ColumnFacts(name, "text")]
    return [_measured(name, kind, said)]


def _codes(choices: str) -> list[str]:
    """The codes of "1, Female | 2, Male"."""
    codes = (choice.partition(",")[0].strip() for choice in choices.split("|"))
    return [code for code in codes if code]


def _suffix(code: str) -> str:
    """A code in the name of a column, as REDCap writes it: -1 is _1, and letters are small."""
    return "".join(sign if sign.isalnum() else "_" for sign in code.lower())


def _measured(name: str, kind: str, said: Mapping[str, str]) -> ColumnFacts:
    """A field that is typed in, moved on a slider or computed."""
    validation = said[_VALIDATION].lower()
    low, high = said[_LOW], said[_HIGH]
    if kind == "slider":
        return ColumnFacts(name, "numeric", {"low": 0, "high": 100, "integer": True, **_span(said)})
    if kind == "calc":
        return ColumnFacts(name, "numeric")
    if validation.startswith(("date_", "datetime_")):
        resolution = "s" if "seconds" in validation else "min" if "time" in validation else "D"
        ends, note = bounds("datetime", low, high)
        return ColumnFacts(name, "datetime", {**ends, "resolution": resolution}, note=note)
    if validation.startswith(("integer", "number")):
        if "comma_decimal" in validation:
            low, high = low.replace(",", "."), high.replace(",", ".")
        ends, note = bounds("numeric", low, high)
        return ColumnFacts(name, "numeric", {**ends, **_precision(validation)}, note=note)
    pattern = _FORMATS.get(validation)
    kind_of = "categorical" if kind == "sql" or validation in ("zipcode", "postalcode") else None
    return ColumnFacts(name, kind_of, pattern=pattern)


def _span(said: Mapping[str, str]) -> dict[str, Any]:
    ends, _ = bounds("numeric", said[_LOW], said[_HIGH])
    return {end: fact for end, fact in ends.items() if fact is not None}


def _precision(validation: str) -> dict[str, Any]:
    """Whole numbers, or the decimals that a validation such as number_2dp_comma_decimal has."""
    facts: dict[str, Any] = {"integer": True} if validation == "integer" else {}
    digits = validation.removeprefix("number_")[:1]
    if "dp" in validation and digits.isdigit():
        facts["decimals"] = int(digits)
    if "comma_decimal" in validation:
        facts["decimal"] = ","
    return facts
