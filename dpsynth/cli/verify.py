"""`dpsynth verify`: does a release hold? Its checks share no code with what made it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.base.text import printable
from dpsynth.cli.common import Json, err, from_project, print_json, say
from dpsynth.cli.exits import Exit

if TYPE_CHECKING:
    from dpsynth.evidence.bundle.signatures import Trust
    from dpsynth.evidence.verify import Outcome


Head = Annotated[
    str | None,
    typer.Option(help="A head of the folder's manifest that was noted earlier, or its beginning."),
]
Redraw = Annotated[
    bool, typer.Option("--redraw", help="Draw every sample again from the model in the folder.")
]

TrustFile = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        help="Whose signatures the release must have, .yaml or .json; by default the file named in"
        " dpsynth.toml.",
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", help="A public key that must have signed: a .pub file; repeat it for more."
    ),
]


def verify(
    release: Annotated[Path, typer.Argument(help="A release's folder, or a certificate.json.")],
    head: Head = None,
    redraw: Redraw = False,
    trust: TrustFile = None,
    key: Keys = None,
    as_json: Json = False,
) -> None:
    """Check a release: its files by the manifest, its claim by ledger lines: docs/verify.md.

    Exit code 1 if it does not hold, 3 if something can be neither confirmed nor refuted.
    """
    from dpsynth.evidence.release import examine_release, who_signed

    asked = _asked(trust, key, release)
    outcomes = examine_release(release, head, asked)
    if redraw and not any(outcome.fault for outcome in outcomes):
        from dpsynth.synthesizers.drawing import drawn_again

        outcomes += drawn_again(release)
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    open_ones = [outcome.undecided for outcome in outcomes if outcome.undecided]
    holds = not faults and not open_ones
    signed_by = who_signed(release, asked) if holds and asked is not None else []
    if as_json:
        checks = [asdict(outcome) for outcome in outcomes]
        found = {"release": str(release), "holds": holds, "faults": faults, "checks": checks}
        print_json(found if asked is None else {**found, "signed_by": signed_by})
    else:
        for outcome in outcomes:
            say(_line(outcome))
    if holds and not as_json:
        for name in signed_by:
            say(f"{release}: signed by {name}")
        say(_what_holds(release, head, redraw, asked))
    if open_ones and not faults:
        said = printable(f"dpsynth: {open_ones[0]}")
        err.print(said, style="red", highlight=False, markup=False)
    if not holds:
        raise typer.Exit(Exit.GATE_FAILED if faults else Exit.INCONCLUSIVE)


def _asked(trust: Path | None, keys: list[str] | None, release: Path) -> Trust | None:
    """Whose signatures are asked for: by keys, by a trust file, or by that of the project."""
    from dpsynth.evidence.signing.trust import load_trust, trust_in

    if trust is not None and keys:
        raise ValueError("--trust and --key exclude each other: give one of the two")
    if keys:
        return trust_in(*keys)
    file = from_project(trust=trust)["trust"] if release.is_dir() else trust
    if file is not None and release.resolve() in file.resolve().parents:
        raise ValueError(
            f"{file} lies in the release, whose maker would say whom to trust: give a trust file of"
            " your own"
        )
    return None if file is None else load_trust(file)


def _what_holds(release: Path, head: str | None, redraw: bool, asked: Trust | None) -> str:
    """What was found to hold, and what no check of these files alone can find."""
    told = "agrees with the ledger lines that it quotes"
    rest = "a ledger written anew, or cut at its end (dpsynth ledger verify LEDGER --head HEAD)"
    if not release.is_dir():
        return _listed(f"{release}: {told}.", ["the files beside it (give the folder)", rest])
    missing = [rest]
    if asked is None:
        missing.append("who stands for it: no signature was asked for (--trust, or --key)")
    if head is None and asked is None:
        missing.append(
            "a release made anew, or files of it, as certificate.html or schema.yaml, together with"
            " the manifest (--head, with a head that was noted)"
        )
    if not redraw:
        missing.append("whether the model gives these rows (--redraw)")
    if sheets := sorted(path.name for path in release.glob("*.png")):
        missing.append(f"whether {', '.join(sheets)} shows images of the model")
    if (release / "internal").exists():
        missing.append("internal/, which is no part of the release and must not be published")
    return _listed(
        f"{release}: the files are those that the manifest lists, and the certificate {told}.",
        missing,
    )


def _listed(holds: str, missing: list[str]) -> str:
    return "\n".join([holds, "Not checked:", *(f"  {each}" for each in missing)])


def _line(outcome: Outcome) -> str:
    """How a check ended, its name, and why it did not pass."""
    word = "ok"
    if outcome.undecided:
        word = "open"
    if outcome.fault:
        word = "FAULT"
    why = outcome.fault or outcome.undecided or ""
    return str(printable(f"{word:<5}  {outcome.check:<13} {why}".rstrip()))
