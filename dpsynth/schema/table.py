"""Schema: the public facts about a table, in a file that a person writes and signs.

Everything in a schema is public and chosen without looking at the rows; whatever depends on the
rows is charged. The file (YAML or JSON) states its version, `dpsynth_schema: 1`. An unknown field
or version is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping, write_mapping
from dpsynth.base.places import expanded
from dpsynth.base.text import some
from dpsynth.kernel.unit import PrivacyUnit
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
from dpsynth.schema.constraint_check import check_constraints
from dpsynth.schema.constraint_files import constraints_of
from dpsynth.schema.constraints import (
    Constraint,
    Derived,
    FixedCombinations,
    FixedIncrements,
    Implies,
    OneHot,
    Order,
    Pattern,
    Range,
    Sum,
    Unique,
)
from dpsynth.schema.drafts import SchemaDraft, drafted
from dpsynth.schema.entries import facts, mapping
from dpsynth.schema.files import FileFormat
from dpsynth.schema.identifying import direct_identifier
from dpsynth.schema.opened import settled_rules
from dpsynth.schema.table_check import (
    check_columns,
    check_encoding,
    check_markers,
    check_unit,
    cleared,
    repeating_of,
)
from dpsynth.schema.table_files import arguments_of, content_of, digest, marked

__all__ = [
    "Boolean",
    "Categorical",
    "Column",
    "Constraint",
    "Datetime",
    "Derived",
    "FileFormat",
    "FixedCombinations",
    "FixedIncrements",
    "Identifier",
    "Implies",
    "Numeric",
    "OneHot",
    "OpenCategorical",
    "Order",
    "Pattern",
    "Range",
    "Schema",
    "SchemaDraft",
    "SchemaError",
    "Sum",
    "Text",
    "Unique",
]


@dataclass(frozen=True, init=False, repr=False)
class Schema:
    """The columns of a table in their order, and the unit of privacy; all of it public.

    Two schemas are equal where their files are.

    Parameters
    ----------
    columns : mapping of str to Column
        For each name a `Numeric`, `Categorical`, `OpenCategorical`, `Datetime`, `Boolean`,
        `Identifier` or `Text`.
    unit : PrivacyUnit or None
        Whom the guarantee protects; None for a row by itself.
    file : FileFormat or None
        How text files of the table are written, as far as that is declared.
    not_identifying : sequence of str
        Columns that a fit models although their names look like direct identifiers of people, such
        as "name" for that of a product.
    constraints : sequence of Constraint
        What every row keeps: `Order`, `Range`, `Implies`, `FixedCombinations`, `Sum`, `Derived`,
        `OneHot`, `Unique`, `FixedIncrements` and `Pattern` (docs/constraints.md). A release keeps
        it too.

    Raises
    ------
    SchemaError
        For no columns, a name that is not text, something that is no column type, an id column
        that is declared as data to release, a missing marker of all columns that is a value of
        one, a `not_identifying` that is no list of columns, and constraints that do not fit the
        columns.

    Examples
    --------
    >>> from dpsynth import PrivacyUnit
    >>> columns = {"age": Numeric(0, 120, integer=True), "sex": Categorical(["f", "m"])}
    >>> schema = Schema(columns, unit=PrivacyUnit("patient_id", max_records=20))
    >>> schema
    Schema(age: Numeric, sex: Categorical)
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    named: tuple[tuple[str, Column], ...]
    unit: PrivacyUnit
    file: FileFormat
    not_identifying: tuple[str, ...]
    constraints: tuple[Constraint, ...]

    def __init__(
        self,
        columns: Mapping[str, Column],
        *,
        unit: PrivacyUnit | None = None,
        file: FileFormat | None = None,
        not_identifying: Sequence[str] = (),
        constraints: Sequence[Constraint] = (),
    ) -> None:
        file = file if file is not None else FileFormat()
        given = mapping("columns", columns).items()
        named = tuple((name, marked(column, file)) for name, column in given)
        object.__setattr__(self, "named", named)
        object.__setattr__(self, "unit", unit if unit is not None else PrivacyUnit())
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "not_identifying", cleared(not_identifying, self.columns))
        object.__setattr__(self, "constraints", constraints_of(constraints))
        check_columns(self.columns)
        check_unit(self.columns, self.unit)
        check_constraints(self.columns, self.constraints)
        check_encoding(self.to_dict(), file.encoding)
        check_markers(self.columns, file)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name, in the table's order; a new mapping each time."""
        return dict(self.named)

    @property
    def coded(self) -> dict[str, Column]:
        """The columns that are read and modelled: all but identifiers and text."""
        return {
            name: column for name, column in self.named if not isinstance(column, Identifier | Text)
        }

    @property
    def repeating(self) -> tuple[str, ...]:
        """Those of the unit's id columns whose new names are to repeat as its units do."""
        return repeating_of(self.columns)

    @property
    def unbounded(self) -> tuple[str, ...]:
        """The numeric columns with a bound that is learned by a charged query."""
        numeric = {name: column for name, column in self.named if isinstance(column, Numeric)}
        return tuple(name for name, column in numeric.items() if not column.bounded)

    @property
    def open(self) -> tuple[str, ...]:
        """The columns whose categories are found by a charge."""
        return tuple(name for name, column in self.named if isinstance(column, OpenCategorical))

    def following(self, found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """Of the categories that a fit found those that follow the patterns of their columns."""
        rules = [rule for rule in self.constraints if isinstance(rule, Pattern)]
        return {
            name: tuple(
                text
                for text in each
                if all(rule.followed_by(text) for rule in rules if rule.column == name)
            )
            for name, each in found.items()
        }

    def settled(self, found: Mapping[str, Sequence[str]]) -> Schema:
        """The schema with the categories that a fit found in open columns; none for one not named.

        found: `Synthesizer.categories`.
        """
        if not self.open:
            return self
        columns = {
            name: column.settled(found.get(name, ()))
            if isinstance(column, OpenCategorical)
            else column
            for name, column in self.named
        }
        return Schema(
            columns,
            unit=self.unit,
            file=self.file,
            not_identifying=self.not_identifying,
            constraints=settled_rules(self.constraints, self.columns, columns),
        )

    def refuse_text(self) -> None:
        """SchemaError where a column is free text, which can be neither modelled nor copied."""
        if names := [name for name, column in self.named if isinstance(column, Text)]:
            listed = some([*map(repr, names)])
            raise SchemaError(
                f"free text cannot be synthesized, and {listed} is declared Text: remove it from"
                " the schema and from the data, or declare it Categorical or Identifier"
            )

    def identifying(self) -> dict[str, str]:
        """The columns to be modelled that look like direct identifiers of people, and why."""
        reasons = {name: direct_identifier(name) for name in self.coded}
        return {n: why for n, why in reasons.items() if why and n not in self.not_identifying}

    def refuse_identifying(self) -> None:
        """SchemaError where a column to be modelled looks like a direct identifier of people."""
        if found := self.identifying():
            listed = "; ".join(f"{name!r}, as {why}" for name, why in found.items())
            raise SchemaError(
                "a release may not model what points to people, and these columns look like direct"
                f" identifiers: {listed}; declare them as identifier, so that they are made anew,"
                " leave them out, or list them under not_identifying in the schema"
            )

    def to_dict(self) -> dict[str, Any]:
        """The content of the schema's file; fields at their default are left out."""
        own = (self.unit, self.file, self.not_identifying, self.constraints)
        return content_of(self.columns, *own)

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> Schema:
        """The schema of which `spec` is the `to_dict()`; SchemaError where it is none."""
        return cls(**arguments_of(spec))

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """The schema in a .yaml, .yml or .json file; SchemaError, with the path, for another."""
        try:
            return cls.from_dict(read_mapping(expanded(path)))
        except ValueError as error:
            raise SchemaError(f"{path}: {error}") from None

    @classmethod
    def of(cls, given: Schema | str | Path | Mapping[str, Any]) -> Schema:
        """A schema as it is, of a file, or of what `to_dict` returns; SchemaError for another."""
        if isinstance(given, cls):
            return given
        if isinstance(given, str | Path):
            return cls.load(given)
        if isinstance(given, Mapping):
            return cls.from_dict(given)
        raise SchemaError(
            "a schema must be a Schema, the path of its file, or the mapping that the file holds,"
            f" got {type(given).__name__}: give one of these"
        )

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        kind: str | None = None,
        *,
        table: str | None = None,
        dialect: str | None = None,
        labels_public: bool = False,
        open_unknown: bool = False,
    ) -> Schema:
        """The schema that a data dictionary states, as `dpsynth schema import` writes it.

        Parameters
        ----------
        path : str or Path
            A data dictionary.
        kind : str or None
            Its form: redcap, table, columns, sdv, frictionless, jsonschema, croissant, smartnoise,
            google, ddl, ddi, spss or stata. None for the first that recognises the file.
        table : str or None
            The table, where the dictionary describes several.
        dialect : str or None
            Of SQL, such as "mysql".
        labels_public : bool
            Whether the value labels of an SPSS or Stata file are public, and so the categories.
            Programs may make them from the rows; say so only where you know the list without them.
        open_unknown : bool
            Whether a charge finds the bounds of numbers and the categories that it lacks.

        Raises
        ------
        SchemaError
            Where it cannot be read, and where it lacks facts: these are named, column by column.
        """
        facts = _READER[0](str(path), kind, table, dialect, labels_public, open_unknown)
        return cls.from_dict(facts)

    def save(self, path: str | Path) -> None:
        """Write the schema; the name's end, .yaml, .yml or .json, says in which format."""
        write_mapping(expanded(path), self.to_dict())

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the facts as canonical JSON, whichever format they are stored in.

        The order of the columns is one of the facts.
        """
        spec = self.to_dict()
        spec["columns"] = list(spec["columns"].items())
        return digest(spec)

    def reading_of_units(self) -> str | None:
        """SHA-256 (hex) of what says whose a row is, beside its ids; None where nothing does.

        The dates of a period have bounds, a format and a zone, and text may have lost signs by its
        encoding or quote. Where two runs of one ledger differed in these, a unit of the one would
        be part of a unit of the other, and their charges would not add up.
        """
        read: dict[str, Any] = {name: facts(self.columns[name]) for name in self.unit.periods}
        if self.unit.id_column is not None:
            plain = FileFormat()
            for name in ("encoding", "quote"):
                if getattr(self.file, name) != getattr(plain, name):
                    read[f"file {name}"] = getattr(self.file, name)
        return digest(read) if read else None

    @staticmethod
    def draft(
        table: Any, unit: PrivacyUnit | None = None, file: FileFormat | None = None
    ) -> SchemaDraft:
        """A draft to edit, from names and dtypes of a pandas DataFrame, of a `Database` or of a
        table that Arrow can read.

        No row is read. Every bound and category is left as "TODO". So is what one missing value
        changes in the dtypes of pandas, which would tell something of a record: whether numbers are
        whole, and whether a column is one of booleans, unless its dtype is "boolean" or Arrow's.
        One word among numbers makes a column text: where pandas guessed the dtypes from the rows,
        check each type. Where all columns are text, as in CSV, the type is left
        too, but for names that suggest one. All columns are drafted as nullable. unit: whom to
        protect; its id columns are drafted as identifiers. file: how the table's files are written,
        as far as that is known.
        """
        return drafted(table, unit, file)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name}: {type(column).__name__}" for name, column in self.named)
        return f"Schema({kinds})"


Dictionaries = Callable[[str, str | None, str | None, str | None, bool, bool], Mapping[str, Any]]
_READER: list[Dictionaries] = []


def read_dictionaries_with(reader: Dictionaries) -> None:
    """Takes what `Schema.from_file` reads with: from path, kind, table, dialect, whether labels are
    public and whether a charge finds what is lacking, to a schema's content. It lies above, in
    `schema.importing`.
    """
    _READER[:] = [reader]
