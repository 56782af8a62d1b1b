"""`dpsynth fit`, `sample` and `demo`: from records to a release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import (
    Approvals,
    CertificateFolder,
    Data,
    Delta,
    Epsilon,
    Json,
    LedgerFile,
    ModelFile,
    Purpose,
    SchemaFile,
    Seed,
    Target,
    fit_and_keep,
    from_project,
    job_of,
    load_schema,
    output_file,
    say,
    write_table,
)
from dpsynth.cli.programs import (
    AskedRows,
    Claim,
    Command,
    Environment,
    Settings,
    TimeLimit,
    mechanism_settings,
    program_settings,
)

Mechanism = Annotated[
    str,
    typer.Option(
        help="auto (canopy), aim, mst, independent, dp-ctgan, hybrid, pate-gan, smartnoise:NAME,"
        " external:, or a name that an installed package declares."
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        help="Where a training keeps its state: after an interruption, the same command goes on"
        " from there."
    ),
]
Where = Annotated[str | None, typer.Option(help="A condition that every row meets: 'age >= 65'.")]


def fit(
    data: Data,
    epsilon: Epsilon,
    delta: Delta,
    output: ModelFile,
    schema: SchemaFile = None,
    mechanism: Mechanism = "auto",
    target: Target = None,
    settings: Settings = None,
    ledger: LedgerFile = None,
    purpose: Purpose = "",
    approval: Approvals = None,
    environment: Environment = None,
    command: Command = None,
    claim: Claim = None,
    ask_rows: AskedRows = None,
    time_limit: TimeLimit = None,
    checkpoint: Checkpoint = None,
    certificate: CertificateFolder = None,
    as_json: Json = False,
) -> None:
    """Fit a model of a table, which spends the budget. Sampling from the model costs nothing."""
    from dpsynth.synthesizers.table import Synthesizer

    chosen = mechanism_settings(target, settings)
    chosen |= program_settings(environment, command, claim, ask_rows, time_limit)
    given = from_project(schema=schema, ledger=ledger)
    job = job_of(given["ledger"], purpose, approval)
    synthesizer = Synthesizer(
        load_schema(given["schema"]),
        mechanism,
        epsilon=epsilon,
        delta=delta,
        checkpoint=checkpoint,
        **job,
        **chosen,
    )
    fit_and_keep(
        synthesizer,
        lambda: synthesizer.fit(data),
        output=output,
        certificate=certificate,
        as_json=as_json,
        checkpoint=checkpoint,
    )


def sample(
    model: Annotated[Path, typer.Argument(help="A model that `fit` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .parquet file.")],
    n: Annotated[
        int | None, typer.Option("-n", help="Rows; by default the noisy row count.")
    ] = None,
    where: Where = None,
    seed: Seed = None,
) -> None:
    """Draw synthetic rows from a model: any number, at no further cost."""
    from dpsynth.synthesizers.table import Synthesizer

    output_file(output, ".csv", ".parquet")
    synthesizer = Synthesizer.load(model)
    rows = synthesizer.sample(n, where=where, seed=seed)
    write_table(rows, output, synthesizer.schema)
    say(f"{output}: {len(rows):,} synthetic rows")


def demo(
    out: Annotated[Path, typer.Option("--out", help="The release folder.")] = Path("release"),
    epsilon: Epsilon = 1.0,
) -> None:
    """Turn 20,190 real health-insurance records into a private synthetic table with evidence."""
    from dpsynth.demo.release import run_demo

    run_demo(out, epsilon, say)
