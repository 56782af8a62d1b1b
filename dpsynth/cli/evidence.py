"""`dpsynth evaluate`: how close a release is to real records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dpsynth.cli.common import (
    Json,
    PageFolder,
    Real,
    SchemaFile,
    Synthetic,
    from_project,
    load_schema,
    path_or_address,
    print_json,
    say,
)
from dpsynth.cli.progress import Progress, following


def evaluate(
    synthetic: Synthetic,
    real: Real,
    schema: SchemaFile = None,
    output: PageFolder = Path("quality"),
    holdout: Annotated[
        Any,
        typer.Option(
            help="Real rows that the release was not made from: the yardstick.",
            metavar="DATA",
            parser=path_or_address,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="A column that models predict; they are tried on the holdout."),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            help="Where the target is a time: a column of two values, whether it ended then."
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="A column of groups to compare in; repeat it for more."),
    ] = None,
    analyses: Annotated[
        Path | None,
        typer.Option(help="A YAML list of regressions, tables and means to make on both."),
    ] = None,
    told_apart: Annotated[
        bool,
        typer.Option("--told-apart", help="Say how well a model tells the release from real rows."),
    ] = False,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Compare synthetic with real rows. INTERNAL: exact figures of private rows."""
    from dpsynth.evaluation.fidelity import evaluate as compare

    facts = load_schema(from_project(schema=schema)["schema"])
    with following(progress):
        quality = compare(
            synthetic,
            real,
            facts,
            holdout=holdout,
            target=target,
            event=event,
            groups=group or (),
            analyses=analyses or (),
            told_apart=told_apart,
        )
        quality.save(output)
    if as_json:
        print_json(quality.record)
        return
    say(quality.summary())
    say(f"{output / 'quality.html'}: INTERNAL, compares with real records")
