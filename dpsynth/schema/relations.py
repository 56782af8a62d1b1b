"""RelationalSchema: the public facts about several tables, whose rows hang on those of one.

The rows of one table, the root, are those whom the guarantee protects: each with all that hangs on
it, in whatever tables. Everything else follows from the tables' own schemas and the links.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping, write_mapping
from dpsynth.base.places import expanded
from dpsynth.kernel.unit import Adjacency, PrivacyUnit
from dpsynth.schema.columns import Datetime, Identifier, Numeric, SchemaError
from dpsynth.schema.table import Schema
from dpsynth.schema.table_files import digest

VERSION = 1
FORMAT = "dpsynth_relations"

USED = 10
"""Rows of a table for each root that a fit uses at most, where the link states no number."""

MOST_CHILDREN = 100_000

_LINK = re.compile(r"\s*([^.\s]+)\.(.+?)\s*->\s*([^.\s]+)\.(.+?)\s*")


@dataclass(frozen=True)
class Link:
    """Rows of one table belong to rows of another, whose key they have.

    Parameters
    ----------
    path : str
        "stays.patient_id -> patients.id": the table and its column with the key, and the table
        whose rows have this key, in which column.
    max_children : int
        How many rows belong to one row at most: more are neither used nor released.
    order : str or None
        The column by which rows that belong together follow each other: dates, or numbers with
        steps. None where they have no order.
    records : int or None
        How many rows of this table are used at most for each row of the root. None is what
        `max_children` gives on the way there, or 10 where that is more.

    Raises
    ------
    SchemaError
        For a path that cannot be read, and for numbers that are none.

    Examples
    --------
    >>> link = Link("stays.patient_id -> patients.id", max_children=4, order="admitted")
    >>> link.child, link.column, link.parent, link.key
    ('stays', 'patient_id', 'patients', 'id')
    """

    path: str
    max_children: int
    order: str | None = None
    records: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or _LINK.fullmatch(self.path) is None:
            raise SchemaError(
                f"a link is written as 'stays.patient_id -> patients.id', got {self.path!r}:"
                " name the table and its column, and the table and the column with its key"
            )
        for name, value, most in (
            ("max_children", self.max_children, MOST_CHILDREN),
            ("records", self.records, 2**40),
        ):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if (value is not None or name == "max_children") and not (
                whole and 1 <= value <= most  # type: ignore[operator]
            ):
                raise SchemaError(
                    f"{name} of the link {self.path!r} must be a whole number from 1 to {most:,},"
                    f" got {value!r}"
                )
        if self.child == self.parent:
            raise SchemaError(
                f"the link {self.path!r} leads from a table to itself: only links between two"
                " tables can be kept, so leave it out"
            )

    @property
    def child(self) -> str:
        """The table whose rows belong to others."""
        return self._parts[0]

    @property
    def column(self) -> str:
        """Its column with the key of the row that it belongs to."""
        return self._parts[1]

    @property
    def parent(self) -> str:
        """The table to whose rows they belong."""
        return self._parts[2]

    @property
    def key(self) -> str:
        """Its column that has the key."""
        return self._parts[3]

    @property
    def _parts(self) -> tuple[str, str, str, str]:
        found = _LINK.fullmatch(self.path)
        assert found is not None
        return found[1], found[2], found[3], found[4]

    def to_dict(self) -> dict[str, Any]:
        """The link in a file; what is at its default is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, init=False, repr=False)
