"""What was promised of a release: said by the caller, or read from the certificate beside it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.evidence.bundle.checks import NAME as MANIFEST
from dpsynth.evidence.bundle.checks import read_manifest
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.manifest import line_of

CERTIFICATE = "certificate.json"

_REMEDY = "say what was promised by the claim's epsilon and delta, or move the file away"
_log = logging.getLogger("dpsynth")


def claimed(claim: PrivacyClaim | str | Path | None, synthetic: Any) -> PrivacyClaim | None:
    """The claim that an audit compares with: the one given, or that of the certificate beside."""
    if isinstance(claim, PrivacyClaim):
        return claim
    if claim is not None:
        return claim_of(Path(claim))
    file = certificate_beside(synthetic)
    if file is None:
        return None
    _refuse_changed(Path(synthetic).expanduser(), file.parent)
    found = claim_of(file)
    _log.info("the claim is %s", found.describe())
    return found


def _refuse_changed(release: Path, folder: Path) -> None:
    """ValueError where the folder's manifest lists another file by the release's name."""
    if release.parent != folder or not (folder / MANIFEST).is_file():
        return
    try:
        listed = {line["name"]: line["sha256"] for line in read_manifest(folder)}
    except ValueError as error:
        raise ValueError(f"{folder}: {error}; to audit all the same, {_REMEDY}") from None
    found = line_of(release, "rows")["sha256"]
    if listed.get(release.name, found) != found:
        raise ValueError(
            f"{release} is not the file that {MANIFEST} lists, so that the certificate beside it"
            f" says nothing of it: draw the rows again, or {_REMEDY}"
        )


def certificate_beside(synthetic: Any) -> Path | None:
    """The certificate.json beside a release in a file; None where there is none.

    It is looked for in the folder of the release, and in a folder of its name: for
    `releases/may.csv` in `releases/` and `releases/may/`.
    """
    if not isinstance(synthetic, str | Path):
        return None
    file = Path(synthetic).expanduser()
    folders = (file.parent, file.parent / file.stem)
    return next((f / CERTIFICATE for f in folders if (f / CERTIFICATE).is_file()), None)


def claim_of(file: Path) -> PrivacyClaim:
    """The claim of a certificate, which is verified; ValueError where it does not hold."""
    try:
        certificate = Certificate.load(file)
    except ValueError as error:
        raise ValueError(f"{error}; to audit all the same, {_REMEDY}") from None
    if not certificate.private:
        raise ValueError(f"{file} promises nothing, since its noise came from a seed: {_REMEDY}")
    stated, unit = certificate.record["claim"], certificate.record["unit"]
    return PrivacyClaim(
        stated["epsilon"],
        stated["delta"],
        adjacency=unit["adjacency"],
        unit=unit["description"],
        source=str(file),
    )
