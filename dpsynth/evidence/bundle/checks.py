"""Checks of a release folder: are its files those that its manifest lists, and of one fit?

Like the checks of certificates they import nothing that writes a release, and use Python's
standard library only. The first line of each says the one fault that it finds.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from dpsynth.evidence.bundle import charged as reports
from dpsynth.evidence.bundle.model import content_of
from dpsynth.evidence.verifier.recompute import Undecided

NAME = "manifest.json"
VERSION = 1
GENESIS = "0" * 64  # stands for the hash before the first line
INTERNAL = "internal"
"""A folder beside the files of a release for what compares it with real rows: never a part of it.

A manifest lists nothing in there: a hash of it would tell of the private rows.
"""
SIGNATURES = "signatures"
"""A folder for signatures of the manifest's head, which it therefore cannot list.

`signatures.py` checks each byte in there.
"""

SAMPLES = {
    "rows": (".csv", ".parquet", ".feather", ".jsonl", ".xlsx", ".sav", ".dta"),
    "images": (".npz",),
    "sheet": (".png",),
}
"""The kinds of files that are drawn from a model, and how their names end."""
_NAMES = {
    "certificate": "certificate.json",
    "page": "certificate.html",
    "schema": "schema.yaml",
    "measured": "measured.json",
    "measured page": "measured.html",
    "releasable": reports.NAME,
    "releasable page": "releasable.html",
    "card": "croissant.json",
}
"""The kinds of which a release has one file, and its name."""

STAMP = "contains_real_records"
"""In the names, or the metadata, of a table that was mixed with real rows or made from them."""
_WRITTEN = tuple(STAMP.encode(each) for each in ("ascii", "utf-16-le", "utf-16-be"))
_ENDS = 2**20
_ZIPPED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_UNPACKED = (OSError, EOFError, zlib.error, lzma.LZMAError)

Line = Mapping[str, Any]
Unpacking = Callable[[Path], Any]
"""Opens a packed file, for what it says in bytes."""
_PACKED: Mapping[bytes, Unpacking] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""By the first bytes of a file what unpacks it. Python's standard library has nothing for zstd."""
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Folder:
    """A folder, the certificate in it, and, if known, a head of its manifest noted elsewhere.

    unzstd: what unpacks zstd, if anything does.
    """

    path: Path
    record: Mapping[str, Any]
    head: str | None = None
    unzstd: Unpacking | None = None

    @cached_property
    def read(self) -> tuple[Sequence[Line], str]:
        """The manifest's lines, and what is wrong with it, if anything."""
        try:
            return read_manifest(self.path), ""
        except ValueError as error:
            return (), str(error)

    @cached_property
    def listed(self) -> dict[str, Line]:
        """The last line of each file: a later one stands in the place of those before it."""
        return {line["name"]: line for line in self.read[0]}

    @cached_property
    def released(self) -> str | None:
        """The model that the run released, by the hash in the ledger line that ended it."""
        ended = self.record["run"]["ended"]
        return None if ended is None else ended.get("release")

    def of(self, *kinds: str) -> list[Line]:
        return [line for line in self.listed.values() if line["kind"] in kinds]


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's manifest; ValueError, which says why, where it is missing or changed.

    It must be written exactly as its format says, so that no byte can differ.
    """
    try:
        text = (folder / NAME).read_bytes().decode("ascii")
        document = json.loads(text)
        lines = document["files"]
        odd = text != json.dumps(document, indent=2) + "\n" or document.keys() != {_FORMAT, "files"}
        if type(document[_FORMAT]) is not int or document[_FORMAT] != VERSION:
            raise ValueError(f"{NAME} is of another format than {VERSION}")
        befores = [GENESIS, *(line["hash"] for line in lines)]
        for line, before in zip(lines, befores, strict=False):
            odd = odd or line["prev"] != before or line["hash"] != _hash(line)
            odd = odd or not {"name", "kind", "sha256"} <= line.keys()
    except FileNotFoundError:
        raise ValueError(f"there is no {NAME}") from None
    except (OSError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{NAME} cannot be read") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{NAME} cannot be read") from None
    if odd or not lines:
        raise ValueError(f"{NAME} is not as it was written")
    return list(lines)


def manifest(folder: Folder) -> str:
    """The manifest is missing or was changed, or is not the one whose head was noted."""
    lines, fault = folder.read
    if fault or folder.head is None:
        return fault
    heads = [line["hash"].startswith(folder.head) for line in lines]
    if not any(heads):
        return f"no line has the hash {folder.head}"
    until = heads.index(True) + 1
    later = {line["name"] for line in lines[until:]}
    if replaced := sorted({line["name"] for line in lines[:until]} & later):
        return f"after the noted head it lists another {', '.join(replaced)}"
    return ""


def certificate(folder: Folder) -> bool:
    """The manifest does not list this certificate."""
    line = folder.listed.get("certificate.json", {})
    found = (line.get("kind"), line.get("model"))
    return bool(folder.listed) and found != ("certificate", folder.released)


def files(folder: Folder) -> str:
    """A file is not in the folder as the manifest lists it: it is gone, or another file."""
    lines = folder.listed.values()
    return ", ".join(line["name"] for line in lines if not _is_held(folder.path, line))


def model(folder: Folder) -> str:
    """A model is not the one that the run released, or holds another certificate."""
    return ", ".join(line["name"] for line in folder.of("model") if not _is_of(folder, line))


def named(folder: Folder) -> str:
    """A file is listed as something that its name does not say, or that no release has."""
    return ", ".join(line["name"] for line in folder.listed.values() if not _is_named(line))


def drawn(folder: Folder) -> str:
    """Rows or images are listed as drawn from another model than the run released, or from none."""
    lines = folder.of(*SAMPLES)
    others = [line for line in lines if not line.get("model") or line["model"] != folder.released]
    return ", ".join(line["name"] for line in others)


def charged(folder: Folder) -> str:
    """The releasable report is of another model, or its figures do not follow from its charges."""
    return reports.faults_of(folder.path / reports.NAME, folder.released)


def unlisted(folder: Folder) -> str:
    """The folder has files that the manifest does not list, so nothing says what they are."""
    if not folder.listed:
        return ""
    here = {path.name: path for path in folder.path.iterdir() if path.name != NAME}
    for name in (INTERNAL, SIGNATURES):
        if name in here and here[name].is_dir() and not here[name].is_symlink():
            del here[name]
    if strangers := sorted(here.keys() - folder.listed.keys()):
        raise Undecided(
            f"the manifest does not list {', '.join(map(repr, strangers))}: nothing says what that"
            " is, so keep it elsewhere"
        )
    return ""


def real(folder: Folder) -> str:
    """A file is stamped as one that contains real records, which no release has."""
    ends = {*SAMPLES["rows"]}
    tables = [
        path
        for path in folder.path.iterdir()
        if path.is_file() and not ends.isdisjoint(map(str.lower, path.suffixes))
    ]
    stamped = {path.name: _is_stamped(path, folder.unzstd) for path in sorted(tables)}
    if found := [name for name, is_stamped in stamped.items() if is_stamped]:
        return ", ".join(found)
    if packed := [name for name, is_stamped in stamped.items() if is_stamped is None]:
        raise Undecided(
            f"{', '.join(map(repr, packed))} cannot be unpacked here, so nothing says whether real"
            " records are in there: unpack it by zstd -d, and verify again"
        )
    return ""


def _is_stamped(path: Path, unzstd: Unpacking | None) -> bool | None:
    """Whether a table's first or last bytes have the stamp: its header line, or its metadata.

    None for zstd that cannot be unpacked. Of another damaged file another check tells.
    """
    if zipfile.is_zipfile(path):  # a sheet
        with contextlib.suppress(*_ZIPPED), zipfile.ZipFile(path) as sheet:
            return any(_has_stamp(sheet.read(name)) for name in sheet.namelist())
    start = _first(path, 8)
    for sign, unpacking in _PACKED.items():
        if start.startswith(sign):
            with contextlib.suppress(*_UNPACKED):
                return _has_stamp_at_an_end(unpacking(path))
    if start.startswith(_ZSTD):
        with contextlib.suppress(*_UNPACKED):
            return None if unzstd is None else _has_stamp_at_an_end(unzstd(path))
        return None
    return _has_stamp_at_an_end(path.open("rb"))


def _has_stamp_at_an_end(file: IO[bytes]) -> bool:
    with file:
        return any(map(_has_stamp, _ends(file)))


def _ends(file: IO[bytes]) -> Iterator[bytes]:
    """The first bytes of a file, and its last ones."""
    yield file.read(_ENDS)
    last = b""
    while part := file.read(_ENDS):
        last = (last + part)[-_ENDS:]
    yield last


def _has_stamp(raw: bytes) -> bool:
    return any(stamp in raw for stamp in _WRITTEN)


def _first(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _is_named(line: Line) -> bool:
    """Whether a file's name is one of its kind, so that nothing escapes the checks of its kind."""
    kind, name = line["kind"], line["name"]
    if kind == "model":  # whose content is compared
        return True
    return name == _NAMES.get(kind) or Path(name).suffix.lower() in SAMPLES.get(kind, ())


def _is_held(folder: Path, line: Line) -> bool:
    path = folder / line["name"]
    if Path(line["name"]).name != line["name"] or not path.is_file():  # a path leads elsewhere
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == line["sha256"]


def _is_of(folder: Folder, line: Line) -> bool:
    try:
        found, inside = content_of(folder.path / line["name"])
    except ValueError:
        return False
    return found == line["model"] == folder.released and inside == folder.record


def _hash(line: Line) -> str:
    hashed = {name: value for name, value in line.items() if name != "hash"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_FORMAT = "dpsynth_manifest"
CHECKS: tuple[Callable[[Folder], bool | str], ...] = (
    manifest, certificate, files, named, model, drawn, real, charged, unlisted,
)  # fmt: skip
