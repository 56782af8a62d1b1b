"""`dpsynth schema`: write and check the public facts about a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dpsynth.base.places import new_file
from dpsynth.cli.common import (
    Data,
    IdColumn,
    Json,
    MaxRecords,
    load_schema,
    out,
    print_json,
    say,
)
from dpsynth.cli.exits import Exit

if TYPE_CHECKING:
    from dpsynth.data.tables.check import ColumnCheck
    from dpsynth.schema.columns import Scalar
    from dpsynth.schema.importing.facts import Imported
    from dpsynth.synthesizers.rule_check import RuleCheck

Output = Annotated[
    Path, typer.Option("--output", "-o", help="The file that the schema is written to.")
]

OpenUnknown = Annotated[
    bool,
    typer.Option(
        "--open-unknown",
        help="Let the fit learn unknown bounds and categories, which it charges for, in place"
        " of each TODO.",
    ),
]

_FORMS = (
    "redcap, spreadsheet, columns, sdv, frictionless, json-schema, croissant, smartnoise, google,"
    " sql, ddi, spss, stata"
)

schema_app = typer.Typer(
    no_args_is_help=True, help="Write and check the public facts about a table."
)


@schema_app.command("draft")
def draft(
    data: Data,
    output: Output = Path("schema.yaml"),
    id_column: IdColumn = None,
    max_records: MaxRecords = 1,
    sheet: Annotated[str | None, typer.Option(help="Of an Excel workbook with several.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between the fields of a CSV file, where it is not found.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV file, such as cp1252.")] = None,
    skip_lines: Annotated[int, typer.Option(help="Lines before the one that has the names.")] = 0,
    open_unknown: OpenUnknown = False,
    as_json: Json = False,
) -> None:
    """Draft a schema from the names and types of columns.

    No row is read: every bound and category is left for you to write.
    """
    from dpsynth.data.engines.files import open_source
    from dpsynth.data.tables.codec import check_owner
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.schema.table import FileFormat, Schema

    new_file(output)
    form = FileFormat(sheet=sheet, delimiter=delimiter, encoding=encoding, skip_lines=skip_lines)
    source = open_source(data, form=form)
    unit = PrivacyUnit(id_column or None, max_records)
    check_owner(source.names, unit)
    drafted = Schema.draft(source.without_rows(), unit, source.form)
    drafted = drafted.opened() if open_unknown else drafted
    drafted.save(output)
    personal = drafted.direct_identifiers()
    if as_json:
        facts = {"output": str(output), "schema": drafted.to_dict()}
        print_json({**facts, "direct_identifiers": personal})
        return
    _say_personal(personal)
    if drafted.todo():
        say(f"{output}: replace every TODO with a public fact that you know without the rows")
    else:
        say(f"{output}: nothing is left to write; state what you know without the rows")


@schema_app.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A data dictionary: .csv, .xlsx, .json, .yaml, .sql, .xml, .sav or .dta."
        ),
    ],
    output: Output = Path("schema.yaml"),
    form: Annotated[
        str | None,
        typer.Option("--from", help=f"Its form: {_FORMS}. By default it is recognised."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="The table, where the source describes several.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="Of SQL, such as mysql, postgres, tsql or oracle.")
    ] = None,
    labels_public: Annotated[
        bool,
        typer.Option(
            "--labels-are-public",
            help="Take value labels of an SPSS or Stata file as categories: you know them without"
            " the rows.",
        ),
    ] = False,
    open_unknown: OpenUnknown = False,
    as_json: Json = False,
) -> None:
    """Write a schema from a data dictionary, with a TODO for each fact that it lacks.

    What it says of rows, such as counts, frequencies or observed ends, is not taken.
    """
    from dpsynth.schema.importing.forms import FORMS, import_facts

    new_file(output)
    name, imported = import_facts(source, form, table, dialect, labels_public)
    lacking = imported.draft()
    draft = lacking.opened() if open_unknown else lacking
    draft.save(output)
    todo, opened = draft.todo(), _opened(lacking.todo(), draft.todo())
    found = {
        "todo": todo,
        "open": opened,
        "direct_identifiers": imported.direct_identifiers(),
        "notes": imported.notes(),
        "refused": sorted(imported.refused),
        "labels_not_taken": [*imported.labelled],
    }
    if as_json:
        print_json({"output": str(output), "form": name, "schema": draft.to_dict(), **found})
        return
    say(f"{output}: {len(imported.columns)} columns from a {FORMS[name].title}")
    _show_imported(imported)
    _show_open(opened)
    _show_todo(todo)


def _say_personal(found: dict[str, str]) -> None:
    """The columns that look like direct identifiers, each with the question."""
    for name, why in found.items():
        say(f"{name} looks like a direct identifier, {why}: declare identifier, or leave it out")


def _show_imported(imported: Imported) -> None:
    """What was not taken, what to know, and in the end what a person has still to write."""
    if imported.refused:
        refused = ", ".join(sorted(imported.refused))
        say(f"Not taken, since it describes rows and is not public: {refused}")
    for name, note in imported.notes().items():
        say(f"{name}: {note}")
    if imported.labelled:
        say(
            "Value labels of a data file may have been made from its rows, as pandas and Stata's"
            " encode make them: give --labels-are-public if you know them without the rows."
        )
    _say_personal(imported.direct_identifiers())
    say("Bounds and categories are taken as declared: remove what was computed from the rows.")


def _opened(lacking: dict[str, list[str]], todo: dict[str, list[str]]) -> dict[str, list[str]]:
    """Of the lacking facts those that are no longer to be written."""
    still = {name for names in todo.values() for name in names}
    found = {
        facts: [name for name in names if name not in still] for facts, names in lacking.items()
    }
    return {facts: names for facts, names in found.items() if names}


def _show_open(found: dict[str, list[str]]) -> None:
    """The columns of which a charge finds what the dictionary lacks."""
    if found:
        say("Found by charges, for a part of the budget:")
    for facts, names in found.items():
        say(f"  {facts}: {', '.join(names)}")


def _show_todo(todo: dict[str, list[str]]) -> None:
    say("Still TODO:" if todo else "Nothing is left to write.")
    for facts, names in todo.items():
        say(f"  {facts}: {', '.join(names)}")
    if any({"low", "high", "categories"} & {*facts.split(", ")} for facts in todo):
        say(
            "Bounds of numbers, and categories, that nobody knows can be found by a fit, for a part"
            " of its budget: give --open-unknown."
        )


@schema_app.command("check")
def check(
    schema: Annotated[Path, typer.Argument(help="The schema, .yaml or .json.")],
    data: Data,
    as_json: Json = False,
) -> None:
    """Count what a fit would clip, map or refuse and the rows that break each constraint, and name
    declared categories that never occur.

    PRIVATE: for the data owner's screen only.

    Exit code 1 where more than a fifth of a column is undeclared, or a fit refuses a column.
    """
    from dpsynth.data.engines.files import open_rows
    from dpsynth.data.tables.check import check_rows
    from dpsynth.synthesizers.rule_check import check_rules

    declared = load_schema(schema)
    rows = open_rows(data, declared)
    checks = check_rows(rows, declared)
    rules = check_rules(rows, declared)
    if as_json:
        found = {"columns": [vars(c) for c in checks], "constraints": [vars(r) for r in rules]}
        opened = {"found_by_a_charge": [*declared.open]} if declared.open else {}
        print_json({"PRIVATE": True, **found, **opened})
    else:
        _show(checks, len(rows), declared.open)
        _show_rules(rules)
    if any(c.reason or c.refused for c in checks):
        raise typer.Exit(Exit.GATE_FAILED)


def _show(checks: list[ColumnCheck], rows: int, opened: tuple[str, ...]) -> None:
    titles = ("column", "missing", "undeclared", "which become", "clipped", "never occur")
    table = Table(*titles, "refused", title="PRIVATE: exact counts, not for release")
    for c in checks:
        counts = map(_count, (c.missing, c.undeclared, c.clipped, len(c.never)))
        missing, undeclared, clipped, never = counts
        becomes = c.becomes if c.undeclared else "."
        refused = "yes" if c.refused else "."
        table.add_row(*map(escape, (c.name, missing, undeclared, becomes, clipped, never, refused)))
    out.print(table)
    say(f"Of {rows:,} rows; a dot means none.")
    if opened:
        say(
            f"{', '.join(opened)}: categories are found by a charge of the fit; dpsynth plan says"
            " how many people must have one"
        )
    _say_personal({c.name: c.refused for c in checks if c.refused})
    for c in checks:
        if c.never:
            say(f"{c.name}: PRIVATE: {_listed(c.never)} never occur{'s' * (len(c.never) == 1)}")
    if not any(c.reason for c in checks):
        say("No column has more than a fifth of its values undeclared.")
    for c in checks:
        if c.reason:
            say(f"{c.name}: more than a fifth is undeclared, likely {c.reason}")


def _show_rules(rules: list[RuleCheck]) -> None:
    if not rules:
        return
    title = "PRIVATE: rows that break a constraint, not for release"
    table = Table("constraint", "rows", title=title)
    for rule in rules:
        table.add_row(escape(rule.constraint), _count(rule.broken))
    out.print(table)


def _listed(names: tuple[Scalar, ...], most: int = 10) -> str:
    """The first names, and how many others there are."""
    others = f" and {len(names) - most:,} others" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + others


def _count(n: int) -> str:
    """A dot for 0, so that the other counts stand out."""
    return f"{n:,}" if n else "."