class RelationalSchema:
    """Several tables whose rows hang on those of one, the root; all of it public.

    Parameters
    ----------
    tables : mapping of str to Schema, mapping, str or Path
        For each table its schema, or what its file holds, or the path of that. Keys are declared as
        `Identifier`, and made anew in a release. The unit of each schema is left at its default.
    links : sequence of Link or mapping
        One for each table but the root.
    adjacency : {"add-remove", "replace"}
        Whether neighbouring data differ in a row of the root with all that hangs on it, or in two
        of them, one in place of the other.

    Raises
    ------
    SchemaError
        For links that do not make a tree of all tables, for keys that are not declared as
        `Identifier`, and for an order by a column that has none.

    Examples
    --------
    >>> patients = Schema({"id": Identifier(), "age": Numeric(0, 120, integer=True)})
    >>> stays = Schema({"patient": Identifier(), "days": Numeric(0, 90, integer=True)})
    >>> links = [Link("stays.patient -> patients.id", max_children=4)]
    >>> schema = RelationalSchema({"patients": patients, "stays": stays}, links)
    >>> schema.root, schema.unit.describe()
    ('patients', "every 'id', of whom at most 5 records are used, added or removed")
    >>> RelationalSchema.from_dict(schema.to_dict()) == schema
    True
    """

    named: tuple[tuple[str, Schema], ...]
    links: tuple[Link, ...]
    adjacency: Adjacency

    def __init__(
        self,
        tables: Mapping[str, Schema | Mapping[str, Any] | str | Path],
        links: Sequence[Link | Mapping[str, Any]],
        *,
        adjacency: Adjacency = "add-remove",
    ) -> None:
        if not isinstance(tables, Mapping) or not tables:
            raise SchemaError(
                "tables must be a mapping of names to schemas, one for each table: name two or more"
            )
        made = tuple((name, Schema.of(given)) for name, given in tables.items())
        object.__setattr__(self, "named", made)
        object.__setattr__(self, "links", tuple(map(_link_of, links)))
        object.__setattr__(self, "adjacency", adjacency)
        for name, schema in made:
            _check_table(name, schema)
        self._check_tree()
        for link in self.links:
            self._check_link(link)
        self.unit  # noqa: B018  # ValueError for an adjacency that there is not

    @property
    def tables(self) -> dict[str, Schema]:
        """The schema of each table by its name, the root first, each after that it hangs on."""
        own = dict(self.named)
        found = [self.root]
        for name in found:
            found += self.children(name)
        return {name: own[name] for name in found}

    @property
    def root(self) -> str:
        """The table whose rows are protected, each with all that hangs on it."""
        below = {link.child for link in self.links}
        return next(name for name, _ in self.named if name not in below)

    def children(self, table: str) -> list[str]:
        """The tables whose rows belong to rows of this one."""
        return [link.child for link in self.links if link.parent == table]

    def link(self, table: str) -> Link | None:
        """What says to which rows those of a table belong; None for the root."""
        return next((link for link in self.links if link.child == table), None)

    def above(self, table: str) -> list[str]:
        """The tables on the way to the root, the nearest first."""
        link = self.link(table)
        return [] if link is None else [link.parent, *self.above(link.parent)]

    def records(self, table: str) -> int:
        """How many rows of a table are used at most for each row of the root."""
        link = self.link(table)
        if link is None:
            return 1
        most = self.most(table)
        return min(most, USED if link.records is None else link.records)

    def most(self, table: str) -> int:
        """How many rows of a table a row of the root can have."""
        link = self.link(table)
        return 1 if link is None else self.most(link.parent) * link.max_children

    @property
    def key(self) -> str:
        """The column of the root that says whose the rows are."""
        return next(link.key for link in self.links if link.parent == self.root)

    @property
    def unit(self) -> PrivacyUnit:
        """Whom the guarantee protects, and how many rows of it are used in all tables together."""
        rows = sum(self.records(name) for name, _ in self.named)
        return PrivacyUnit(self.key, rows, self.adjacency)

    def in_words(self) -> list[str]:
        """Which rows of each table the guarantee protects together, a sentence for each."""
        found = [f"One row of {self.root}, by {self.key!r}, with all rows that hang on it."]
        for name in self.tables:
            if (link := self.link(name)) is None:
                continue
            order = f", in the order of {link.order!r}" if link.order else ""
            found.append(
                f"Rows of {name} hang on a row of {link.parent} by {link.column!r}{order}: at most"
                f" {link.max_children:,} on each, of which at most {self.records(name):,} are used"
                f" for each row of {self.root}."
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """The content of the schema's file."""
        tables = {name: schema.to_dict() for name, schema in self.named}
        found: dict[str, Any] = {
            FORMAT: VERSION,
            "tables": tables,
            "links": [link.to_dict() for link in self.links],
        }
        return found | ({} if self.adjacency == "add-remove" else {"adjacency": self.adjacency})

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> RelationalSchema:
        """The schema of which `spec` is the `to_dict()`; SchemaError where it is none."""
        known = {FORMAT, "tables", "links", "adjacency"}
        if not isinstance(spec, Mapping) or spec.get(FORMAT) != VERSION:
            raise SchemaError(
                f"a schema of several tables states {FORMAT}: {VERSION} and has the fields tables"
                " and links: correct it"
            )
        if odd := sorted(map(str, {*spec} - known)):
            raise SchemaError(f"a schema of several tables has no field {odd[0]!r}: leave it out")
        return cls(
            spec.get("tables", {}),
            spec.get("links", []),
            adjacency=spec.get("adjacency", "add-remove"),
        )

    @classmethod
    def load(cls, path: str | Path) -> RelationalSchema:
        """The schema in a .yaml, .yml or .json file; SchemaError, with the path, for another."""
        try:
            return cls.from_dict(read_mapping(expanded(path)))
        except ValueError as error:
            raise SchemaError(f"{path}: {error}") from None

    @classmethod
    def of(cls, given: RelationalSchema | str | Path | Mapping[str, Any]) -> RelationalSchema:
        """A schema as it is, of a file, or of what `to_dict` returns; SchemaError for another."""
        if isinstance(given, cls):
            return given
        if isinstance(given, str | Path):
            return cls.load(given)
        if isinstance(given, Mapping):
            return cls.from_dict(given)
        raise SchemaError(
            "a schema of several tables must be a RelationalSchema, the path of its file, or the"
            f" mapping that the file holds, got {type(given).__name__}: give one of these"
        )

    def save(self, path: str | Path) -> None:
        """Write the schema; the name's end, .yaml, .yml or .json, says in which format."""
        write_mapping(expanded(path), self.to_dict())

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the facts as canonical JSON, whichever format they are stored in."""
        spec = self.to_dict()
        for table in spec["tables"].values():
            table["columns"] = list(table["columns"].items())
        return digest({**spec, "tables": list(spec["tables"].items())})

    def __repr__(self) -> str:
        return f"RelationalSchema({', '.join(self.tables)})"

    def _check_tree(self) -> None:
        names, own = [name for name, _ in self.named], [link.child for link in self.links]
        if odd := [n for link in self.links for n in (link.child, link.parent) if n not in names]:
            raise SchemaError(f"a link names the table {odd[0]!r}, which the schema lacks: add it")
        if twice := [name for name in own if own.count(name) > 1]:
            raise SchemaError(
                f"the table {twice[0]!r} belongs to two tables, and a row can have one root only:"
                " leave one link out, or declare the key of a public table as Categorical"
            )
        roots = [name for name in names if name not in own]
        if len(roots) != 1 or len(names) < 2:
            raise SchemaError(
                "one table must be the root, and every other one have a link, got"
                f" {len(roots)} of {len(names)} tables without one: give each table but the root a"
                " link"
            )
        if odd := [name for name in names if name not in self._reached(roots[0])]:
            raise SchemaError(f"the links of {odd[0]!r} lead round in a circle: correct them")

    def _reached(self, root: str) -> list[str]:
        found = [root]
        for name in found:
            found += self.children(name)
        return found

    def _check_link(self, link: Link) -> None:
        own = dict(self.named)
        for table, name in ((link.child, link.column), (link.parent, link.key)):
            if not isinstance(own[table].columns.get(name), Identifier):
                raise SchemaError(
                    f"{qualified(table, name)} is a key in the link {link.path!r}, and must be"
                    " declared as Identifier: declare it so, keys are made anew in a release"
                )
        keys = {each.key for each in self.links if each.parent == link.parent}
        if len(keys) > 1:
            raise SchemaError(
                f"links name two keys of {link.parent!r}, {' and '.join(sorted(keys))}: name one"
            )
        if link.order is not None:
            column = own[link.child].columns.get(link.order)
            bounded = isinstance(column, Numeric) and column.bounded
            if not isinstance(column, Datetime) and not bounded:
                raise SchemaError(
                    f"the order of {link.child!r} must be a column of dates, or of numbers with"
                    f" bounds, got {link.order!r}: name one, or leave it out"
                )


def qualified(table: str, column: str) -> str:
    """A column after the name of its table."""
    return f"{table}.{column}"


def _link_of(given: Any) -> Link:
    if isinstance(given, Link):
        return given
    if not isinstance(given, Mapping):
        raise SchemaError(f"a link must be a Link or a mapping, got {type(given).__name__}")
    known = {"path", "max_children", "order", "records"}
    if odd := sorted(map(str, {*given} - known)):
        raise SchemaError(f"a link has no field {odd[0]!r}: it has {', '.join(sorted(known))}")
    if lacking := sorted({"path", "max_children"} - {*given}):
        raise SchemaError(f"a link lacks {lacking[0]!r}: state it")
    return Link(**given)


def _check_table(name: Any, schema: Schema) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[^.\s/\\]+", name):
        raise SchemaError(
            f"a table's name has no points, spaces or slashes, got {name!r}: rename it"
        )
    if schema.unit != PrivacyUnit():
        raise SchemaError(
            f"the schema of {name!r} states a unit, and the unit of several tables is a row of the"
            " root: leave it out"
        )
