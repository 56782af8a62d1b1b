"""Writes the signed release of this folder anew: python -m tests.golden.signed.make. The key is thrown away."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dpsynth.evidence.sign import sign_release
from dpsynth.evidence.signing.ed25519 import load_private, new_key, public_path
from tests.evidence.test_verify import issue

HERE = Path(__file__).parent
SIGNED = datetime(2026, 11, 30, 12, tzinfo=UTC)


def make(folder: Path) -> None:
    release = issue().save(folder / "release")
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch, "office.key")
        new_key(key, {})
        shutil.copy(public_path(key), folder)
        sign_release(release, load_private(key), signer="data office", days=365, supersedes=["ab" * 32], now=SIGNED)


if __name__ == "__main__":
    make(HERE)
