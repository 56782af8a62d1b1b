"""`dpsynth fit`, `release` and `demo`: from records to a release."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.cli.common import (
    USUAL_DELTA,
    Approvals,
    CertificateFolder,
    Data,
    Delta,
    Epsilon,
    Holdback,
    Json,
    LedgerFile,
    ModelFile,
    Purpose,
    SchemaFile,
    Seed,
    Target,
    from_project,
    load_schema,
    print_json,
    row_count,
    say,
)
from dpsynth.cli.fitting import cautions_told_later, fit_and_keep, job_of
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
from dpsynth.cli.progress import Progress, following

if TYPE_CHECKING:
    from dpsynth.synthesizers.drawing import Drawn
    from dpsynth.synthesizers.table import Synthesizer

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


Rows = Annotated[
    int | None,
    typer.Option(
        "-n",
        help="Rows, also as 1e9; by default the noisy row count.",
        parser=row_count,
        metavar="N",
    ),
]
ReleaseFolder = Annotated[
    Path, typer.Option("--output", "-o", help="The folder of the release, made at the end.")
]


class Format(StrEnum):
    """The kinds of files that rows are written to."""

    CSV = "csv"
    DTA = "dta"
    FEATHER = "feather"
    JSONL = "jsonl"
    PARQUET = "parquet"
    SAV = "sav"
    XLSX = "xlsx"


RowFormat = Annotated[
    Format | None,
    typer.Option("--format", help="Of the synthetic rows; by default that of DATA, or csv."),
]


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
    holdback: Holdback = 0.0,
    certificate: CertificateFolder = None,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Fit a model of a table, which spends the budget. Sampling from the model costs nothing."""
    chosen = mechanism_settings(mechanism, target, settings)
    chosen |= program_settings(environment, command, claim, ask_rows, time_limit)
    chosen |= _budgeted(mechanism, epsilon, delta, checkpoint, holdback)
    synthesizer = _synthesizer(schema, ledger, purpose, approval, chosen)
    fit_and_keep(
        synthesizer,
        lambda: synthesizer.fit(data),
        output=output,
        certificate=certificate,
        progress=progress,
        as_json=as_json,
        checkpoint=checkpoint,
    )


def release(
    data: Data,
    epsilon: Epsilon,
    output: ReleaseFolder,
    delta: Delta = USUAL_DELTA,
    schema: SchemaFile = None,
    n: Rows = None,
    seed: Seed = None,
    row_format: RowFormat = None,
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
    holdback: Holdback = 0.0,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Make a release in one step: fit, rows, model, certificate and manifest in a new folder.

    It spends the budget once. More rows are free: dpsynth sample.
    """
    from dpsynth.data.tables.writing import ending_for
    from dpsynth.synthesizers.release import make_release

    chosen = mechanism_settings(mechanism, target, settings)
    chosen |= program_settings(environment, command, claim, ask_rows, time_limit)
    chosen |= _budgeted(mechanism, epsilon, delta, checkpoint, holdback)
    synthesizer = _synthesizer(schema, ledger, purpose, approval, chosen)
    usual = ending_for(data) if isinstance(data, Path) else ".csv"
    ending = usual if row_format is None else f".{row_format}"
    with following(progress), cautions_told_later():
        drawn = make_release(synthesizer, data, output, n=n, seed=seed, ending=ending)
    record = synthesizer.certificate.record
    if as_json:
        facts = {"output": str(output), "rows_file": str(drawn.path), "rows": drawn.count}
        facts |= {"seed": drawn.seed, "manifest_head": drawn.head}
        print_json({**facts, "certificate": record})
        return
    say(synthesizer.certificate.summary())
    _say_release(output, drawn, data)


def _say_release(folder: Path, drawn: Drawn, data: Path | str) -> None:
    """What lies in the folder, and what to do next."""
    files = {
        drawn.path.name: f"{drawn.count:,} synthetic rows, seed {drawn.seed}",
        "certificate.html": "what is promised, what it cost, and what is not promised",
        "certificate.json": "the same for programs",
        "model.dpsynth": "draws any number of further rows: dpsynth sample",
        "schema.yaml": "the public facts about the columns",
        "manifest.json": f"the hash of each file; its head is {drawn.head}",
    }
    shown = data if isinstance(data, Path) else "DATA"  # an address is not repeated
    say(f"\n{folder} holds")
    for name, meaning in files.items():
        say(f"  {name:<18} {meaning}")
    say(
        "Note the head elsewhere: with it, `dpsynth verify` finds a release that was made anew.\n"
        "Next:\n"
        f"  dpsynth verify {folder}\n"
        f"  dpsynth evaluate {drawn.path} {shown} --schema {folder / 'schema.yaml'} -o"
        " internal/quality    # INTERNAL"
    )


def _budgeted(
    mechanism: str, epsilon: float, delta: float, checkpoint: Path | None, holdback: float
) -> dict[str, Any]:
    budget = {"epsilon": epsilon, "delta": delta, "holdback": holdback}
    return {"mechanism": mechanism, "checkpoint": checkpoint, **budget}


def _synthesizer(
    schema: Path | None,
    ledger: Path | None,
    purpose: str,
    approval: list[str] | None,
    settings: dict[str, Any],
) -> Synthesizer:
    from dpsynth.synthesizers.table import Synthesizer

    given = from_project(schema=schema, ledger=ledger)
    job = job_of(given["ledger"], purpose, approval)
    return Synthesizer(load_schema(given["schema"]), **job, **settings)


def demo(
    out: Annotated[Path, typer.Option("--out", help="The release folder.")] = Path("release"),
    epsilon: Epsilon = 1.0,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Turn 20,190 real health-insurance records into a private synthetic table with evidence."""
    from dpsynth.demo.release import run_demo

    with following(progress):
        drawn = run_demo(out, epsilon, silent if as_json else say)
    if as_json:
        facts = {"output": str(out), "rows_file": str(drawn.path), "rows": drawn.count}
        print_json({**facts, "seed": drawn.seed, "manifest_head": drawn.head})


def silent(line: str) -> None:
    """Says nothing: a program reads one JSON object instead."""
