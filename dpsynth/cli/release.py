"""`dpsynth fit`, `release`, `sample` and `demo`: from records to a release."""

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
    output_file,
    parity_asked,
    parity_facts,
    path_or_address,
    print_json,
    row_count,
    say,
    say_drawn,
    say_parity,
    shares_of,
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
    from dpsynth.synthesizers.block_table import WrittenTable
    from dpsynth.synthesizers.blocks import Written
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
Where = Annotated[str | None, typer.Option(help="A condition that every row meets: 'age >= 65'.")]
Balance = Annotated[
    list[str] | None,
    typer.Option(
        help="Shares of a column's values among the rows: fraud=0.5, or sex=f:0.5,m:0.5. Several"
        " columns by several options."
    ),
]
Parity = Annotated[
    str | None,
    typer.Option(
        metavar="OUTCOME=GROUP",
        help="An outcome that is to be as frequent in each group: approved=sex, or given other"
        " columns, approved=sex|grade.",
    ),
]
ParityGap = Annotated[
    float, typer.Option(help="By how much its share may differ between two groups: 0.02.")
]
ScenarioFile = Annotated[
    Path | None, typer.Option("--scenario", help="A scenario, .yaml or .json: named parts.")
]
Support = Annotated[
    bool, typer.Option("--support", help="Add how much evidence stands behind each row.")
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


def sample(
    model: Annotated[Path, typer.Argument(help="A model that `fit` wrote.")],
    output: Annotated[
        Any,
        typer.Option(
            "--output",
            "-o",
            help="A file: .csv, .parquet, .feather, .jsonl, .xlsx, .sav or .dta. For any number of"
            " rows a folder, a name without an ending: files of a million each. Or a table of a"
            " database, such as postgresql://host/clinic?table=synthetic.",
            metavar="PLACE",
            parser=path_or_address,
        ),
    ],
    n: Rows = None,
    where: Where = None,
    balance: Balance = None,
    parity: Parity = None,
    parity_gap: ParityGap = 0.0,
    scenario: ScenarioFile = None,
    support: Support = False,
    seed: Seed = None,
    row_format: Annotated[
        Format | None,
        typer.Option("--format", help="Of the files in a folder; by default parquet."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(help="How many million rows of a folder or table are drawn at one time."),
    ] = 1,
    append: Annotated[
        bool,
        typer.Option("--append", help="Add to a database table that dpsynth wrote rows to before."),
    ] = False,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Draw synthetic rows from a model: any number, at no further cost.

    The manifest of the output's folder lists them, with the seed and the condition. A folder that
    was left unfinished is finished by the same command. In a database the table dpsynth_manifest
    lists them, and an unfinished write leaves nothing.
    """
    from dpsynth.data.tables.writing import WRITTEN
    from dpsynth.synthesizers.drawing import draw_rows_to
    from dpsynth.synthesizers.scenario import Scenario
    from dpsynth.synthesizers.table import Synthesizer

    asked: dict[str, Any] = {"where": where, "balance": shares_of(balance), "support": support}
    asked["parity"] = parity_asked(parity, parity_gap)
    named = isinstance(output, Path)
    if n is not None and scenario is None and not (named and output.suffix):
        asked |= {"format": row_format and row_format.value, "append": append}
        with following(progress):
            synthesizer = Synthesizer.load(model)
            asked |= {"seed": seed, "workers": workers, "progress": False}  # `following` shows it
            made = synthesizer.write(output, n, **asked)
        _say_written(made, as_json)
        return
    if not named:
        raise ValueError("a table of a database takes a number of rows and no scenario: give -n")
    output_file(output, *WRITTEN)
    if append or row_format is not None:
        option = "--append is of a table" if append else "--format is of a folder"
        raise ValueError(f"{option}, and {output} is a file, by its ending: leave that option out")
    if scenario is not None:
        asked["scenario"] = Scenario.load(scenario)
    with following(progress):
        drawn = draw_rows_to(output, Synthesizer.load(model), n, **asked, seed=seed)
    say_drawn(drawn, "rows", as_json)


def _say_written(written: Written | WrittenTable, as_json: bool) -> None:
    from dpsynth.synthesizers.blocks import Written

    facts: dict[str, Any] = {"rows": written.count, "seed": written.seed}
    facts |= parity_facts(written.parity)
    if not as_json:
        say_parity(written.parity)
    if not isinstance(written, Written):
        if as_json:
            print_json({"output": repr(written.table), **facts})
        else:
            say(f"{written.table!r}: {written.count:,} synthetic rows, seed {written.seed}")
        return
    if as_json:
        facts = {"output": str(written.folder), "files": len(written.files), **facts}
        print_json({**facts, "manifest_head": written.head})
        return
    files = len(written.files)
    say(
        f"{written.folder}: {written.count:,} synthetic rows in {files:,}"
        f" {'file' if files == 1 else 'files'}, seed {written.seed}"
    )
    say(f"{written.folder / 'manifest.json'}: head {written.head}")


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
