"""Windows: what a row of a table is modelled with, where it hangs on rows of other tables.

A window has the row's own columns, how many rows of other tables hang on it and when the first of
them comes, what the rows above it say, and what the row before it says. Rows that have an order are
modelled by the gap since the row before, so that time never runs backwards. All of it is public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpsynth.data.constraints.recoding import Recoding, recoding_of
from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.data.tables.inside import Inside
from dpsynth.data.tables.moments import Moments
from dpsynth.door.codes import Coding
from dpsynth.door.linked import Above, Before, Children, First, Gap, Moment, Own, Place, Value
from dpsynth.models.base import Model
from dpsynth.schema.relations import Link, RelationalSchema, qualified
from dpsynth.schema.table import Column, Datetime, Numeric, Schema, SchemaError
from dpsynth.synthesizers.implications import implications_of

Bounds = Mapping[str, tuple[float, float]]

PLACES = 32
"""Places after which rows are told apart no more by how many come before them."""


@dataclass(frozen=True, eq=False)
class Window:
    """The public facts of one table's windows.

    Parameters
    ----------
    table : str
        Its name.
    link : Link or None
        What it hangs on.
    recoding : Recoding
        Of its own columns but the one of its order.
    columns : mapping of str to Column
        What is drawn for a row: its own columns and what is counted of others, by their names in
        the window.
    values : mapping of str to Value
        What the door reads for each.
    moments : Moments or None
        Of its order.
    """

    table: str
    link: Link | None
    recoding: Recoding
    columns: Mapping[str, Column]
    values: Mapping[str, Value]
    moments: Moments | None

    def named(self, name: str) -> str:
        """What one of its columns is called in a window."""
        return qualified(self.table, name)

    @property
    def order(self) -> tuple[tuple[str, Coding], ...]:
        """The columns by which rows follow each other, with their codings: its order, and of two
        rows of one moment the columns of the table one after another.
        """
        if self.moments is None or self.link is None:
            return ()
        columns = self.recoding.modelled.coded.items()
        told = [
            (name, codec_for(column))
            for name, column in columns
            if not isinstance(column, Numeric) or column.bounded
        ]
        return ((str(self.link.order), self.moments), *told)

    @property
    def gap(self) -> str:
        """The gap since the row before."""
        return self.named("gap")

    @property
    def phase(self) -> str:
        """The time of the day."""
        return self.named("time of day")

    @property
    def moment(self) -> str:
        """In which stretch of time the row before lies."""
        return self.named("moment before")

    @property
    def weekday(self) -> str:
        """On which day of the week it lies."""
        return self.named("weekday before")

    @property
    def place(self) -> str:
        """How many rows come before."""
        return self.named("place")

    def children(self, table: str) -> str:
        """How many rows of another table hang on a row."""
        return self.named(f"number of {table}")

    def first(self, table: str) -> str:
        """When the first of them comes."""
        return self.named(f"start of {table}")

    def before(self, name: str) -> str:
        """What the row before says."""
        return f"{name} before"


def window_of(schema: RelationalSchema, table: str) -> Window:
    """The window of a table.

    Raises
    ------
    SchemaError
        For a column with the name of one that windows have, and for what is not modelled yet in
        tables that hang on others.
    """
    own, link = schema.tables[table], schema.link(table)
    order = None if link is None else link.order
    moments = None
    if order is not None:
        column = own.columns[order]
        assert isinstance(column, Numeric | Datetime)
        moments = Moments(column)
    recoding = recoding_of(_without(own, order, table))
    refuse_unmodelled(recoding, table)
    bare = Window(table, link, recoding, {}, {}, moments)
    columns: dict[str, Column] = {}
    values: dict[str, Value] = {}
    for name, column in recoding.modelled.coded.items():
        columns[bare.named(name)], values[bare.named(name)] = column, Own(name)
    for name, column, value in _counted(schema, bare):
        if name in columns:
            raise SchemaError(
                f"the column {name!r} has the name of one that is made of the tables: rename it"
            )
        columns[name], values[name] = column, value
    return replace(bare, columns=columns, values=values)


def _counted(schema: RelationalSchema, window: Window) -> list[tuple[str, Column, Value]]:
    """What is counted of other rows."""
    found: list[tuple[str, Column, Value]] = []
    if (moments := window.moments) is not None:
        gaps = Numeric(0, moments.stretches, integer=True, nullable=True)
        found.append((window.gap, gaps, Gap(moments.stretch)))
        if moments.stretch > 1:
            phases = Numeric(0, moments.stretch - 1, integer=True)
            found.append((window.phase, phases, Moment(1, moments.stretch)))
    for child in schema.children(window.table):
        link = schema.link(child)
        assert link is not None
        numbers = Numeric(0, link.max_children, integer=True)
        found.append((window.children(child), numbers, Children(child)))
        if link.order is not None:
            column = schema.tables[child].columns[link.order]
            assert isinstance(column, Numeric | Datetime)
            moments = Moments(column)
            starts = Numeric(0, moments.stretches, integer=True, nullable=True)
            found.append((window.first(child), starts, First(child, moments.stretch)))
    return found


def refuse_unmodelled(recoding: Recoding, table: str) -> None:
    """SchemaError for what windows do not model."""
    ruled = [each.rule for each in recoding.checks]
    ruled += [f"`{each.rule.describe()}`" for each in implications_of(recoding.released)]
    if ruled:
        raise SchemaError(
            f"rows of {table!r} are not drawn again until they keep {ruled[0]}: leave this"
            " constraint out of a schema of several tables"
        )
    if recoding.modelled.open:
        raise SchemaError(
            f"the categories of {recoding.modelled.open[0]!r} of {table!r} are open, and are not"
            " found in several tables: list them, or leave the column out"
        )


def _without(schema: Schema, order: str | None, table: str) -> Schema:
    """The schema without the column of the order."""
    if order is None:
        return schema
    if ruled := [rule for rule in schema.constraints if order in rule.columns_of]:
        raise SchemaError(
            f"a constraint of {table!r} is about its order {order!r}, which is modelled by the gaps"
            f" between rows: leave out `{ruled[0].describe()}`"
        )
    columns = {name: column for name, column in schema.columns.items() if name != order}
    return Schema(
        columns,
        file=schema.file,
        not_identifying=[name for name in schema.not_identifying if name in columns],
        constraints=schema.constraints,
    )


@dataclass(frozen=True, eq=False)
class Context:
    """What a window has beside what is drawn: the rows above, the row before, and the place.

    columns: by their names in the window. tables: for each, of rows above, their table; None for
    the row before and for the place. own: what the column is called in its own window, if it has
    one.
    """

    columns: Mapping[str, Column]
    tables: Mapping[str, str | None]
    own: Mapping[str, str]


def context_of(windows: Mapping[str, Window], schema: RelationalSchema, table: str) -> Context:
    """What is around a row of a table. windows: of the tables above, and of its own."""
    window = windows[table]
    columns: dict[str, Column] = {}
    tables: dict[str, str | None] = {}
    own: dict[str, str] = {}
    for above in schema.above(table):
        for name, column in windows[above].columns.items():
            columns[name], tables[name], own[name] = column, above, name
    if window.link is not None:
        for name, column in window.columns.items():
            if isinstance(window.values[name], Own | Gap | Moment):
                facts: Any = replace  # each of these columns can be nullable
                before, earlier = window.before(name), facts(column, nullable=True)
                columns[before], tables[before], own[before] = earlier, None, name
        most = min(window.link.max_children, PLACES) - 1
        columns[window.place], tables[window.place] = Numeric(0, most, integer=True), None
    if (moments := window.moments) is not None:
        columns[window.moment] = Numeric(0, moments.stretches, integer=True, nullable=True)
        tables[window.moment] = None
        if moments.weekly:
            columns[window.weekday] = Numeric(0, 6, integer=True, nullable=True)
            tables[window.weekday] = None
    return Context(columns, tables, own)


def read_of(
    windows: Mapping[str, Window], context: Context, table: str, codings: Mapping[str, Codec]
) -> dict[str, Value | Above | Before]:
    """What the door reads for a window, in cells of these codings where it is around a row."""
    window = windows[table]
    found: dict[str, Value | Above | Before] = dict(window.values)
    for name, of in context.tables.items():
        if name == window.place:
            found[name] = Place()
        elif name in (window.moment, window.weekday):
            assert window.moments is not None
            cycle = 7 if name == window.weekday else None
            found[name] = Before(Moment(window.moments.stretch, cycle), codings[name])
        elif of is None:
            found[name] = Before(window.values[context.own[name]], codings[name])
        else:
            found[name] = Above(of, windows[of].values[name], codings[name])
    return found


def context_bounds(context: Context, bounds: Bounds) -> dict[str, tuple[float, float]]:
    """The bounds that were learned of what is around a row."""
    return {name: bounds[own] for name, own in context.own.items() if own in bounds}


@dataclass(frozen=True, eq=False)
class FittedWindow:
    """What a fit leaves behind of one table. All of it was paid for, and is public."""

    window: Window
    context: Context
    model: Model
    bounds: Bounds
    inside: Mapping[str, Inside]
