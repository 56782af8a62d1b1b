"""Files and folders in object stores: s3://bucket/folder and gs://bucket/folder, through Arrow.

Who asks is said by the environment, as to all programs of these stores. So an address holds no
password, and may be shown.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeGuard, TypeVar, cast

import pyarrow as pa
from pyarrow import fs

from dpsynth.schema.columns import SchemaError

T = TypeVar("T")

_STORES = ("s3", "gs")
_ADDRESS = re.compile(rf"\s*({'|'.join(_STORES)})://([^/]+)(/.*)?", re.DOTALL)
_WILD = re.compile(r"[*\[]")


def is_in_store(data: object) -> TypeGuard[str]:
    """Whether this is text that is the address of a file or a folder in an object store."""
    return isinstance(data, str) and data.strip().startswith(tuple(f"{s}://" for s in _STORES))


def place_in_store(address: str) -> Path:
    """The file, the folder or the pattern of an address, for all that reads a `Path`.

    Raises
    ------
    SchemaError
        For an address that is none, or that says who asks. It is not repeated.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or {*found[2]} & {*":@"} or "?" in address:
        raise SchemaError(
            "an address in an object store is written as s3://bucket/folder or gs://bucket/folder,"
            " without user, password or ?options: leave these to the environment, such as"
            " AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL"
        )
    kind, bucket, key = found[1], found[2], (found[3] or "").strip().strip("/")
    path = PurePosixPath(bucket, key)
    return cast(Path, _Place(kind, path, _asked(kind, bucket, lambda: _store(kind, bucket))))


def native(path: Path) -> pa.NativeFile:
    """A file, opened for Arrow's own readers."""
    return path.native() if isinstance(path, _Place) else pa.OSFile(str(path))


def in_store(path: object) -> bool:
    """Whether a place is one in an object store."""
    return isinstance(path, _Place)


def matching(pattern: Path) -> Iterator[Path] | None:
    """The files of a pattern in an object store; None where the pattern is of another place."""
    return pattern.matching() if isinstance(pattern, _Place) else None


def _store(kind: str, bucket: str) -> fs.FileSystem:
    if kind == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(minutes=1))
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if server is None and region is None:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(endpoint_override=server, region=region)


def _asked(kind: str, bucket: str, work: Callable[[], T]) -> T:
    """What a store answers; SchemaError where it does not, without what it said.

    It names the bucket only: a file or a folder in it may be called by a value.
    """
    try:
        return work()
    except Exception:
        pass
    raise SchemaError(
        f"{kind}://{bucket} cannot be looked up: check the bucket, the region and the server"
        " (AWS_REGION, AWS_ENDPOINT_URL), and that the credentials of the environment may list and"
        " read it"
    )


@dataclass(frozen=True, order=True)
class _Place:
    """A place in a store, with what readers of files ask of a `Path`."""

    kind: str
    path: PurePosixPath
    store: fs.FileSystem = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.kind}://{self.path}"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        return self.path.suffix

    @property
    def parent(self) -> _Place:
        return _Place(self.kind, self.path.parent, self.store)

    def relative_to(self, other: _Place) -> PurePosixPath:
        return self.path.relative_to(other.path)

    @cached_property
    def _type(self) -> fs.FileType:
        return self._facts().type

    def _facts(self) -> fs.FileInfo:
        return self._asked(lambda: self.store.get_file_info(str(self.path)))

    def _asked(self, work: Callable[[], T]) -> T:
        return _asked(self.kind, self.path.parts[0], work)

    def exists(self) -> bool:
        return self._type != fs.FileType.NotFound

    def is_dir(self) -> bool:
        return self._type == fs.FileType.Directory

    def is_file(self) -> bool:
        return self._type == fs.FileType.File

    def stat(self) -> Any:
        """Size and time of the object as it is now; OSError where it is gone."""
        facts = self._facts()
        if facts.type != fs.FileType.File:
            raise FileNotFoundError("the object is gone")
        return SimpleNamespace(st_ino=0, st_size=facts.size, st_mtime_ns=facts.mtime_ns)

    def native(self) -> pa.NativeFile:
        return self.store.open_input_file(str(self.path))

    def open(self, mode: str = "rb") -> BinaryIO:
        if mode != "rb":
            raise OSError("objects of a store are only read")
        return cast(BinaryIO, io.BufferedReader(self.native()))

    def rglob(self, pattern: str) -> Iterator[_Place]:
        """All files below this folder."""
        chosen = fs.FileSelector(str(self.path), recursive=True, allow_not_found=True)
        for facts in self._asked(lambda: self.store.get_file_info(chosen)):
            if facts.type == fs.FileType.File:
                found = _Place(self.kind, PurePosixPath(facts.path), self.store)
                found.__dict__["_type"] = facts.type  # each is not asked for once more
                yield found

    def matching(self) -> Iterator[_Place]:
        """The files that this pattern is for, in which * stands for no stroke."""
        parts = self.path.parts
        fixed = next(place for place, part in enumerate(parts) if _WILD.search(part))
        for found in _Place(self.kind, PurePosixPath(*parts[:fixed]), self.store).rglob("*"):
            pairs = zip(found.path.parts, parts, strict=False)
            if len(found.path.parts) == len(parts) and all(fnmatchcase(*pair) for pair in pairs):
                yield found
