"""`--html`: what a command prints, as a page in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Page = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write it as a page to this .html file as well; an earlier page there is replaced.",
    ),
]


def write_page(file: Path, page: str) -> None:
    """Writes the page; ValueError for a file that is not named as one, which is left as it is."""
    from dpsynth.evidence.pages.render import save

    if file.suffix.lower() != ".html":
        raise ValueError(f"{file} must end in .html: choose another name")
    save(file.parent, {file.name: page})
