"""`dpsynth split`: rows to fit, and a holdout for audits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import Data, Json, SchemaFile, from_project, load_schema, print_json, say

Share = Annotated[float, typer.Option("--holdout", help="The share of the units, above 0.")]
Seed = Annotated[int, typer.Option(help="Another seed holds out others.")]
Files = Annotated[
    tuple[Path, Path],
    typer.Option(
        "--output",
        "-o",
        metavar="TRAIN HOLDOUT",
        help="Two new files of the same kind as DATA: the rows to fit, and the holdout.",
    ),
]


def split(
    data: Data,
    output: Files,
    schema: SchemaFile = None,
    holdout: Share = 0.2,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Split a table into rows to fit and a holdout for audits. PRIVATE: both are real rows.

    All rows of a unit, as the schema names it, go to the same side. The same unit and seed give the
    same side again, also when other rows were added.
    """
    from dpsynth.data.tables.split import split_file

    facts = load_schema(from_project(schema=schema)["schema"])
    train, held = output
    split_file(data, facts, train, held, share=holdout, seed=seed)
    if as_json:
        print_json({"train": str(train), "holdout": str(held), "share": holdout, "seed": seed})
        return
    say(f"{train}: the rows to fit. PRIVATE")
    say(f"{held}: the holdout, which no fit may see; give it to dpsynth audit. PRIVATE")
