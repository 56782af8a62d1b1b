"""The public domain of a schema in words: what each column may hold, and who says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpsynth.base.text import clip, written
from dpsynth.schema.columns import (
    OTHER,
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
    Text,
)
from dpsynth.schema.constraints import Constraint, Derived, Sum, Unique
from dpsynth.schema.datetimes import UNITS
from dpsynth.schema.images import ImageSchema
from dpsynth.schema.relations import RelationalSchema, qualified
from dpsynth.schema.table import Schema

_LISTED = 12  # categories: more of them would fill the page
_GROUPED = 10_000  # from here on digits stand in groups of three: a year has none

Bounds = Mapping[str, tuple[float, float]]


Facts = Schema | ImageSchema | RelationalSchema
"""The public facts of a release, of one of three kinds."""


def columns_in_words(schema: Facts, bounds: Bounds) -> list[dict[str, str]]:
    """For each column its name, its type, what it may hold, and where that comes from."""
    if isinstance(schema, ImageSchema):
        return schema.in_words()
    if isinstance(schema, RelationalSchema):
        return [line for table in schema.tables for line in _of_table(schema, table, bounds)]
    origins = _constrained(schema.constraints)
    return [
        {
            "name": name,
            "type": type(column).__name__.lower(),
            "domain": _domain(column, bounds.get(name)),
            "origin": origins.get(name) or _origin(column, bounds.get(name)),
        }
        for name, column in schema.columns.items()
    ]


def _of_table(schema: RelationalSchema, table: str, bounds: Bounds) -> list[dict[str, str]]:
    """The columns of one of several tables, each after the name of its table."""
    own = schema.tables[table]
    names = {name: qualified(table, name) for name in own.columns}
    learned = {name: bounds[full] for name, full in names.items() if full in bounds}
    return [line | {"name": names[line["name"]]} for line in columns_in_words(own, learned)]


def constraints_in_words(schema: Facts) -> list[str]:
    """What all rows keep, as the schema declares it; of several tables after the table's name."""
    if isinstance(schema, RelationalSchema):
        tables = schema.tables.items()
        return [f"{name}: {rule}" for name, own in tables for rule in constraints_in_words(own)]
    return [rule.describe() for rule in getattr(schema, "constraints", ())]


def _constrained(constraints: Sequence[Constraint]) -> dict[str, str]:
    """Where columns come from that constraints make."""
    found = {}
    for rule in constraints:
        if isinstance(rule, Sum | Derived):
            found[rule.column] = "computed from other columns, never read"
        elif isinstance(rule, Unique):
            found[rule.column] = "never read"
    return found


def _domain(column: Column, learned: tuple[float, float] | None) -> str:
    """The public domain in words."""
    match column:
        case Identifier():
            return _names(column)
        case Text():
            return "free text"
        case Boolean():
            no, yes = column.written
            words = f"{yes} for true or {no} for false" if column.true else "true or false"
        case Datetime():
            words = f"{column.low} to {column.high}, to the {UNITS[column.resolution]}"
            words += f", modelled by {', '.join(column.parts)}" if column.parts else ""
        case Categorical():
            words = _listed(column)
        case OpenCategorical():
            words = "categories that many have; all others count as " + OTHER
        case Numeric():
            low, high = learned or (column.low, column.high)
            kind = "whole numbers" if column.integer else "numbers"
            words = f"{kind} from {_bound(low)} to {_bound(high)}"
            stepped = not column.integer or column.spacing != 1
            words += f" in steps of {written(column.spacing)}" if column.spacing and stepped else ""
            words += _heaps(column)
    return f"{words}; may be missing" if column.nullable else words


def _heaps(column: Numeric) -> str:
    """The declared shares of round values: they are public, and no charge counts them."""
    if not column.heaps:
        return ""
    if not column.heaped:
        return f"; multiples of {', '.join(map(str, column.heaps))} are counted"
    shares = zip(column.heaps, column.heaped, strict=True)
    said = ", ".join(f"{share:.4g} of {grid:g}" for grid, share in shares)
    return f"; declared shares of multiples: {said}"


def _names(column: Identifier) -> str:
    if column.faker is not None:
        return f"made up by Faker: {column.faker} in {column.locale}, from public lists"
    made = column.pattern or ("{} to {}".format(*column.range) if column.range else "")
    said = "made afresh" + (f" as {made}" if made else "")
    if column.real is not None:
        real = column.real if isinstance(column.real, str) else "{} to {}".format(*column.real)
        said += f"; real ones are declared as {real}, which none of them can be"
    return said + ("; they repeat" if column.repeats else "")


def _listed(column: Categorical) -> str:
    names = [clip(str(name), 40) for name in column.categories]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    kind = "ordered categories" if column.ordered else "categories"
    other = f"; all others count as {column.other}" if column.other is not None else ""
    return f"{len(names)} {kind}: {', '.join(names[:_LISTED])}{more}{other}"


def _bound(value: float | None) -> str:
    if value is None:
        return "a bound that is not stated"
    text = written(value) if value == int(value) else written(value, 6)
    return text.replace(",", "") if abs(value) < _GROUPED else text


def _origin(column: Column, learned: tuple[float, float] | None) -> str:
    """Where the domain comes from."""
    if isinstance(column, Identifier | Text):
        return "never read"
    if isinstance(column, OpenCategorical):
        public = f"{len(column.public):,} declared in the schema, " if column.public else ""
        return f"{public}found by a charge with a delta of its own"
    if not isinstance(column, Numeric) or column.bounded or learned is None:
        return "declared in the schema"
    if column.low is None and column.high is None:
        return "both bounds learned by a charge"
    learned_end = "low" if column.low is None else "high"
    return f"{learned_end} learned by a charge, the other bound declared in the schema"
