"""`dpsynth merge`: one model of several, and where they disagree."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import Json, output_file, print_json, say


class Counts(StrEnum):
    """What counts of several sources become."""

    ADD = "add"
    AVERAGE = "average"


Models = Annotated[
    list[Path], typer.Argument(help="Two models or more that `fit` or `release` wrote.")
]
CountsOption = Annotated[
    Counts,
    typer.Option(
        help="add: the models are of different people. average: they describe one population."
    ),
]
Disjoint = Annotated[
    bool,
    typer.Option(
        "--disjoint", help="State that nobody is in more than one source: claims do not add up."
    ),
]


def merge(
    models: Models,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new .dpsynth file.")],
    counts: CountsOption,
    disjoint: Disjoint = False,
    false_discovery_rate: Annotated[
        float, typer.Option(help="Of the conflicts named, the part that may be chance.")
    ] = 0.001,
    report: Annotated[
        Path | None, typer.Option(help="A folder for merge.json and merge.html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make one model of several releases, and list where they disagree. Spends nothing.

    All of it follows from noisy counts that were paid for, and may be published.
    """
    from dpsynth.synthesizers.merged import merge as merged

    output_file(output, ".dpsynth")
    made = merged(
        models,
        counts=counts.value,
        disjoint=disjoint,
        false_discovery_rate=false_discovery_rate,
    )
    made.save(output)
    if report is not None:
        made.certificate.save(report)
    if as_json:
        print_json(made.certificate.record)
        return
    say(made.certificate.summary())
