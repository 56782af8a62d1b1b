"""`dpsynth unit`: what each number of rows a person would cut, so that somebody can choose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dpsynth.cli.common import (
    USUAL_DELTA,
    Approvals,
    Data,
    Delta,
    Epsilon,
    ExistingLedger,
    Json,
    Purpose,
    SchemaFile,
    account_of_look,
    from_project,
    load_schema,
    named,
    out,
    print_json,
    say,
)

if TYPE_CHECKING:
    from dpsynth.synthesizers.units import RowsPerUnit

Ceiling = Annotated[
    int, typer.Option(help="A public number: a unit with more rows counts as one with so many.")
]
Cut = Annotated[float, typer.Option(help="The share of rows that the recommended number may cut.")]
PlanOnly = Annotated[
    bool, typer.Option("--plan", help="Say how noisy the counts would be, and spend nothing.")
]


def unit(
    data: Data,
    epsilon: Epsilon,
    schema: SchemaFile = None,
    delta: Delta = USUAL_DELTA,
    ledger: ExistingLedger = None,
    ceiling: Ceiling = 100,
    cut: Cut = 0.05,
    purpose: Purpose = "",
    approval: Approvals = None,
    plan: PlanOnly = False,
    as_json: Json = False,
) -> None:
    """Say with noise what each max_records would cut, and recommend one. SPENDS the epsilon.

    Each unit is in one count, so that a small epsilon is enough.
    """
    from dpsynth.synthesizers.units import noise_of_look, rows_per_unit

    places = from_project(schema=schema, ledger=ledger)
    facts = load_schema(places["schema"])
    if plan:
        stddev = noise_of_look(epsilon, delta, facts)
        if as_json:
            print_json({"epsilon": epsilon, "delta": delta, "stddev": stddev})
            return
        say(f"Counts of units would have noise with a standard deviation of {stddev:,.1f} units.")
        say("A number of rows stands out from 4 of these on. Nothing was opened or spent.")
        return
    account = account_of_look(places["ledger"])
    look = rows_per_unit(
        data,
        facts,
        epsilon=epsilon,
        delta=delta,
        ledger=account,
        ceiling=ceiling,
        cut=cut,
        purpose=purpose,
        approvals=named("--approval", approval, "board=case-17"),
    )
    if as_json:
        print_json(look.record())
    else:
        _show(look)


def _show(look: RowsPerUnit) -> None:
    lines = look.summary().splitlines()
    say(lines[0])
    if look.choices:
        table = Table("max_records", "rows cut (± std. dev.)", "units cut (± std. dev.)")
        for cells in look.table():
            table.add_row(*cells)
        out.print(table)
    for note in look.notes():
        say(note)
