"""Drafts: schemas whose public facts a person has yet to write, from names and dtypes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.base.mappings import write_mapping
from dpsynth.base.places import expanded
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.entries import TODO, VERSION, facts, listed
from dpsynth.schema.files import FileFormat
from dpsynth.schema.identifying import direct_identifier, role_of

if TYPE_CHECKING:
    import pandas as pd

_DRAFT_COMMENT = (
    "Replace every TODO by a public fact, known without looking at the rows, and check every type: "
    "some programs\n# guess it from the rows. Where a person may have several rows,\n"
    "# name the column that says whose they are:\n"
    "#   unit: {id_column: patient_id, max_records: 20}\n"
    "# Where a type is a TODO, write one of these in its place:\n"
    "#   {type: numeric, low: 0, high: 120, integer: true, nullable: true}\n"
    "#   {type: numeric, low: 0, high: 50, decimals: 1, nullable: true}\n"
    "#   {type: categorical, categories: [day, short, long], nullable: true}\n"
    "#   {type: opencategorical, nullable: true}, of which a fit finds the frequent categories\n"
    "#   {type: datetime, low: '2020-01-01', high: '2024-12-31', resolution: D, nullable: true}\n"
    "#     resolution: D keeps days, h hours, min minutes, s seconds\n"
    "#     of visits and other events: resolution: h, parts: [weekday, hour]\n"
    "#   {type: boolean, nullable: true}; with true: [1], false: [0] it comes back as 1 and 0\n"
    "#   {type: identifier}, which is never read, and made anew\n"
    "# Where texts are not written as 1234.5, 2020-01-31 or yes, say how:\n"
    '#   decimal: ","   format: "%d.%m.%Y"   true: [ja]   false: [nein]   ignore_case: true'
)


@dataclass(frozen=True)
class SchemaDraft:
    """A schema whose public facts are still to be written, by a person, in place of each "TODO".

    Parameters
    ----------
    spec : dict
        The content of the file, as `Schema.to_dict` has it.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Schema
    >>> draft = Schema.draft(pd.DataFrame({"paid": [1.5]}))
    >>> draft.to_dict()["columns"]["paid"]
    {'type': 'numeric', 'low': 'TODO', 'high': 'TODO', 'integer': 'TODO', 'nullable': True}
    """

    spec: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """A copy of the file's content."""
        return deepcopy(self.spec)

    def direct_identifiers(self) -> dict[str, str]:
        """The columns that are no identifiers and look like direct ones, and why."""
        open_ = (name for name, c in self.spec["columns"].items() if c["type"] != "identifier")
        reasons = {name: direct_identifier(name) for name in open_}
        return {name: why for name, why in reasons.items() if why is not None}

    def todo(self) -> dict[str, list[str]]:
        """For each set of lacking facts, such as "low, high", the columns that lack them."""
        found: dict[str, list[str]] = {}
        for name, entry in self.spec["columns"].items():
            if lacking := _lacking(entry):
                found.setdefault(lacking, []).append(name)
        for rule in self.spec.get("constraints", ()):
            if lacking := _lacking(rule):
                found.setdefault(lacking, []).append(f"the constraint on {rule['columns']}")
        return found

    def opened(self) -> SchemaDraft:
        """The draft with a charge in place of each bound of a number and each list of categories
        that is a "TODO": a fit finds them, for a part of its budget.

        Types and the bounds of dates stay a "TODO", as a fit cannot find these, and categories
        beside a missing marker.
        """
        columns = {name: _opened(entry) for name, entry in self.to_dict()["columns"].items()}
        return SchemaDraft({**self.to_dict(), "columns": columns})

    def save(self, path: str | Path) -> None:
        """Write the draft; the name's end, .yaml, .yml or .json, says in which format."""
        write_mapping(expanded(path), self.spec, comment=_DRAFT_COMMENT)


_ENDS = ("low", "high")
_OF_OPEN = {"type", "nullable", "levels"}
"""What stays of a column of categories that a fit finds: one with a marker of missing values, which
such a column cannot have, is left as it is.
"""


def _lacking(entry: Mapping[str, Any]) -> str:
    return ", ".join(key for key, fact in entry.items() if fact == TODO)


