"""`dpsynth certificate`: what others need of a certificate, in the forms that they know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.base.places import new_file
from dpsynth.cli.common import Json, print_json, say

certificate_app = typer.Typer(
    no_args_is_help=True, help="Put what a certificate says into the forms that others ask for."
)

Release = Annotated[Path, typer.Argument(help="A release's folder, or a certificate.json.")]


@certificate_app.command("schema")
def schema(
    kind: Annotated[
        str, typer.Argument(help="certificate, manifest, ledger-line or signature.")
    ] = "certificate",
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a kind of file, which needs no other file."""
    from dpsynth.evidence.schemas import schema_of

    print_json(schema_of(kind))


@certificate_app.command("map")
def map_to(
    release: Release,
    to: Annotated[
        str,
        typer.Option(
            help="nist-800-226, edpb-criteria, hipaa-expert-determination, iso-27559, model-card,"
            " datasheet or dp-registry."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new .md file; else it is printed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer the questions of a standard from the certificate's facts; others are left open."""
    from dpsynth.evidence import verify
    from dpsynth.evidence.mapped import as_markdown, mapped

    answers = mapped(verify.read(release), to)
    text = as_markdown(answers)
    if output is not None:
        new_file(output)
        output.write_text(text, encoding="utf-8", newline="\n")
    if as_json:
        print_json(answers)
    else:
        say(text if output is None else f"{output}: to be completed by a person")


@certificate_app.command("card")
def card(
    release: Annotated[Path, typer.Argument(help="A release's folder.")], as_json: Json = False
) -> None:
    """Write a Croissant card, croissant.json, into a release, and list it in the manifest."""
    from dpsynth.evidence.croissant import save_card

    path = save_card(release)
    if as_json:
        print_json({"card": str(path)})
    else:
        say(f"{path}: listed in the manifest; a release that was signed is to be signed again")
