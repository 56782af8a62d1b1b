"""`dpsynth ledger`: the account of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dpsynth.cli.common import (
    Json,
    SchemaFile,
    fail,
    load_schema,
    new_file,
    out,
    print_json,
    say,
)

ledger_app = typer.Typer(no_args_is_help=True, help="Look at the account of a data set.")


@ledger_app.command("create")
def create(
    ledger: Annotated[Path, typer.Argument(help="Where the account goes.")],
    schema: SchemaFile,
    epsilon: Annotated[float, typer.Option(help="What all fits together may spend.")],
    delta: Annotated[float, typer.Option(help="The delta at which epsilon is counted.")],
    name: Annotated[str | None, typer.Option(help="The data set's name; by default the file's.")] = None,
) -> None:
    """Open an account from which several fits may spend. The schema says whom it protects."""
    from dpsynth.privacy.budget import Budget
    from dpsynth.privacy.ledger import Ledger

    new_file(ledger)
    account = Ledger.create(ledger, Budget(epsilon, delta), dataset=name or ledger.stem, unit=load_schema(schema).unit)
    protects = account.unit.describe()
    say(f"{ledger}: epsilon {epsilon:g} at delta {delta:g} for {protects}")


@ledger_app.command("show")
def show(ledger: Annotated[Path, typer.Argument()], as_json: Json = False) -> None:
    """What has been spent on a data set, and what is left."""
    from dpsynth.privacy.ledger import Ledger

    account = Ledger.open(ledger)
    spent, left = account.spent(), account.remaining()
    if as_json:
        print_json({"spent": vars(spent), "remaining": vars(left), "entries": account.entries()})
        return
    table = Table("line", "run", "purpose", "noise multiplier", title=f"{account.dataset}: {account.unit.describe()}")
    for line in account.entries():
        if line["kind"] == "charge":
            noise = f"{line['event']['noise_multiplier']:.4g}"
            table.add_row(str(line["seq"]), line["run"], line["purpose"], noise)
    out.print(table)
    say(
        f"spent epsilon {spent.epsilon:.6g} of {account.budget.epsilon:.6g} at delta {spent.delta:g};"
        f" one further job may spend {left.epsilon:.6g}"
    )


@ledger_app.command("verify")
def verify(
    ledger: Annotated[Path, typer.Argument()],
    head: Annotated[str | None, typer.Option(help="A head noted earlier, on a certificate say.")] = None,
) -> None:
    """Recompute the chain; a changed line, or one that is gone, is exit code 1."""
    from dpsynth.privacy.ledger import Ledger, LedgerCorrupt

    try:
        account = Ledger.open(ledger)
        account.verify(head)
    except LedgerCorrupt as error:
        fail(error, 1)
    say(f"{ledger}: whole; head {account.head}")
