"""What kind of file system holds a path, where the operating system says so."""

from __future__ import annotations

import re
from pathlib import Path


def file_system(path: Path) -> str | None:
    """The type of the file system that holds `path`; None where it is not known.

    That is the one at the longest mount point above the path; of several at one mount point, the
    one mounted last.
    """
    above = {str(folder) for folder in (path, *path.resolve().parents)}
    held = [
        (len(point), number, kind)
        for number, (point, kind) in enumerate(_mounts())
        if point in above
    ]
    return max(held)[2] if held else None


def _mounts() -> list[tuple[str, str]]:
    """Mount points and their types, oldest first; nothing where the system has no /proc."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    fields = (line.split(" ") for line in lines)
    return [(_plain(point), kind) for _, point, kind, *_ in fields]


def _plain(point: str) -> str:
    r"""A mount point without escapes: /proc writes a space as \040."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)
