"""`dpsynth sample`: rows from a model, in a file, a folder or a table of a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.cli.common import (
    Json,
    Seed,
    output_file,
    parity_asked,
    parity_facts,
    path_or_address,
    print_json,
    say,
    say_drawn,
    say_parity,
    shares_of,
)
from dpsynth.cli.progress import Progress, following
from dpsynth.cli.release import Format, Rows

if TYPE_CHECKING:
    from dpsynth.synthesizers.block_table import WrittenTable
    from dpsynth.synthesizers.blocks import Written

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
    from dpsynth.synthesizers.merged import load_table
    from dpsynth.synthesizers.scenario import Scenario

    asked: dict[str, Any] = {"where": where, "balance": shares_of(balance), "support": support}
    asked["parity"] = parity_asked(parity, parity_gap)
    named = isinstance(output, Path)
    if n is not None and scenario is None and not (named and output.suffix):
        asked |= {"format": row_format and row_format.value, "append": append}
        with following(progress):
            synthesizer = load_table(model)
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
        drawn = draw_rows_to(output, load_table(model), n, **asked, seed=seed)
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
