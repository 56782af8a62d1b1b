"""Schema: the public facts about a table, in a file that a person writes and signs.

Everything in a schema is public and chosen without looking at the rows; whatever depends on the
rows is charged. The file (YAML or JSON) states its version, `dpsynth_schema: 1`. An unknown field
or version is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.base.mappings import read_mapping, write_mapping
from dpsynth.base.places import expanded
from dpsynth.base.text import some
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import (
    COLUMN_TYPES,
    SECONDS,
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
    SchemaError,
    Text,
    matches_any,
    plain_word,
)
from dpsynth.schema.constraint_check import check_constraints
from dpsynth.schema.constraint_files import constraint_of, constraints_of, facts_of
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
from dpsynth.schema.entries import (
    VERSION,
    build,
    check_name,
    column_of,
    facts,
    mapping,
    refuse_todo,
    refuse_unknown,
)
from dpsynth.schema.files import FileFormat
from dpsynth.schema.identifying import direct_identifier
from dpsynth.schema.texts import moment_reader, number_reader

if TYPE_CHECKING:
    pass

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

_FIELDS = ("dpsynth_schema", "unit", "file", "not_identifying", "columns", "constraints")


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
        named = tuple((name, _marked(column, file)) for name, column in given)
        object.__setattr__(self, "named", named)
        object.__setattr__(self, "unit", unit if unit is not None else PrivacyUnit())
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "not_identifying", _cleared(not_identifying, self.columns))
        object.__setattr__(self, "constraints", constraints_of(constraints))
        if not named:
            raise SchemaError("a schema needs one column or more, got none: add a column")
        for name, column in named:
            check_name(name)
            if not isinstance(column, tuple(COLUMN_TYPES.values())):
                raise SchemaError(
                    f"column {name!r} must be one of {sorted(COLUMN_TYPES)}, got"
                    f" {type(column).__name__}: choose one"
                )
        self._check_unit()
        check_constraints(self.columns, self.constraints)
        self._check_encoding()
        for name, column in named:
            for marker in file.missing_markers:
                if _is_value(marker, column):
                    raise SchemaError(
                        f"missing_markers holds {marker!r}, which is a value of column {name!r}:"
                        " take it out, and declare it as missing_marker of the columns that it"
                        " holds for"
                    )

    def _check_unit(self) -> None:
        self._check_repeating()
        for name, period in self.unit.parts:
            column = self.columns.get(name)
            if period is None and not isinstance(column, Identifier | None):
                raise SchemaError(
                    f"column {name!r} says whose record a row is and may not be released:"
                    " declare it Identifier(), or leave it out of the columns"
                )
            if period is not None and not isinstance(column, Datetime):
                raise SchemaError(
                    f"the unit is by {period} of {name!r}, which is not declared as a date:"
                    " declare it Datetime with its bounds, or take it out of the unit"
                )

    def _check_repeating(self) -> None:
        ids = [name for name, period in self.unit.parts if period is None]
        if strange := [name for name in self.repeating if name not in ids]:
            raise SchemaError(
                f"column {strange[0]!r} repeats, and only id columns of the unit can: name it in"
                " id_column, or leave out repeats"
            )
        made = {name: column for name, column in self.named if isinstance(column, Identifier)}
        keys = {made[name].key or name for name in self.repeating}
        alone = [n for n in ids if n in made and not made[n].repeats and made[n].key not in keys]
        if keys and alone:
            raise SchemaError(
                f"of the unit's columns {self.repeating[0]!r} repeats and {alone[0]!r} does not, so"
                f" that rows of one unit would differ in it: declare {alone[0]!r} repeats, too, or"
                f" give it the key {next(iter(sorted(keys)))!r}"
            )

    def _check_encoding(self) -> None:
        try:
            json.dumps(self.to_dict(), ensure_ascii=False).encode(self.file.encoding or "utf-8")
        except UnicodeEncodeError as error:
            raise SchemaError(
                f"the schema has {error.object[error.start]!r}, which cannot be written in its"
                f" file's encoding {self.file.encoding!r}: declare another encoding, or leave the"
                " sign out"
            ) from None

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
        return tuple(name for name, column in self.named if getattr(column, "repeats", False))

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
            constraints=self.constraints,
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
        columns = {
            name: {"type": type(column).__name__.lower(), **facts(_unmarked(column, self.file))}
            for name, column in self.named
        }
        file = facts(self.file)
        declared: dict[str, Any] = {"file": file} if file else {}
        if self.not_identifying:
            declared["not_identifying"] = list(self.not_identifying)
        unit = facts(self.unit)
        kept = [facts_of(constraint) for constraint in self.constraints]
        rules = {"constraints": kept} if kept else {}
        return {"dpsynth_schema": VERSION, "unit": unit, **declared, "columns": columns, **rules}

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> Schema:
        """The schema of which `spec` is the `to_dict()`; SchemaError where it is none."""
        if any(isinstance(value, Column) for value in spec.values()):
            raise SchemaError(
                "the mapping holds columns, and a file has fields: write Schema(columns)"
            )
        if type(spec.get("dpsynth_schema")) is not int or spec["dpsynth_schema"] != VERSION:
            raise SchemaError(
                f"dpsynth_schema must be {VERSION}, got {spec.get('dpsynth_schema')!r}: correct it,"
                " or update dpsynth"
            )
        refuse_unknown("the schema", spec, _FIELDS)
        columns = mapping("columns", spec.get("columns"))
        refuse_todo(columns)
        unit = build("unit", PrivacyUnit, mapping("unit", spec.get("unit", {})))
        file = build("file", FileFormat, mapping("file", spec.get("file", {})))
        named = {name: column_of(name, facts) for name, facts in columns.items()}
        cleared = spec.get("not_identifying", ())
        rules = _listed_rules(spec.get("constraints", []))
        return cls(named, unit=unit, file=file, not_identifying=cleared, constraints=rules)

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
        canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

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
        canonical = json.dumps(read, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest() if read else None

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


def _cleared(given: Any, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The argument `not_identifying`, where it is a list of columns."""
    listed = tuple(given) if isinstance(given, list | tuple) else (given,)
    if strange := [name for name in listed if not isinstance(name, str) or name not in columns]:
        raise SchemaError(
            f"not_identifying must be a list of the schema's columns, and has {strange[:10]!r}:"
            " name columns that are declared"
        )
    return listed


