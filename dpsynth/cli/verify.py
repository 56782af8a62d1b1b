"""`dpsynth verify`: does a release's certificate hold, by a program that shares nothing with the one that made it?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import Json, err, print_json, say
from dpsynth.cli.exits import Exit


def verify(
    release: Annotated[Path, typer.Argument(help="A release's directory, or its certificate.json.")],
    as_json: Json = False,
) -> None:
    """Recompute a certificate's claim from the ledger lines that it quotes, check by check.

    Exit code 1 where it does not hold, 3 where some figures can be neither confirmed nor refuted.
    """
    from dpsynth.evidence.verify import examine_release

    outcomes = examine_release(release)
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    open_ones = [outcome.undecided for outcome in outcomes if outcome.undecided]
    holds = not faults and not open_ones
    if as_json:
        checks = [asdict(outcome) for outcome in outcomes]
        print_json({"release": str(release), "holds": holds, "faults": faults, "checks": checks})
    else:
        for outcome in outcomes:
            word = "FAULT" if outcome.fault else "open" if outcome.undecided else "ok"
            why = outcome.fault or outcome.undecided or ""
            say(f"{word:<5}  {outcome.check:<13} {why}".rstrip())
    if holds and not as_json:
        say(
            f"{release}: certificate.json agrees with the ledger lines that it quotes, and with the files that it"
            " lists, if it lists any; a model file is compared with its own certificate when it is loaded;"
            " pages made from it (certificate.html) were not looked at, and whether lines were left out shows"
            " against the ledger only (dpsynth ledger verify LEDGER --head HEAD)"
        )
    if open_ones and not faults:
        err.print(f"dpsynth: {open_ones[0]}", style="red", highlight=False, markup=False)
    if not holds:
        raise typer.Exit(Exit.GATE_FAILED if faults else Exit.INCONCLUSIVE)
