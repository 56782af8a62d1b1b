"""The forms of data dictionaries that can be imported, and how each is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping
from dpsynth.base.places import expanded
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.importing import (
    column_list,
    croissant,
    ddi,
    ddl,
    domains,
    frictionless,
    json_schema,
    labels,
    redcap,
    sdv,
    smartnoise,
    spreadsheet,
)
from dpsynth.schema.importing.facts import Imported
from dpsynth.schema.importing.sheets import read_sheet, read_workbook


@dataclass(frozen=True)
class Form:
    """A form, what people call it, and its reader.

    recognised: whether the content of a file is of this form. read: the column facts of the table
    that is named, or of the only one. several: whether a source can describe several tables.
    """

    title: str
    recognised: Callable[[Any], bool]
    read: Callable[..., Imported]
    several: bool = False


FORMS: dict[str, Form] = {
    "redcap": Form("REDCap data dictionary", redcap.recognised, redcap.read),
    "spreadsheet": Form("spreadsheet", spreadsheet.recognised, spreadsheet.read),
    "columns": Form("list of columns", column_list.recognised, column_list.read, several=True),
    "sdv": Form("SDV metadata", sdv.recognised, sdv.read, several=True),
    "frictionless": Form(
        "Frictionless Table Schema", frictionless.recognised, frictionless.read, several=True
    ),
    "json-schema": Form("JSON Schema", json_schema.recognised, json_schema.read),
    "croissant": Form("Croissant metadata", croissant.recognised, croissant.read, several=True),
    "smartnoise": Form("smartnoise metadata", smartnoise.recognised, smartnoise.read, several=True),
    "google": Form("google/dpsynth domain", domains.recognised, domains.read),
    "sql": Form("SQL data definition", ddl.recognised, ddl.read, several=True),
    "ddi": Form("DDI codebook", ddi.recognised, ddi.read, several=True),
    "spss": Form("data file of SPSS", labels.spss, labels.read),
    "stata": Form("data file of Stata", labels.stata, labels.read),
}
"""The forms by name. A file is of the first that recognises it."""

_ALSO = {"ddl": "sql", "jsonschema": "json-schema", "table": "spreadsheet"}
"""Other names of forms."""

_READERS: dict[str, Callable[[Path], Any]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), read_sheet),
    ".xlsx": read_workbook,
    ".xml": ddi.read_xml,
    **dict.fromkeys((".sav", ".zsav", ".dta"), labels.read_dictionary),
    ".sql": ddl.read_text,
    **dict.fromkeys((".json", ".yaml", ".yml"), read_mapping),
}


def import_facts(
    source: str | Path,
    form: str | None = None,
    table: str | None = None,
    dialect: str | None = None,
    labels_public: bool = False,
) -> tuple[str, Imported]:
    """The form of a data dictionary, and what it says of a table.

    form: one of FORMS; None for the first that recognises the file. table: which one is wanted of
    a source with several. dialect: of SQL, as sqlglot names it. labels_public: whether somebody
    says that the value labels of a data file are public. SchemaError, with the path, where it
    cannot be read.
    """
    path = expanded(source)
    try:
        content = _content(path)
        name = _named(form) if form is not None else _recognised(content)
        if not FORMS[name].recognised(content):
            raise SchemaError(f"the file is no {FORMS[name].title}: leave out --from, or mend it")
        imported = _read(name, content, table, dialect, labels_public)
        imported.draft()  # refuses facts that contradict each other
    except ValueError as error:
        raise SchemaError(f"{source}: {error}") from None
    return name, imported


def _read(
    name: str, content: Any, table: str | None, dialect: str | None, labels_public: bool
) -> Imported:
    form = FORMS[name]
    if labels_public and form.read is not labels.read:
        raise SchemaError(
            f"a {form.title} is no data file with labels: leave out --labels-are-public"
        )
    if name == "sql":
        return ddl.read(content, table, dialect)
    if dialect is not None:
        raise SchemaError(f"a {form.title} has no dialect of SQL: leave out --dialect {dialect}")
    if form.several:
        return form.read(content, table)
    if table is not None:
        raise SchemaError(f"a {form.title} describes one table: leave out --table {table}")
    return form.read(content, labels_public) if labels_public else form.read(content)


def _content(path: Path) -> Any:
    if path.suffix.lower() not in _READERS:
        raise SchemaError(
            f"a dictionary must end in {', '.join(_READERS)}, got {path.name!r}: save it as one of"
            " these"
        )
    if not path.is_file():
        raise SchemaError("it does not exist, or is not a file: give the path of a data dictionary")
    return _READERS[path.suffix.lower()](path)


def _named(form: str) -> str:
    form = _ALSO.get(form, form)
    if form not in FORMS:
        raise SchemaError(f"the form must be one of {list(FORMS)}, got {form!r}: choose one")
    return form


def _recognised(content: Any) -> str:
    for name, form in FORMS.items():
        if form.recognised(content):
            return name
    titles = ", ".join(form.title for form in FORMS.values())
    raise SchemaError(
        f"the form of the file is none of these, {titles}: write a spreadsheet with the titles"
        " name, type, low, high, labels"
    )
