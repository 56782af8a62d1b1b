"""What was promised of a release: said by the caller, or read from the certificate beside it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.evidence.certificate import Certificate

CERTIFICATE = "certificate.json"

_log = logging.getLogger("dpsynth.auditing")


def claimed(claim: PrivacyClaim | str | Path | None, synthetic: Any) -> PrivacyClaim | None:
    """The claim that an audit compares with: the one given, or that of the certificate beside."""
    if isinstance(claim, PrivacyClaim):
        return claim
    file = certificate_beside(synthetic) if claim is None else Path(claim)
    if file is None:
        return None
    found = claim_of(file)
    _log.info("audit: the claim is %s", found.describe())
    return found


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
    remedy = "say what was promised by the claim's epsilon and delta, or move the file away"
    try:
        certificate = Certificate.load(file)
    except ValueError as error:
        raise ValueError(f"{error}; to audit all the same, {remedy}") from None
    if not certificate.private:
        raise ValueError(f"{file} promises nothing, since its noise came from a seed: {remedy}")
    stated, unit = certificate.record["claim"], certificate.record["unit"]
    return PrivacyClaim(
        stated["epsilon"],
        stated["delta"],
        adjacency=unit["adjacency"],
        unit=unit["description"],
        source=str(file),
    )
