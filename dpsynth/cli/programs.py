"""Options for mechanisms, and for other programs: `smartnoise:mst` and `external:`."""

from __future__ import annotations

import inspect
import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from dpsynth.cli.common import named

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: a setting of the mechanism, one for each --set."),
]
Environment = Annotated[
    Path | None,
    typer.Option(
        help="smartnoise: the folder of its Python environment, or that Python; by default what"
        " DPSYNTH_SMARTNOISE says."
    ),
]
Command = Annotated[
    str | None,
    typer.Option(
        help="external: the command, such as 'python gen.py {input} {output} {epsilon}'; no shell."
    ),
]
Claim = Annotated[
    str | None,
    typer.Option(
        help="What the program promises, EPSILON or EPSILON,DELTA; by default the whole budget."
    ),
]
AskedRows = Annotated[
    int | None, typer.Option("--ask-rows", help="How many rows the program is asked for.")
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds after which the program is stopped.")
]


def mechanism_settings(
    mechanism: str, target: str | None, stated: list[str] | None
) -> dict[str, Any]:
    """What --target and --set say.

    A value that reads as JSON (0.5, true, [1, 2]) is that; any other is text.
    """
    from dpsynth.synthesizers.table import Synthesizer

    values = {name: _value(text) for name, text in named("--set", stated, "share=0.5").items()}
    found = _target_settings(mechanism, target) | values
    if others := sorted(set(found) & set(inspect.signature(Synthesizer).parameters)):
        raise ValueError(
            f"--set is for settings of the mechanism, and {others} are none: use the options of"
            " those names"
        )
    return found


def _target_settings(mechanism: str, target: str | None) -> dict[str, Any]:
    """The mechanism's setting for a column that matters more, if one was named."""
    from dpsynth.mechanisms.marginal.workload import Workload
    from dpsynth.mechanisms.registry import TABLES

    if target is None:
        return {}
    if "workload" not in inspect.signature(TABLES.load(mechanism)[0]).parameters:
        raise ValueError(
            f"--target is for mechanisms that take a workload, such as canopy and aim, and"
            f" {mechanism} takes none: leave out --target, or choose another mechanism"
        )
    return {"workload": Workload(target=target)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def program_settings(
    environment: Path | str | None = None,
    command: str | None = None,
    claim: str | None = None,
    rows: int | None = None,
    time_limit: float | None = None,
) -> dict[str, Any]:
    """The settings that were given."""
    given = {
        "environment": environment,
        "command": None if command is None else _words(command),
        "claim": None if claim is None else _claim(claim),
        "rows": rows,
        "time_limit": time_limit,
    }
    return {name: value for name, value in given.items() if value is not None}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        raise ValueError(
            f"--command has a quote that does not end: close it in {command!r}"
        ) from None


def _claim(text: str) -> Any:
    from dpsynth.programs.external import ExternalProgram

    try:
        numbers = [float(part) for part in str(text).split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ValueError(
            f"--claim is written EPSILON or EPSILON,DELTA, such as 1,1e-9, got {text!r}"
        )
    return ExternalProgram(*numbers)
