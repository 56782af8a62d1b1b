"""`dpsynth verify`: does a release hold? Its checks share no code with what made it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.base.text import printable
from dpsynth.cli.common import Json, err, from_project, print_json, say
from dpsynth.cli.exits import Exit
from dpsynth.cli.progress import Progress, following

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
RedrawSome = Annotated[
    int | None,
    typer.Option(
        "--redraw-some", min=1, help="Draw so many of the samples again, chosen at random."
    ),
]
ModelFile = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="The model that the rows were drawn from, of a folder that does not hold it.",
        exists=True,
        dir_okay=False,
    ),
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


_TOLD = "agrees with the ledger lines that it quotes"
_REST = "a ledger written anew, or cut at its end (dpsynth ledger verify LEDGER --head HEAD)"


def verify(
    release: Annotated[
        Path,
        typer.Argument(
            help="A release's folder, one that `sample` wrote, a certificate.json, or the file of a"
            " merge."
        ),
    ],
    head: Head = None,
    redraw: Redraw = False,
    redraw_some: RedrawSome = None,
    model: ModelFile = None,
    trust: TrustFile = None,
    key: Keys = None,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Check a release: its files by the manifest, its claim by ledger lines: docs/verify.md.

    A folder of rows that `sample` wrote is checked beside its model: --model.

    Exit code 1 if it does not hold, 3 if something can be neither confirmed nor refuted.
    """
    from dpsynth.evidence.bundle.samples import is_samples
    from dpsynth.evidence.release import examine_release, examine_samples, who_signed
    from dpsynth.synthesizers.model_file import is_merge

    plain, merged = is_samples(release), is_merge(release)
    if plain and (trust is not None or key):
        raise ValueError(
            f"{release} is no release, and a signature is of one: give no --trust or --key"
        )
    asked = None if plain or merged else _asked(trust, key, release)
    if merged:
        from dpsynth.synthesizers.merge_check import examine_merge

        outcomes = examine_merge(release)
    elif plain:
        outcomes = examine_samples(release, model, head)
    else:
        outcomes = examine_release(release, head, asked)
    again = redraw or redraw_some is not None
    if again and not any(outcome.fault for outcome in outcomes):
        from dpsynth.synthesizers.drawing import drawn_again

        with following(progress):
            outcomes += drawn_again(release, model, None if redraw else redraw_some)
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
        drawn = _not_drawn_again(redraw, redraw_some)
        say(
            _what_holds_of_a_merge(release)
            if merged
            else _what_holds(release, model if plain else None, head, drawn, asked)
        )
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


def _not_drawn_again(redraw: bool, some: int | None) -> list[str]:
    """What is not known of samples that were not drawn again."""
    if redraw:
        return []
    rows = "these rows" if some is None else f"the samples beside the {some} drawn again"
    return [f"whether the model gives {rows} (--redraw)"]


def _what_holds(
    release: Path, model: Path | None, head: str | None, drawn: list[str], asked: Trust | None
) -> str:
    """What was found to hold, and what no check of these files alone can find.

    model: that of a folder of samples, which holds their certificate; None of a release.
    """
    if not release.is_dir():
        return _listed(f"{release}: {_TOLD}.", ["the files beside it (give the folder)", _REST])
    missing = [_REST]
    if model is not None:
        missing.append("who stands for it: only a release is signed")
    elif asked is None:
        missing.append("who stands for it: no signature was asked for (--trust, or --key)")
    if head is None and asked is None:
        missing.append(
            "a release made anew, or files of it, as certificate.html or schema.yaml, together with"
            " the manifest (--head, with a head that was noted)"
        )
    missing += drawn
    if sheets := sorted(path.name for path in release.glob("*.png")):
        missing.append(f"whether {', '.join(sheets)} shows images of the model")
    if (release / "internal").exists():
        missing.append("internal/, which is no part of the release and must not be published")
    of = "and the certificate" if model is None else f"drawn from {model}, whose certificate"
    return _listed(
        f"{release}: the files are those that the manifest lists, {of} {_TOLD}.", missing
    )


def _what_holds_of_a_merge(release: Path) -> str:
    holds = (
        f"{release}: each source's certificate {_TOLD}, its model is the one that its run released,"
        " and merged again the sources give this merge."
    )
    return _listed(holds, ["whether somebody is in several sources", _REST])


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
