"""The command line: demo, schema draft and check, fit, sample, evaluate, ledger create, show and verify.

Results go to stdout, progress to stderr. Exit codes: 0 done, 1 a gate failed, 2 bad input or usage, 4 budget
exceeded. A user's mistake ends in one sentence, never in a traceback.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
schema_app = typer.Typer(no_args_is_help=True, help="Write and check the public facts about a table.")
ledger_app = typer.Typer(no_args_is_help=True, help="Look at the account of a data set.")
app.add_typer(schema_app, name="schema")
app.add_typer(ledger_app, name="ledger")

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

Data = Annotated[Path, typer.Argument(help="A .csv or .parquet file.", metavar="DATA")]
SchemaFile = Annotated[Path, typer.Option("--schema", "-s", help="The schema, .yaml or .json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def main() -> None:
    """The entry point: what a user can mend becomes a sentence and an exit code."""
    from dpsynth.privacy.budget import BudgetExceeded

    try:
        app(prog_name="dpsynth")
    except BudgetExceeded as error:
        _fail(error, 4)
    except (ValueError, OSError, ImportError, MemoryError) as error:
        _fail(error, 2)


def _fail(error: BaseException, code: int) -> None:
    _err.print(f"dpsynth: {error}", style="red", highlight=False, markup=False)
    sys.exit(code)


@schema_app.command("draft")
def draft(data: Data, output: Annotated[Path, typer.Option("--output", "-o")] = Path("schema.yaml")) -> None:
    """Begin a schema from names and dtypes. No row is read: every bound and category is left for you to write."""
    from dpsynth.data.source import open_rows
    from dpsynth.schema import Schema

    _new_file(output)
    Schema.draft(open_rows(data)).save(output)
    _out.print(f"{output}: replace every TODO by a public fact, known without looking at the rows", highlight=False)


@schema_app.command("check")
def check(
    schema: Annotated[Path, typer.Argument(help="The schema, .yaml or .json.")], data: Data, as_json: Json = False
) -> None:
    """Count what a fit would clip or map. PRIVATE: for the data owner's screen only."""
    from dpsynth.data.check import check_rows
    from dpsynth.data.source import open_rows

    checks = check_rows(open_rows(data), _schema(schema))
    if as_json:
        _print_json({"PRIVATE": True, "columns": [vars(c) for c in checks]})
        return
    table = Table("column", "missing", "undeclared", "clipped", title="PRIVATE: exact counts, not for release")
    for c in checks:
        table.add_row(c.name, *(f"{n:,}" if n else "." for n in (c.missing, c.undeclared, c.clipped)))
    _out.print(table)


