"""`dpsynth verify`: does a certificate hold? Its checks share no code with what made it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli.common import Json, err, print_json, say
from dpsynth.cli.exits import Exit

if TYPE_CHECKING:
    from dpsynth.evidence.verify import Outcome


def verify(
    release: Annotated[
        Path, typer.Argument(help="A release's directory, or its certificate.json.")
    ],
    as_json: Json = False,
) -> None:
    """Recompute a certificate's claim from the ledger lines that it quotes: docs/verify.md.

    Exit code 1 if it does not hold, 3 if some figures can be neither confirmed nor refuted.
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
            say(_line(outcome))
    if holds and not as_json:
        say(
            f"{release}: certificate.json agrees with the ledger lines that it quotes, and with the"
            " files that it lists, if it lists any. A model file is compared with its own"
            " certificate when it is loaded. Not checked: certificate.html, and whether lines of"
            " the ledger were left out (dpsynth ledger verify LEDGER --head HEAD finds that)"
        )
    if open_ones and not faults:
        err.print(f"dpsynth: {open_ones[0]}", style="red", highlight=False, markup=False)
    if not holds:
        raise typer.Exit(Exit.GATE_FAILED if faults else Exit.INCONCLUSIVE)


def _line(outcome: Outcome) -> str:
    """How a check ended, its name, and why it did not pass."""
    word = "ok"
    if outcome.undecided:
        word = "open"
    if outcome.fault:
        word = "FAULT"
    why = outcome.fault or outcome.undecided or ""
    return f"{word:<5}  {outcome.check:<13} {why}".rstrip()