def _opened(entry: dict[str, Any]) -> dict[str, Any]:
    """A column whose lacking facts a fit finds, where it can."""
    if entry["type"] == "numeric":
        known = {name: fact for name, fact in entry.items() if fact != TODO or name in _ENDS}
        return {name: None if fact == TODO else fact for name, fact in known.items()}
    if entry.get("categories") == TODO and not {*entry} - _OF_OPEN - {"categories", "ordered"}:
        kept = {name: fact for name, fact in entry.items() if name in _OF_OPEN}
        return {**kept, "type": "opencategorical"}
    return entry


def drafted(table: Any, unit: PrivacyUnit | None, file: FileFormat | None) -> SchemaDraft:
    """A draft from the names and dtypes of a table, see `Schema.draft`."""
    dtypes = {str(name): dtype for name, dtype in _dtypes(table)}
    stating = not all(_is_text(dtype) or _is_guessed(dtype) for dtype in dtypes.values())
    columns = {name: _guess(name, dtype, stating) for name, dtype in dtypes.items()}
    parts = () if unit is None else unit.parts
    columns |= {
        name: {"type": "identifier"} if period is None else _dated(name, dtypes[name])
        for name, period in parts
        if name in columns
    }
    stated = {} if unit is None else facts(unit)
    form = {} if file is None else facts(file)
    declared = {"file": form} if form else {}
    return SchemaDraft({"dpsynth_schema": VERSION, "unit": stated, **declared, "columns": columns})


def _dtypes(table: Any) -> Iterable[tuple[object, Any]]:
    """Name and dtype of each column."""
    import pandas as pd
    import pyarrow as pa

    if not isinstance(table, pd.DataFrame):
        names_only = hasattr(table, "__arrow_c_schema__")
        schema = pa.schema(table) if names_only else pa.RecordBatchReader.from_stream(table).schema
        table = schema.empty_table().to_pandas(types_mapper=pd.ArrowDtype)
    if duplicates := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
        raise SchemaError(
            f"the table has several columns of one name, {listed(duplicates)}: rename them"
        )
    return list(zip(table.columns, table.dtypes, strict=True))


_DATE_NAME = re.compile(r"(^|[\s_.-])(date|dob)($|[\s_.-])", re.IGNORECASE)
_TIME_NAME = re.compile(r"(^|[\s_.-])(datetime|timestamp)($|[\s_.-])|[\s_.-]at$", re.IGNORECASE)
"""Such as "birth_date", "dob", "created_at": many tables hold dates and times as text."""


_BY_ROLE: dict[str, dict[str, Any]] = {
    "key": {"type": "identifier"},
    "personal": {"type": TODO},
    "code": {"type": "categorical", "categories": TODO, "nullable": True},
}
"""What a draft says of a column whose name tells its role; a person corrects it."""


def _dated(name: str, dtype: pd.api.extensions.ExtensionDtype) -> dict[str, Any]:
    """A column of dates, or of times: then a person says how finely they are kept, as days would
    lose the hours, and the type does not tell whether there are any.
    """
    timed = str(dtype).startswith(("datetime", "timestamp"))
    kept = TODO if timed or _TIME_NAME.search(name) else "D"
    return {"type": "datetime", "low": TODO, "high": TODO, "resolution": kept, "nullable": True}


def _is_text(dtype: pd.api.extensions.ExtensionDtype) -> bool:
    from pandas.api import types

    return bool(types.is_string_dtype(dtype))


def _is_guessed(dtype: pd.api.extensions.ExtensionDtype) -> bool:
    """Whether a missing value in one row would make another dtype of this one: bool and object."""
    return str(dtype) in ("bool", "object")


def _guess(name: str, dtype: pd.api.extensions.ExtensionDtype, stating: bool) -> dict[str, Any]:
    """The type and the open facts that a column's name and dtype suggest.

    stating: whether the table states types, so that text is meant where it says text.
    """
    from pandas.api import types

    role = role_of(name)
    if role is not None:
        return dict(_BY_ROLE[role.kind])
    if types.is_bool_dtype(dtype) and not _is_guessed(dtype):
        return {"type": "boolean", "nullable": True}
    if types.is_numeric_dtype(dtype) and not _is_guessed(dtype):
        return {"type": "numeric", "low": TODO, "high": TODO, "integer": TODO, "nullable": True}
    dated = types.is_datetime64_any_dtype(dtype) or str(dtype).startswith(("date", "timestamp"))
    if dated or _DATE_NAME.search(name) or _TIME_NAME.search(name):
        return _dated(name, dtype)
    if not stating or _is_guessed(dtype):
        return {"type": TODO}
    return {"type": "categorical", "categories": TODO, "nullable": True}