@app.command()
def fit(
    data: Data,
    schema: SchemaFile,
    epsilon: Annotated[float, typer.Option(help="The privacy budget's epsilon.")],
    delta: Annotated[float, typer.Option(help="The privacy budget's delta.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the model goes.")],
    mechanism: Annotated[str, typer.Option(help="auto (which is canopy), canopy, aim, mst or independent.")] = "auto",
    target: Annotated[str | None, typer.Option(help="A column to be predicted from the others.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="The data set's account; made if it does not exist.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="A folder for certificate.json and .html.")] = None,
    as_json: Json = False,
) -> None:
    """Spend a budget on a table, and keep the model: everything after that is free."""
    from dpsynth.mechanisms.workload import Workload
    from dpsynth.synthesizer import Synthesizer

    settings: dict[str, Any] = {} if target is None else {"workload": Workload(target=target)}
    synthesizer = Synthesizer(_schema(schema), mechanism, epsilon=epsilon, delta=delta, ledger=ledger, **settings)
    _new_file(output)
    start = time.perf_counter()
    with _err.status("fitting"):
        synthesizer.fit(data)
    synthesizer.save(output)
    if certificate is not None:
        synthesizer.certificate.save(certificate)
    if as_json:
        _print_json(synthesizer.certificate.record)
        return
    _out.print(synthesizer.certificate.summary(), highlight=False, markup=False)
    _out.print(f"{output}: fitted in {time.perf_counter() - start:.1f} s", highlight=False, markup=False)


@app.command()
def sample(
    model: Annotated[Path, typer.Argument(help="A model that `fit` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .parquet file.")],
    n: Annotated[int | None, typer.Option("-n", help="Rows; by default the noisy row count.")] = None,
    where: Annotated[str | None, typer.Option(help="A condition that every row meets: 'age >= 65'.")] = None,
    seed: Annotated[int | None, typer.Option(help="For a reproducible sample.")] = None,
) -> None:
    """Draw synthetic rows from a model: any number, at no further cost."""
    from dpsynth.synthesizer import Synthesizer

    _table_file(output)
    rows = Synthesizer.load(model).sample(n, where=where, seed=seed)
    _write_table(rows, output)
    _out.print(f"{output}: {len(rows):,} synthetic rows", highlight=False, markup=False)


@app.command()
def evaluate(
    synthetic: Annotated[Path, typer.Argument(help="Synthetic rows, .csv or .parquet.")],
    real: Annotated[Path, typer.Argument(help="Real rows, .csv or .parquet.")],
    schema: SchemaFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="A directory for the page.")] = Path("quality"),
) -> None:
    """Compare synthetic with real rows. INTERNAL: exact statistics of private rows, not for release."""
    from dpsynth.data.source import open_rows
    from dpsynth.evaluation.fidelity import evaluate as compare

    quality = compare(open_rows(synthetic), open_rows(real), _schema(schema))
    quality.save(output)
    _out.print(quality.summary(), highlight=False, markup=False)
    _out.print(f"{output / 'quality.html'}: INTERNAL, compares with real records", highlight=False, markup=False)


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

    _new_file(ledger)
    account = Ledger.create(ledger, Budget(epsilon, delta), dataset=name or ledger.stem, unit=_schema(schema).unit)
    protects = account.unit.describe()
    _out.print(f"{ledger}: epsilon {epsilon:g} at delta {delta:g} for {protects}", highlight=False, markup=False)


@ledger_app.command("show")
def show(ledger: Annotated[Path, typer.Argument()], as_json: Json = False) -> None:
    """What has been spent on a data set, and what is left."""
    from dpsynth.privacy.ledger import Ledger

    account = Ledger.open(ledger)
    spent, left = account.spent(), account.remaining()
    if as_json:
        _print_json({"spent": vars(spent), "remaining": vars(left), "entries": account.entries()})
        return
    table = Table("line", "run", "purpose", "noise multiplier", title=f"{account.dataset}: {account.unit.describe()}")
    for line in account.entries():
        if line["kind"] == "charge":
            noise = f"{line['event']['noise_multiplier']:.4g}"
            table.add_row(str(line["seq"]), line["run"], line["purpose"], noise)
    _out.print(table)
    _out.print(
        f"spent epsilon {spent.epsilon:.6g} of {account.budget.epsilon:.6g} at delta {spent.delta:g};"
        f" one further job may spend {left.epsilon:.6g}",
        highlight=False,
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
        _fail(error, 1)
    _out.print(f"{ledger}: whole; head {account.head}", highlight=False, markup=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="The release folder.")] = Path("release"),
    epsilon: Annotated[float, typer.Option(help="The privacy budget's epsilon.")] = 1.0,
) -> None:
    """Turn 20,190 real health-insurance records into a private synthetic table, with its evidence."""
    from dpsynth.demo import run_demo

    run_demo(out, epsilon, lambda line: _out.print(line, highlight=False, markup=False))


def _schema(path: Path) -> Schema:
    from dpsynth.schema import Schema

    return Schema.load(path)


def _print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record, indent=2, default=str))


def _new_file(path: Path) -> None:
    """Refuses early what could not be written after the budget is spent."""
    if path.exists():
        raise ValueError(f"{path} exists already: remove it, or choose another name with --output")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist: make it first")
    try:
        path.touch()
        path.unlink()
    except OSError:
        raise ValueError(f"{path} cannot be written: choose another name with --output") from None


def _table_file(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path} must end in .csv or .parquet")
    _new_file(path)


def _write_table(rows: pd.DataFrame, path: Path) -> None:
    if path.suffix.lower() == ".csv":
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path, index=False)
