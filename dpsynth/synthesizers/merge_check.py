"""Does the file of a merge hold? Its sources' certificates are examined, and it is merged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dpsynth.evidence import verify
from dpsynth.evidence.bundle.model import content_of
from dpsynth.evidence.verify import Outcome
from dpsynth.synthesizers.merged import Merged
from dpsynth.synthesizers.model_file import ModelFileError


def examine_merge(path: Path) -> list[Outcome]:
    """What each check says of each source's certificate, and whether the sources give this merge.

    ValueError for what is no model file.
    """
    _, record = content_of(path)
    sources = record.get("sources") if isinstance(record, Mapping) else None
    outcomes = []
    for i, each in enumerate(sources if isinstance(sources, list) else [], 1):
        certificate = each.get("certificate", {}) if isinstance(each, Mapping) else {}
        outcomes += [
            replace(found, check=f"{i}: {found.check}") for found in verify.examine(certificate)
        ]
    try:
        Merged.load(path)
    except ModelFileError as fault:
        return [*outcomes, Outcome("merged again", str(fault))]
    return [*outcomes, Outcome("merged again")]
