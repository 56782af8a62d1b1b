"""`dpsynth fit`, `sample` and `demo`: from records to a release."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dpsynth.cli.common import (
    Data,
    Json,
    SchemaFile,
    following,
    load_schema,
    named,
    new_file,
    print_json,
    say,
    table_file,
    write_table,
)
from dpsynth.cli.foreign import AskedRows, Claim, Command, Environment, TimeLimit, foreign_settings


def fit(
    data: Data,
    schema: SchemaFile,
    epsilon: Annotated[float, typer.Option(help="The privacy budget's epsilon.")],
    delta: Annotated[float, typer.Option(help="The privacy budget's delta.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the model goes.")],
    mechanism: Annotated[
        str,
        typer.Option(
            help="auto (canopy), aim, mst, independent, dp-ctgan, hybrid, pate-gan, smartnoise:NAME or external:."
        ),
    ] = "auto",
    target: Annotated[str | None, typer.Option(help="A column to be predicted from the others.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="The data set's account; made if it does not exist.")] = None,
    purpose: Annotated[str, typer.Option(help="What it is for, for the ledger and its policy.")] = "",
    approval: Annotated[list[str] | None, typer.Option(help="WHO=WHERE: who approved it, and where.")] = None,
    environment: Environment = None,
    command: Command = None,
    claim: Claim = None,
    ask_rows: AskedRows = None,
    time_limit: TimeLimit = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where a training's state is kept; the same command again goes on from it.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="A folder for certificate.json and .html.")] = None,
    as_json: Json = False,
) -> None:
    """Spend a budget on a table, and keep the model: everything after that is free."""
    from dpsynth.mechanisms.marginal.workload import Workload
    from dpsynth.synthesizers.table import Synthesizer

    settings: dict[str, Any] = {} if target is None else {"workload": Workload(target=target)}
    settings |= foreign_settings(environment, command, claim, ask_rows, time_limit)
    job: dict[str, Any] = {"purpose": purpose, "approvals": named("--approval", approval, "board=case-17")}
    job |= {"checkpoint": checkpoint}
    synthesizer = Synthesizer(
        load_schema(schema), mechanism, epsilon=epsilon, delta=delta, ledger=ledger, **job, **settings
    )
    new_file(output)
    start = time.perf_counter()
    with following("fitting"):
        synthesizer.fit(data)
    synthesizer.save(output)
    if certificate is not None:
        synthesizer.certificate.save(certificate)
    if as_json:
        print_json(synthesizer.certificate.record)
        return
    say(synthesizer.certificate.summary())
    say(f"{output}: fitted in {time.perf_counter() - start:.1f} s")


def sample(
    model: Annotated[Path, typer.Argument(help="A model that `fit` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .parquet file.")],
    n: Annotated[int | None, typer.Option("-n", help="Rows; by default the noisy row count.")] = None,
    where: Annotated[str | None, typer.Option(help="A condition that every row meets: 'age >= 65'.")] = None,
    seed: Annotated[int | None, typer.Option(help="For a reproducible sample.")] = None,
) -> None:
    """Draw synthetic rows from a model: any number, at no further cost."""
    from dpsynth.synthesizers.table import Synthesizer

    table_file(output)
    rows = Synthesizer.load(model).sample(n, where=where, seed=seed)
    write_table(rows, output)
    say(f"{output}: {len(rows):,} synthetic rows")


def demo(
    out: Annotated[Path, typer.Option("--out", help="The release folder.")] = Path("release"),
    epsilon: Annotated[float, typer.Option(help="The privacy budget's epsilon.")] = 1.0,
) -> None:
    """Turn 20,190 real health-insurance records into a private synthetic table, with its evidence."""
    from dpsynth.demo.release import run_demo

    run_demo(out, epsilon, say)
