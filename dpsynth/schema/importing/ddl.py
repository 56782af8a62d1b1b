"""SQL data definitions: types, ENUM, CHECK, NOT NULL and keys of CREATE TABLE, read by sqlglot."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.reading import (
    bounds,
    by_name,
    chosen_table,
    identifier,
    inside,
    like_pattern,
    whole_pattern,
)

_INTEGERS = (
    "BIGINT INT INT128 MEDIUMINT SMALLINT TINYINT UBIGINT UINT UMEDIUMINT USMALLINT UTINYINT"
)
_FLOATS = "BIGDECIMAL DOUBLE FLOAT UDOUBLE"
_TEXTS = (
    "BPCHAR CHAR ENUM ENUM16 ENUM8 LONGTEXT MEDIUMTEXT NAME NCHAR NVARCHAR TEXT TINYTEXT VARCHAR"
)
_MOMENTS = (
    "DATE DATE32 DATETIME DATETIME2 SMALLDATETIME TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ"
)
_KINDS = {
    **dict.fromkeys((*_INTEGERS.split(), *_FLOATS.split(), "DECIMAL"), "numeric"),
    **dict.fromkeys(_TEXTS.split(), "categorical"),
    **dict.fromkeys(_MOMENTS.split(), "datetime"),
    **dict.fromkeys(("BIT", "BOOLEAN"), "boolean"),
    **dict.fromkeys(
        ("BIGSERIAL", "SERIAL", "SMALLSERIAL", "UNIQUEIDENTIFIER", "UUID"), "identifier"
    ),
}
_LABEL = r"'(?:[^']|'')*'"
_ENUM = re.compile(
    rf'CREATE\s+TYPE\s+([\w."]+)\s+AS\s+ENUM\s*\(\s*({_LABEL}(?:\s*,\s*{_LABEL})*)\s*\)\s*;?',
    re.IGNORECASE,
)


def read_text(path: Path) -> str:
    """The text of a file; SchemaError where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaError("the file is not UTF-8 text: save it in UTF-8") from None


def recognised(content: Any) -> bool:
    return isinstance(content, str)


def read(content: str, table: str | None = None, dialect: str | None = None) -> Imported:
    # sqlglot knows PostgreSQL's CREATE TYPE as a command only.
    enums = {_bare(name): _labels(labels) for name, labels in _ENUM.findall(content)}
    definition = chosen_table(_tables(_ENUM.sub("", content), dialect), table)
    return Imported(tuple(_Table(definition, enums).columns()))


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip('"').lower()


def _labels(listed: str) -> list[str]:
    return [each[1:-1].replace("''", "'") for each in re.findall(_LABEL, listed)]


def _tables(text: str, dialect: str | None) -> dict[str, Any]:
    """The definition of every table by its name."""
    try:
        import sqlglot
    except ImportError:
        raise SchemaError(
            "SQL is read by sqlglot, which is not installed: pip install 'dpsynth[sql]'"
        ) from None
    known = sorted(sqlglot.Dialect.classes)
    if dialect is not None and dialect not in known:
        raise SchemaError(f"dialect must be one of {known[1:]}, got {dialect!r}: choose one")
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True  # it would quote statements, and so rows
    try:
        statements = sqlglot.parse(text, read=dialect)
    except sqlglot.errors.SqlglotError as error:
        said = (getattr(error, "errors", None) or [{}])[0]
        where = f" at line {said['line']}" if said.get("line") else ""
        fault = (
            f"the SQL cannot be read{where}: leave CREATE TABLE statements only, and name another"
            " dialect than standard SQL with --dialect"
        )
    else:
        return _definitions(statements)
    finally:
        log.disabled = before
    # Raised here, outside of the `except`: the context of an exception would quote the file.
    raise SchemaError(fault)


def _definitions(statements: Iterable[Any]) -> dict[str, Any]:
    """What CREATE TABLE statements define, by the names of the tables."""
    creates = [each for each in statements if each is not None and each.key == "create"]
    definitions = [
        each.this for each in creates if each.kind == "TABLE" and each.this.key == "schema"
    ]
    return by_name((each.this.db, each.this.name, each) for each in definitions)


