"""`dpsynth verify`: does a release's certificate hold, by a program that shares nothing with the one that made it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import Json, fail, print_json, say


def verify(
    release: Annotated[Path, typer.Argument(help="A release's directory, or its certificate.json.")],
    as_json: Json = False,
) -> None:
    """Recompute a certificate's claim from the ledger lines that it quotes. Exit code 1 where it does not hold."""
    from dpsynth.evidence.verify import Undecided, check

    try:
        faults = check(release)
    except Undecided as reason:
        fail(reason, 3)
    if as_json:
        print_json({"release": str(release), "holds": not faults, "faults": faults})
    for fault in [] if as_json else faults:
        say(f"FAULT  {fault}")
    if faults:
        raise typer.Exit(1)
    if not as_json:
        say(
            f"{release}: certificate.json agrees with the ledger lines that it quotes, and with the files that it"
            " lists; pages made from it (certificate.html) were not looked at, and whether lines were left out shows"
            " against the ledger only (dpsynth ledger verify LEDGER --head HEAD)"
        )
