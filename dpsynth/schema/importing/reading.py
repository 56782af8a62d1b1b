"""Facts as sources write them: numbers, bounds, lists of codes, formats of dates, patterns."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from dpsynth.schema.columns import SchemaError, number_of_text
from dpsynth.schema.formats import moment_fault
from dpsynth.schema.importing.facts import ColumnFacts, joined

_TRUE = {"1", "true", "t", "y", "yes", "x", "ja", "j"}


def mapping_of(what: str, value: Any) -> Mapping[str, Any]:
    """A mapping as it is; SchemaError, which names it, for anything else."""
    if not isinstance(value, Mapping):
        raise SchemaError(
            f"{what} must be a mapping, got {type(value).__name__}: write it as its form has it"
        )
    return value


def list_of(what: str, value: Any) -> Sequence[Any]:
    """A list as it is; SchemaError, which names it, for anything else."""
    if not isinstance(value, list):
        raise SchemaError(f"{what} must be a list, got {type(value).__name__}: put it in brackets")
    return value


def text_of(what: str, value: Any) -> str | None:
    """A text as it is, None where there is none; SchemaError, which names it, for anything else."""
    if value is not None and not isinstance(value, str):
        raise SchemaError(f"{what} must be text, got {type(value).__name__}: put it in quotes")
    return value


def chosen_table(tables: Mapping[str, Any], wanted: str | None) -> Any:
    """The table that is asked for, or the only one; SchemaError, with the names, for no such."""
    if wanted is None and len(tables) == 1:
        return next(iter(tables.values()))
    if not tables:
        raise SchemaError("the source describes no table: give one that does")
    if wanted is None or wanted not in tables:
        asked = "none was chosen" if wanted is None else f"{wanted!r} is none of them"
        raise SchemaError(
            f"the source describes the tables {list(tables)[:20]}, and {asked}: name one with"
            " --table"
        )
    return tables[wanted]


def says_yes(value: Any) -> bool:
    """Whether a cell of a data dictionary says yes."""
    return value is True or str(value).strip().lower() in _TRUE


def number_of(value: Any) -> int | float | None:
    """The finite number that is stated, as one or as text; None where there is none."""
    if value is None or isinstance(value, bool):
        return None
    number = number_of_text(str(value))
    if not math.isfinite(number):
        return None
    return int(Decimal(str(value).strip())) if number.is_integer() else number


def _moment_of(value: Any) -> str | None:
    try:
        datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return str(value).strip()


def bounds(kind: str | None, low: Any, high: Any) -> tuple[dict[str, Any], str]:
    """The bounds of a column of this type, and a note on those that cannot be read."""
    if kind not in ("numeric", "datetime"):
        return {}, ""
    read = number_of if kind == "numeric" else _moment_of
    what = "number" if kind == "numeric" else "date such as 2020-01-31"
    given = {name: end for name, end in (("low", low), ("high", high)) if _stated(end)}
    facts = {name: read(end) for name, end in given.items()}
    odd = [f"{name} {given[name]!r} is no {what}" for name, end in facts.items() if end is None]
    return facts, joined(odd)


def inside(end: Any, side: int, whole: bool) -> Any:
    """The first value inside of an end that is excluded; the end itself of continuous numbers.

    side: 1 where the values lie above the end, -1 where they lie below.
    """
    number = number_of(end)
    if number is None or not whole:
        return end
    return math.floor(number) + 1 if side > 0 else math.ceil(number) - 1


def _stated(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def codes(text: str) -> list[str]:
    """The codes in "f | m", "1=male; 2=female" or "1, Male | 2, Female"; labels are left out.

    A sign parts codes from labels only where all items have it.
    """
    items, sign = _parted(text)
    return [item.partition(sign)[0].strip() if sign else item for item in items]


def lists_codes(text: str) -> bool:
    """Whether a text lists several codes, with bars or with labels; a description has neither."""
    items, sign = _parted(text)
    return len(items) > 1 and (sign is not None or "|" in text)


def _parted(text: str) -> tuple[list[str], str | None]:
    """The items of a list, and the sign that parts codes from labels in all of them."""
    separator = next((sign for sign in ("|", "\n", ";", ",") if sign in text), None)
    items = [item.strip() for item in (text.split(separator) if separator else [text])]
    items = [item for item in items if item]
    signs = ("=", ": ", ",") if separator in ("|", "\n") else ("=", ": ")
    return items, next((sign for sign in signs if all(sign in item for item in items)), None)


def numbered_codes(text: str) -> list[int | float] | None:
    """The codes of a column of numbers, in a list as above, or in "0/1" and "1 yes; 2 no"; None
    where one of them is no number.
    """
    found = text.split("/") if _SLASHED.fullmatch(text) else codes(text)
    bare = [_LEADING.sub(r"\1", item) for item in found] if len(found) > 1 else found
    numbers = [number_of(item) for item in bare]
    known = [number for number in numbers if number is not None]
    return known if known and len(known) == len(numbers) else None


_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_SLASHED = re.compile(rf"\s*{_NUMBER}\s*(?:/\s*{_NUMBER}\s*)+")
_LEADING = re.compile(rf"^\(?({_NUMBER})\)?(?:\s*[:.)-]\s*|\s+)[^\W\d].*$", re.DOTALL)
_RANGE = re.compile(rf"\s*\[?({_NUMBER})\s*(?:-|\u2013|to|bis|\.\.\.?)\s*({_NUMBER})\]?\s*")


def ends_of_range(text: str) -> tuple[str, str] | None:
    """The ends of a range of numbers, such as "0-120", "0 to 120" or "0..120"; else None."""
    found = _RANGE.fullmatch(text)
    return None if found is None else (found[1], found[2])


def date_format(format: str | None, resolution: str | None = None) -> tuple[dict[str, Any], str]:
    """The facts that a strptime format gives, and a note where it cannot be declared.

    resolution: what the source says of it otherwise; else the finest part of the format.
    """
    if not format:
        return {"resolution": resolution or "D"}, ""
    finest = next((each for sign, each in _FINEST if sign in format), "D")
    facts: dict[str, Any] = {"resolution": resolution or finest}
    if format in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"):
        return facts, ""
    if moment_fault(format) is not None:
        return facts, f"dates are written {format}, which cannot be declared: write them otherwise"
    return {**facts, "format": format}, ""


_FINEST = (("%S", "s"), ("%M", "min"), ("%H", "h"), ("%I", "h"))


def name_pattern(regex: str | None) -> str | None:
    """An identifier's pattern ("P-######") for a regular expression of fixed length; else None."""
    made, rest = "", (regex or "").removeprefix("^").removesuffix("$")
    part = re.compile(r"(\\d|\[0-9\]|\[A-Z\]|\\[-_./ ]|[-_/ ]|[A-Za-z0-9])(?:\{(\d{1,2})\})?")
    while rest:
        match = part.match(rest)
        if match is None:
            return None
        sign, times = match.groups()
        made += {"\\d": "#", "[0-9]": "#", "[A-Z]": "?"}.get(sign, sign[-1]) * int(times or 1)
        rest = rest[match.end() :]
    return made or None