class _Table:
    """One CREATE TABLE. enums: the labels of each type that the same file creates."""

    def __init__(self, definition: Any, enums: dict[str, list[str]]) -> None:
        self._parts = definition.expressions
        self._enums = enums
        checks = [each.this for each in definition.find_all(*_kinds("CheckColumnConstraint"))]
        self._checks = [part for check in checks for part in _conjuncts(check)]
        keys = [each.expressions for each in definition.find_all(*_kinds("PrimaryKey"))]
        self._keys = [[part.name for part in key] for key in keys]

    def columns(self) -> Iterator[ColumnFacts]:
        for part in self._parts:
            if part.key == "columndef":
                yield self._column(part)

    def _column(self, part: Any) -> ColumnFacts:
        name = part.this.name
        constraints = {each.kind.key: each.kind for each in part.constraints}
        if "primarykeycolumnconstraint" in constraints or [name] in self._keys:
            return identifier(name)
        nullable = "notnullcolumnconstraint" not in constraints
        if refers := constraints.get("reference") or self._foreign_key(name):
            note = (
                f"refers to {refers.this.this.name!r}: declare identifier where it names people,"
                " else its codes"
            )
            return ColumnFacts(name, nullable=nullable, note=note)
        kind, facts, note = self._facts(name, part.kind)
        return ColumnFacts(name, kind, facts, nullable, note=note, follows=self._followed(name))

    def _followed(self, name: str) -> str | None:
        """The pattern of CHECK (column LIKE '...'), or of a regular expression."""
        for check in self._checks:
            if check.key in ("like", "regexplike") and _is_column(check.this, name):
                text = _constant(check.expression)
                if isinstance(text, str):
                    return like_pattern(text) if check.key == "like" else whole_pattern(text)
        return None

    def _foreign_key(self, name: str) -> Any:
        keys = [part for part in self._parts if part.key == "foreignkey"]
        keys += [
            each for part in self._parts if part.key == "constraint" for each in part.expressions
        ]
        found = [
            k for k in keys if k.key == "foreignkey" and [e.name for e in k.expressions] == [name]
        ]
        return found[0].args["reference"] if found else None

    def _facts(self, name: str, declared: Any) -> tuple[str | None, dict[str, Any], str]:
        """The type, its facts, and a note on what cannot be declared."""
        word = declared.this.name if declared is not None else ""
        kind, stated = _KINDS.get(word), self._listed(name)
        if word == "USERDEFINED":
            stated = stated or self._enums.get(_bare(str(declared.args.get("kind"))))
            kind = "categorical" if stated else None
        if word.startswith("ENUM"):
            stated = [each.name for each in declared.expressions]
        if stated and kind in ("numeric", "categorical"):
            return "categorical", {"categories": stated}, ""
        if kind is None:
            shown = declared.sql() if declared is not None else "none"
            return None, {}, f"the type {shown} has no counterpart: choose one, or leave it out"
        if kind not in ("numeric", "datetime"):
            return kind, {}, ""
        precise = _precision(word, declared)
        ends, note = self._ends(name, kind, precise)
        return kind, {**ends, **precise}, note

    def _ends(self, name: str, kind: str, precise: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The bounds that the checks of a column give together."""
        whole = precise.get("integer") is True
        found: dict[str, list[Any]] = {"low": [], "high": []}
        for check in self._checks:
            for side, end in _comparison(check, name, whole):
                found[side].append(end)
        low, high = (found[side][0] if len(found[side]) == 1 else None for side in ("low", "high"))
        several = any(len(ends) > 1 for ends in found.values())
        ends, note = bounds(kind, low, high)
        return ends, note or ("several checks bound one side: write the bound" if several else "")

    def _listed(self, name: str) -> list[Any] | None:
        """The values of CHECK (column IN (...)), where all are constants."""
        for check in self._checks:
            if check.key == "in" and _is_column(check.this, name) and check.expressions:
                values = [_constant(each) for each in check.expressions]
                return None if None in values else values
        return None


def _kinds(*names: str) -> list[Any]:
    from sqlglot import expressions

    return [getattr(expressions, name) for name in names]


def _conjuncts(check: Any) -> Iterator[Any]:
    """The parts of a check that all hold: those of AND, and of brackets."""
    if check.key == "and":
        yield from _conjuncts(check.this)
        yield from _conjuncts(check.expression)
    elif check.key == "paren":
        yield from _conjuncts(check.this)
    else:
        yield check


def _is_column(part: Any, name: str) -> bool:
    return part is not None and part.key == "column" and part.name.lower() == name.lower()


def _constant(part: Any) -> Any:
    """The number or the text that a literal writes; None for anything else."""
    if part.key in ("cast", "paren"):
        return _constant(part.this)
    if part.key == "neg" and part.this.key == "literal" and not part.this.is_string:
        return f"-{part.this.this}"
    if part.key != "literal":
        return None
    return part.this


_SIDES = {"gt": ("low", 1), "gte": ("low", 0), "lt": ("high", -1), "lte": ("high", 0)}
_TURNED = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}


def _comparison(check: Any, name: str, whole: bool) -> Iterator[tuple[str, Any]]:
    """The ends that one part of a check gives: side and value."""
    if check.key == "between" and _is_column(check.this, name):
        yield from (("low", _constant(check.args["low"])), ("high", _constant(check.args["high"])))
    if check.key not in _SIDES:
        return
    key, end = check.key, check.expression
    if _is_column(check.expression, name):
        key, end = _TURNED[key], check.this
    elif not _is_column(check.this, name):
        return
    side, excluded = _SIDES[key]
    if (value := _constant(end)) is not None:
        yield side, inside(value, excluded, whole) if excluded else value


def _precision(word: str, declared: Any) -> dict[str, Any]:
    """Whole numbers, decimals, or how finely times are kept."""
    if word in _INTEGERS.split():
        return {"integer": True}
    if word in _FLOATS.split():
        return {"integer": False}
    if word == "DECIMAL":
        digits = [int(each.name) for each in declared.expressions if each.name.isdigit()]
        scale = digits[1] if len(digits) == 2 else 0
        if not digits:
            return {}
        return {"decimals": scale} if scale else {"integer": True}
    return {"resolution": "D" if word.startswith("DATE") and "TIME" not in word else "s"}
