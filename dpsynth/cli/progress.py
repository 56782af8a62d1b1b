"""Progress of a command on stderr, where it is a terminal or was asked for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from dpsynth.base import following as base
from dpsynth.cli.common import err

Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="Say on stderr what is done. By default only where stderr is a terminal.",
    ),
]


def following(asked: bool | None) -> AbstractContextManager[None]:
    """Shows on stderr what the logger "dpsynth" says; asked: None for only on a terminal."""
    return base.following(asked, err)