def whole_pattern(regex: str | None, *, part: bool = True) -> str | None:
    """A regular expression as one of the whole text; None where Python cannot read it.

    part: whether it is enough that a part of a text follows it.
    """
    if not regex:
        return None
    bare = regex[1:-1] if regex[0] == "^" and regex[-1] == "$" else ""
    found = (
        regex
        if not part
        else bare
        if bare and "|" not in bare and bare[-1] != "\\"
        else f".*(?:{regex}).*"
    )
    try:
        re.compile(found)
    except re.error:
        return None
    return found


def like_pattern(like: str) -> str:
    """The regular expression of a pattern of SQL's LIKE."""
    signs = {"%": ".*", "_": "."}
    return "".join(signs.get(sign, re.escape(sign)) for sign in like)


def identifier(name: str, regex: str | None = None) -> ColumnFacts:
    """A column of record names."""
    made = name_pattern(regex)
    note = f"the pattern {regex!r} cannot be declared: names are running numbers"
    return ColumnFacts(
        name, "identifier", {"pattern": made}, note=note if regex and not made else ""
    )


def by_name(tables: Iterable[tuple[str, str, Any]]) -> dict[str, Any]:
    """Tables by name, of those that several schemas have by schema and name.

    tables: of each its schema, its name and what describes it.
    """
    listed = list(tables)
    times = Counter(name for _, name, _ in listed)
    return {f"{schema}.{name}" if times[name] > 1 else name: each for schema, name, each in listed}
