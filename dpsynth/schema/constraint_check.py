"""Whether constraints fit the columns that they are about: no row is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from dpsynth.schema.columns import (
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
    SchemaError,
    Text,
)
from dpsynth.schema.constraints import (
    Constraint,
    Derived,
    FixedCombinations,
    FixedIncrements,
    OneHot,
    Order,
    Pattern,
    Range,
    Sum,
    Unique,
)
from dpsynth.schema.open_categorical import text_of

Columns = Mapping[str, Column]


def check_constraints(columns: Columns, constraints: Sequence[Constraint]) -> None:
    """SchemaError, in one sentence with the culprit, where the columns do not bear a constraint."""
    for rule in constraints:
        for name in rule.columns_of:
            _check_known(name, columns, rule)
        _check_types(rule, columns)
        if isinstance(rule, Sum | Derived):
            _check_result(rule, columns[rule.column])
    _check_keys(constraints)
    _check_derived(constraints)


def stepped_columns(columns: Columns, constraints: Sequence[Constraint]) -> dict[str, Column]:
    """The columns with the steps that `FixedIncrements` adds; SchemaError where none fit."""
    found = dict(columns)
    for rule in constraints:
        column = found[rule.column] if isinstance(rule, FixedIncrements) else None
        if isinstance(rule, FixedIncrements) and isinstance(column, Numeric):
            found[rule.column] = _stepped(column, rule)
    return found


def orders_of(constraints: Sequence[Constraint]) -> Iterator[Order]:
    """All orders of two columns, those of ranges too."""
    for rule in constraints:
        if isinstance(rule, Order):
            yield rule
        elif isinstance(rule, Range):
            yield from rule.orders


def _check_known(name: str, columns: Columns, rule: Constraint) -> None:
    if name not in columns:
        raise SchemaError(
            f"the constraint `{rule.describe()}` names {name!r}, which is no column of the schema:"
            " correct the name"
        )
    column = columns[name]
    if isinstance(column, Identifier) and isinstance(rule, Pattern):
        raise SchemaError(
            f"the constraint `{rule.describe()}` is about {name!r}, whose values are made anew:"
            ' declare their form as Identifier(pattern="P-######")'
        )
    if isinstance(column, Text) or (
        isinstance(column, Identifier) and not isinstance(rule, Unique)
    ):
        raise SchemaError(
            f"the constraint `{rule.describe()}` is about {name!r}, which is never read: leave it"
            " out of the constraint"
        )


def _check_types(rule: Constraint, columns: Columns) -> None:
    match rule:
        case Order() | Range():
            dates = {_resolution(columns[name]) for name in rule.columns_of}
            numbers = [isinstance(columns[name], Numeric | Datetime) for name in rule.columns_of]
            if not all(numbers) or len(dates) > 1:
                raise SchemaError(
                    f"the constraint `{rule.describe()}` compares columns that are not all numbers,"
                    " or not all dates of one resolution: declare them alike"
                )
            if isinstance(rule, Order) and rule.op == "==":
                _check_copies(rule, columns)
        case Sum() | Derived(table=None):
            _check_computed(rule, columns)
        case Derived():
            _check_looked_up(rule, columns)
        case OneHot():
            for name in rule.columns:
                if not _is_flag(columns[name]):
                    raise SchemaError(
                        f"the constraint `{rule.describe()}` needs columns of truth values, and"
                        f" {name!r} is none: declare it Boolean, or Numeric(0, 1, integer=True)"
                    )
        case Pattern():
            _check_texts(rule, columns[rule.column])
        case Unique():
            _check_key(rule, columns[rule.column])
        case FixedIncrements():
            if not isinstance(columns[rule.column], Numeric):
                raise SchemaError(
                    f"the constraint `{rule.describe()}` is about a column that has no numbers:"
                    " declare it Numeric"
                )
            _stepped(columns[rule.column], rule)  # type: ignore[arg-type]


def _check_copies(rule: Order, columns: Columns) -> None:
    if len({bool(getattr(columns[name], "nullable", False)) for name in rule.columns_of}) > 1:
        raise SchemaError(
            f"the constraint `{rule.describe()}` makes one column a copy of the other, and only one"
            " of them may be missing: declare both nullable, or neither"
        )


def _resolution(column: Column) -> str | None:
    return column.resolution if isinstance(column, Datetime) else None


def _is_flag(column: Column) -> bool:
    if isinstance(column, Numeric):
        return bool(column.integer and column.low == 0 and column.high == 1)
    return isinstance(column, Boolean)


def _check_result(rule: Sum | Derived, result: Column) -> None:
    """SchemaError where a computed column declares how its values are drawn."""
    declared = "heaping" if isinstance(result, Numeric) and result.heaps else ""
    if isinstance(result, Datetime) and result.parts:
        declared = "parts"
    if declared:
        raise SchemaError(
            f"the constraint `{rule.describe()}` computes {rule.column!r}, which declares"
            f" {declared}: leave {declared} out, as the value follows from other columns"
        )


def _check_computed(rule: Sum | Derived, columns: Columns) -> None:
    result = columns[rule.column]
    if not isinstance(result, Numeric | Datetime):
        raise SchemaError(
            f"the constraint `{rule.describe()}` computes a number, and {rule.column!r} is a column"
            " of another type: declare it Numeric or Datetime, or use a table"
        )
    for name in rule.parts:
        part = columns[name]
        numbers = isinstance(part, Categorical) and not isinstance(part.categories[0], str)
        if not numbers and not isinstance(part, Numeric | Datetime | Boolean):
            raise SchemaError(
                f"the constraint `{rule.describe()}` computes with {name!r}, which holds text:"
                " declare it Numeric"
            )
        if getattr(part, "nullable", False) and not result.nullable:
            raise SchemaError(
                f"the constraint `{rule.describe()}` has no value where {name!r} is missing:"
                f" declare {rule.column!r} nullable, or {name!r} not nullable"
            )


def _check_looked_up(rule: Derived, columns: Columns) -> None:
    """SchemaError for a table that gives an open column, or that may have no row for one."""
    result = columns[rule.column]
    if isinstance(result, OpenCategorical):
        raise SchemaError(
            f"the constraint `{rule.describe()}` gives {rule.column!r} by a public table, and its"
            " categories are to be found by a fit: declare it Categorical"
        )
    found = [name for name in rule.parts if isinstance(columns[name], OpenCategorical)]
    keys = {tuple(each and text_of(each) for each in row[:-1]) for row in rule.keys}
    if found and len(keys) < len(rule.keys):
        raise SchemaError(
            f"the constraint `{rule.describe()}` gives two rows for one text of {found[0]!r}: keep"
            " one"
        )
    if found and not getattr(result, "nullable", False):
        raise SchemaError(
            f"the constraint `{rule.describe()}` has no value where a fit does not find a category"
            f" of {found[0]!r}: declare {rule.column!r} nullable, or {found[0]!r} Categorical"
        )


def _check_texts(rule: Pattern, column: Column) -> None:
    """SchemaError where the values are no texts, or where declared ones do not follow a pattern."""
    if isinstance(column, OpenCategorical):
        texts: Sequence[str | float] = column.public
    elif isinstance(column, Categorical) and isinstance(column.categories[0], str):
        texts = [each for each in column.categories if each != column.other]
    else:
        raise SchemaError(
            f"the constraint `{rule.describe()}` is about a column whose values are no texts:"
            " declare its bounds, or declare it Categorical"
        )
    if odd := [text for text in texts if not rule.followed_by(str(text))]:
        raise SchemaError(
            f"the constraint `{rule.describe()}` excludes {odd[0]!r}, which is declared as a"
            " category: correct the pattern, or take the category out"
        )


def _check_key(rule: Unique, column: Column) -> None:
    if isinstance(column, Identifier):
        if column.repeats:
            raise SchemaError(
                f"{rule.column!r} repeats as people do, and the constraint `{rule.describe()}` says"
                " that no value comes twice: leave out one of the two"
            )
        return
    if not isinstance(column, Numeric) or not column.bounded or column.spacing is None:
        raise SchemaError(
            f"the constraint `{rule.describe()}` needs an identifier, or numbers in steps between"
            f" two public bounds: declare {rule.column!r} Identifier()"
        )


def _check_keys(constraints: Sequence[Constraint]) -> None:
    """SchemaError where a key that is generated stands in another constraint."""
    keys = {rule.column for rule in constraints if isinstance(rule, Unique)}
    for rule in constraints:
        if not isinstance(rule, Unique) and (both := keys & {*rule.columns_of}):
            raise SchemaError(
                f"{min(both)!r} is a key that is generated, and the constraint `{rule.describe()}`"
                " is about it too: leave one of the two out"
            )


def _check_derived(constraints: Sequence[Constraint]) -> None:
    """SchemaError where a column follows twice, or from itself by way of others."""
    rules: dict[str, Sum | Derived] = {}
    for rule in constraints:
        if isinstance(rule, Sum | Derived):
            if rule.column in rules:
                raise SchemaError(
                    f"{rule.column!r} follows twice, by `{rules[rule.column].describe()}` and by"
                    f" `{rule.describe()}`: keep one"
                )
            rules[rule.column] = rule
    graph = {name: {part for part in rule.parts if part in rules} for name, rule in rules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " and ".join(
            f"`{rules[name].describe()}`" for name in dict.fromkeys(error.args[1])
        )
        raise SchemaError(
            f"columns follow from each other in a circle, by {circle}: leave one out"
        ) from None


def _stepped(column: Numeric, rule: FixedIncrements) -> Numeric:
    """The column with multiples of the step only, between bounds that are multiples too."""
    spacing = column.spacing
    if spacing is not None and not _divides(spacing, rule.step):
        raise SchemaError(
            f"the constraint `{rule.describe()}` is no multiple of the column's own step of"
            f" {spacing:g}: change one of the two"
        )
    bound = column.low if column.low is not None else column.high  # steps are counted from it
    if spacing is not None and bound and not _divides(spacing, abs(bound)):
        raise SchemaError(
            f"the constraint `{rule.describe()}` excludes every value of the column, which are"
            f" {bound:g} and whole steps of {spacing:g} from it: move its bounds, or leave the"
            " constraint out"
        )
    low = None if column.low is None else _multiple(math.ceil, column.low, rule.step)
    high = None if column.high is None else _multiple(math.floor, column.high, rule.step)
    if low is not None and high is not None and low > high:
        raise SchemaError(
            f"no multiple of {rule.step:g} lies between the bounds {column.low} and {column.high}"
            f" of {rule.column!r}: widen them, or change the step"
        )
    return replace(column, low=low, high=high, step=rule.step, decimals=None)


def _divides(small: float, large: float) -> bool:
    times = large / small
    return round(times) >= 1 and abs(times - round(times)) < 1e-9 * times


def _multiple(rounded: object, bound: float, step: float) -> float:
    """The multiple at a bound; a bound so near to one that float64 cannot tell is taken for it."""
    times = bound / step
    near = round(times)
    whole = near if abs(times - near) < 1e-9 * max(1.0, abs(times)) else rounded(times)  # type: ignore[operator]
    return float(repr(round(whole * step, 12))) if isinstance(step, float) else whole * step


def combined_rules(
    constraints: Sequence[Constraint],
) -> list[FixedCombinations | OneHot]:
    """The rules that list what several columns may have together."""
    return [rule for rule in constraints if isinstance(rule, FixedCombinations | OneHot)]