def _marked(column: Any, file: FileFormat) -> Any:
    """A column with the marks of the file's numbers, where it declares no others."""
    if not isinstance(column, Numeric):
        return column
    if column.mark == file.decimal == ".":
        column = replace(column, decimal=None)
    elif column.decimal is None:
        column = replace(column, decimal=file.decimal)
    own = column.mark != file.decimal or column.thousands is not None
    return column if own else replace(column, thousands=file.thousands)


def _unmarked(column: Column, file: FileFormat) -> Column:
    """The column without the marks that `_marked` gives it again."""
    if not isinstance(column, Numeric) or column.mark != file.decimal:
        return column
    thousands = None if column.thousands == file.thousands else column.thousands
    return replace(column, decimal=None, thousands=thousands)


def _is_value(marker: str, column: Column) -> bool:
    """Whether a text is a category, a number or a time within the bounds, or says true or false."""
    match column:
        case Categorical():
            return matches_any(marker, column.categories)
        case OpenCategorical():
            return matches_any(marker, column.public)
        case Numeric():
            low = -math.inf if column.low is None else column.low
            high = math.inf if column.high is None else column.high
            return low <= number_reader(column)(marker) <= high
        case Datetime():
            first, last = column.steps
            step = moment_reader(column)(marker) // SECONDS[column.resolution]
            return first <= step <= last
        case Boolean():
            return plain_word(marker) in {plain_word(word) for word in column.words}
    return False


def _listed_rules(given: Any) -> list[Constraint]:
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise SchemaError(
            f"constraints must be a list, got {type(given).__name__}: begin each with a dash"
        )
    return [constraint_of(place, facts) for place, facts in enumerate(given, start=1)]
