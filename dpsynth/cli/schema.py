"""`dpsynth schema`: write and check the public facts about a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
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

schema_app = typer.Typer(
    no_args_is_help=True, help="Write and check the public facts about a table."
)


@schema_app.command("draft")
def draft(
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file that the draft is written to.")
    ] = Path("schema.yaml"),
    id_column: IdColumn = None,
    max_records: MaxRecords = 1,
    as_json: Json = False,
) -> None:
    """Draft a schema from the names and types of columns.

    No row is read: every bound and category is left for you to write.
    """
    from dpsynth.data.engines.files import column_names, open_rows
    from dpsynth.data.tables.codec import check_owner
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.schema.table import Schema

    new_file(output)
    rows = open_rows(data)
    unit = PrivacyUnit(id_column, max_records)
    check_owner(column_names(rows), unit)
    drafted = Schema.draft(rows, unit)
    drafted.save(output)
    if as_json:
        print_json({"output": str(output), "schema": drafted.to_dict()})
        return
    say(f"{output}: replace every TODO with a public fact that you know without the rows")


@schema_app.command("check")
def check(
    schema: Annotated[Path, typer.Argument(help="The schema, .yaml or .json.")],
    data: Data,
    as_json: Json = False,
) -> None:
    """Count what a fit would clip or map. PRIVATE: for the data owner's screen only.

    Exit code 1 where more than a fifth of a column is undeclared.
    """
    from dpsynth.data.engines.files import open_rows
    from dpsynth.data.tables.check import check_rows

    declared = load_schema(schema)
    rows = open_rows(data, declared)
    checks = check_rows(rows, declared)
    if as_json:
        print_json({"PRIVATE": True, "columns": [vars(c) for c in checks]})
    else:
        _show(checks, len(rows))
    if any(c.reason for c in checks):
        raise typer.Exit(Exit.GATE_FAILED)


def _show(checks: list[ColumnCheck], rows: int) -> None:
    table = Table(
        "column", "missing", "undeclared", "clipped", title="PRIVATE: exact counts, not for release"
    )
    for c in checks:
        table.add_row(c.name, *map(_count, (c.missing, c.undeclared, c.clipped)))
    out.print(table)
    say(f"Of {rows:,} rows; a dot means none.")
    if not any(c.reason for c in checks):
        say("No column has more than a fifth of its values undeclared.")
    for c in checks:
        if c.reason:
            say(f"{c.name}: more than a fifth is undeclared, likely {c.reason}")


def _count(n: int) -> str:
    """A dot for 0, so that the other counts stand out."""
    return f"{n:,}" if n else "."
