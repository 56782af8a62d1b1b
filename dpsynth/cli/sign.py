"""`dpsynth keys` and `dpsynth sign`: who stands for a release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import Json, print_json, say

keys_app = typer.Typer(no_args_is_help=True, help="Make keys to sign releases with, and show them.")

Role = Annotated[str, typer.Option(help="As what: preparer, reviewer, or another word.")]


@keys_app.command("new")
def new(
    key: Annotated[Path, typer.Argument(help="A new file, such as office.key.")],
    as_json: Json = False,
) -> None:
    """Make a key: KEY to keep, which signs, and a .pub file to hand out, which verifies.

    Where the environment has DPSYNTH_KEY_PASSPHRASE, the key can be used with that only.
    """
    from dpsynth.evidence.signing.ed25519 import PASSPHRASE, new_key, public_path

    public = new_key(key)
    if not as_json:
        has = "it has the passphrase of" if PASSPHRASE in os.environ else "no passphrase: none in"
        say(f"{key}: the private key, for its owner only; {has} {PASSPHRASE}")
    _show(public_path(key), public, as_json)


@keys_app.command("show")
def show(
    key: Annotated[str, typer.Argument(help="A .pub file, or a line that begins with ed25519:.")],
    as_json: Json = False,
) -> None:
    """Show a public key: its line for a trust file, and the id that signatures have."""
    from dpsynth.evidence.signing.ed25519 import public_key

    _show(key, public_key(key), as_json)


def sign(
    release: Annotated[Path, typer.Argument(help="The folder of a release that verifies.")],
    key: Annotated[Path, typer.Option(help="A private key that `dpsynth keys new` made.")],
    signer: Annotated[str, typer.Option(help="Who signs, such as 'data office'.")],
    role: Role = "preparer",
    days: Annotated[
        int | None, typer.Option(help="How long it is valid; by default without an end.")
    ] = None,
    supersedes: Annotated[
        list[str] | None,
        typer.Option(help="The head of the manifest of a release that this one replaces."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign a release: every file that its manifest lists now, and what its certificate claims."""
    from dpsynth.evidence.bundle.signatures import key_id
    from dpsynth.evidence.sign import refuse_inside, sign_release
    from dpsynth.evidence.signing.ed25519 import load_private

    refuse_inside(key, release)
    private = load_private(key)
    facts = {"signer": signer, "role": role, "days": days, "supersedes": supersedes or []}
    file = sign_release(release, private, **facts)  # type: ignore[arg-type]
    found = key_id(private.public)
    if as_json:
        print_json({"signature": str(file), "key": found, "signer": signer, "role": role})
        return
    until = "without an end" if days is None else f"for {days:,} days"
    say(f"{file}: signed by {signer} as {role}, {until}, with the key {found[:16]}")


def _show(name: Path | str, public: bytes, as_json: bool) -> None:
    from dpsynth.evidence.bundle.signatures import key_id
    from dpsynth.evidence.signing.ed25519 import written

    if as_json:
        print_json({"file": str(name), "public": written(public), "key": key_id(public)})
        return
    say(f"{name}: the public key {key_id(public)[:16]}, for a trust file:")
    say(f'  keys: ["{written(public)}"]')
