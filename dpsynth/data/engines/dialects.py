"""How one CSV file is written: what its schema declares, and else its header line and first bytes.

No row is looked at. Two files with the same first lines are read in the same way, whatever rows
follow: so how the values of one person are read hangs on nobody else.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import pyarrow as pa
from pyarrow import csv

from dpsynth.data.engines.object_stores import native
from dpsynth.data.engines.source import form_of, ids_of, named_by
from dpsynth.schema.columns import Identifier, SchemaError
from dpsynth.schema.files import DELIMITERS, FileFormat
from dpsynth.schema.table import Schema

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""The first bytes of a compressed file. Its name is not asked, as people rename files."""

_PACKED_NAMES = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""How the name of a compressed file ends, which is asked where the first bytes are of a record."""

_ENDS = "\r\n"
_ZIP = b"PK\x03\x04"
_UTF_8_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF_32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    names: of its columns. compression: gzip, zstd or None. ids: columns in which no missing marker
    is one.
    """

    names: tuple[str, ...]
    delimiter: str
    quote: str | None
    encoding: str
    compression: str | None
    first_lines: int
    header: bool
    missing: tuple[str, ...]
    ids: tuple[str, ...] = ()

    @property
    def rules(self) -> csv.ParseOptions:
        """How a line is divided into fields."""
        return _rules(self.delimiter, self.quote)

    def lines(self, path: Path) -> TextIO:
        """The lines as they are, each with its end. Where a sign has one byte or more, each byte is
        a sign of its own; only in UTF-16 are they decoded.
        """
        file = opened(path, self.compression)
        return io.TextIOWrapper(file, self._signs, errors="replace", newline="\n")

    def written(self, path: Path) -> TextIO:
        """A new file of this dialect, for lines of another one."""
        file = created(path, self.compression)
        signs = self._signs
        if self.encoding == "utf-16":  # Python leaves the mark out where a file cannot be sought
            file.write(codecs.BOM_UTF16_LE)
            signs = "utf-16-le"
        return io.TextIOWrapper(file, signs, errors="replace", newline="\n")

    @property
    def _signs(self) -> str:
        """The encoding in which lines are told apart."""
        return self.encoding if _is_wide(self.encoding) else "latin-1"

    def stream(self, path: Path) -> BinaryIO:
        """What the file says, as UTF-8, of which no more is held than what is being read.

        A byte that says nothing in its encoding becomes a sign that no schema declares, so that no
        value makes it fail.
        """
        file = opened(path, self.compression)
        if self.encoding == "utf-8":
            return file
        return cast(BinaryIO, io.BufferedReader(_AsUtf8(file, self.encoding)))


class _AsUtf8(io.RawIOBase):
    """Text of another encoding, as UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._text.read(len(buffer)).encode("utf-8", "replace")
        given, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)

    def close(self) -> None:
        self._text.close()
        super().close()


def dialect_of(path: Path, schema: Schema | None = None, form: FileFormat | None = None) -> Dialect:
    """The dialect of a CSV file; SchemaError, OSError, UnicodeError or ArrowInvalid where it has
    none. What is declared comes first, by the schema or else by `form`.
    """
    declared = form_of(schema, form)
    compression = compression_of(path, declared.header)
    if not declared.header:
        encoding = _without_header(path, declared.encoding)
        delimiter, names = declared.delimiter or ",", tuple(named_by(path, schema))
    else:
        with opened(path, compression) as file:
            encoding = _encoding(path, file.read(4), declared.encoding)
        file = opened(path, compression)
        line = _header_line(path, file, encoding, declared, _breaks(schema))
        delimiter, names = _divided(path, line, declared, schema)
    return Dialect(
        names,
        delimiter,
        declared.quote,
        encoding,
        compression,
        declared.skip_lines,
        declared.header,
        tuple(declared.missing_markers),
        ids_of(schema),
    )


def compression_of(path: Path, header: bool = True) -> str | None:
    """gzip, zstd or None, by the first bytes of a file; by its name where it has no header line,
    as these bytes are of a record.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if not header:
        return _PACKED_NAMES.get(path.suffix.lower())
    return next((name for sign, name in _COMPRESSED.items() if start.startswith(sign)), None)


def opened(path: Path, compression: str | None) -> BinaryIO:
    """The bytes of a file as they were before it was compressed."""
    if compression is None:
        return path.open("rb")
    stream = pa.CompressedInputStream(native(path), compression)
    return cast(BinaryIO, io.BufferedReader(stream))


def created(path: Path, compression: str | None) -> BinaryIO:
    """A new file whose bytes are compressed, or not."""
    file = path.open("wb")
    if compression is None:
        return file
    return io.BufferedWriter(pa.CompressedOutputStream(file, compression))


def _encoding(path: Path, start: bytes, declared: str | None) -> str:
    """The encoding that is declared, or that the first bytes state, or UTF-8."""
    if start in _UTF_32_MARKS:
        raise SchemaError(f"{path} begins with the mark of UTF-32: save it as UTF-8")
    if start.startswith(_ZIP):
        raise SchemaError(
            f"{path} is a zip archive, as Excel workbooks are, and not text: save it as CSV, or"
            " unpack it"
        )
    marked = None
    if start.startswith(_UTF_8_MARK):
        marked = "utf-8"
    elif start.startswith(_UTF_16_MARKS):
        marked = "utf-16"
    plain = _named(declared)
    if marked is not None and plain is not None and not plain.startswith(marked):
        raise SchemaError(
            f"{path} begins with the mark of {marked.upper()}, and the schema declares encoding"
            f" {declared!r}: leave encoding out, or save the file in that encoding"
        )
    return plain or marked or "utf-8"


def _named(declared: str | None) -> str | None:
    """The usual name of an encoding that is declared."""
    return None if declared is None else codecs.lookup(declared).name.removesuffix("-sig")


def _without_header(path: Path, declared: str | None) -> str:
    """The encoding of a file whose first bytes are of a record, and so say nothing of others."""
    encoding = _named(declared) or "utf-8"
    if encoding == "utf-16" or (declared or "").lower().endswith("sig"):
        raise SchemaError(
            f"{path} has no header line, so that its first bytes are of a record and no mark:"
            ' declare encoding "utf-8", "utf-16-le" or "utf-16-be" in the schema\'s file section'
        )
    return encoding


def _breaks(schema: Schema | None) -> int | None:
    """How many line ends the names have at most; None where no schema says so."""
    if schema is None:
        return None
    names = (*schema.columns, *schema.unit.columns)
    return sum(name.count(end) for name in names for end in "\r\n")


def _header_line(
    path: Path, file: BinaryIO, encoding: str, declared: FileFormat, breaks: int | None
) -> str:
    """The line of names, which may have so many line ends in quotes. The lines after it, which are
    rows, are not read.
    """
    wide = _is_wide(encoding)
    # In latin-1 each byte is a sign of its own: bytes of rows, which are read ahead, cannot fail.
    as_signs = encoding if wide else "latin-1"
    with io.TextIOWrapper(file, as_signs, errors="replace", newline="") as text:
        lines = islice(text, declared.skip_lines, None)
        line = next(lines, "")
        more = islice(lines, breaks)
        while (open_ := _is_open(line, declared.quote)) and (below := next(more, "")):
            line += below
    if open_ and breaks is not None:
        raise SchemaError(
            f"{path} has a quote in its header line that is not closed: close it, or declare the"
            " quote, or null, as quote in the schema's file section"
        )
    if not line.strip("\r\n\ufeff\xef\xbb\xbf"):
        raise SchemaError(
            f"{path} has no header line: its line {declared.skip_lines + 1} is empty, or absent;"
            " give a file whose header line names the columns, or declare skip_lines, how many"
            " lines stand before it, in the schema's file section"
        )
    if "\0" in line:
        raise SchemaError(
            f"{path} has zero bytes in its header line, as text in UTF-16 without its mark has:"
            ' declare encoding: "utf-16-le" in the schema\'s file section, or save it as UTF-8'
        )
    return line if wide else line.encode("latin-1").decode(encoding)


def _is_open(line: str, quote: str | None) -> bool:
    """Whether a line ends within quotes."""
    return quote is not None and line.count(quote) % 2 == 1


def _is_wide(encoding: str) -> bool:
    """Whether a line end has two bytes."""
    return encoding.startswith("utf-16")


def _divided(
    path: Path, line: str, declared: FileFormat, schema: Schema | None
) -> tuple[str, tuple[str, ...]]:
    """The delimiter of a header line, and the names that it divides.

    No message quotes the line, which in a file without a header is a record.
    """
    if declared.delimiter is not None:
        return declared.delimiter, _names(line, declared.delimiter, declared.quote)
    found = {sign: _names(line, sign, declared.quote) for sign in DELIMITERS}
    if schema is not None:
        for sign, names in found.items():
            if _are_columns(names, schema):
                return sign, names
    several = [sign for sign, names in found.items() if len(names) > 1]
    if len(several) > 1 and "," not in several:
        raise SchemaError(
            f"{path} has {' and '.join(_NAMES[sign] for sign in several)} in its header line:"
            " declare which stand between its fields, as delimiter in the schema's file section, or"
            " draft the schema with --delimiter"
        )
    sign = "," if "," in several or not several else several[0]
    return sign, found[sign]


def _names(line: str, delimiter: str, quote: str | None) -> tuple[str, ...]:
    whole = pa.BufferReader(f"{line.rstrip(_ENDS)}\n".encode())
    with csv.open_csv(whole, parse_options=_rules(delimiter, quote)) as reader:
        return tuple(reader.schema.names)


def _are_columns(names: tuple[str, ...], schema: Schema) -> bool:
    """Whether these are the schema's columns, each once; identifiers may be absent."""
    needed = {n for n, column in schema.columns.items() if not isinstance(column, Identifier)}
    known = {*schema.columns, *schema.unit.columns}
    return needed <= {*names} <= known and len({*names}) == len(names)


def _rules(delimiter: str, quote: str | None) -> csv.ParseOptions:
    """Text in quotes may have several lines; an empty line is a row whose values are missing."""
    return csv.ParseOptions(
        delimiter=delimiter,
        quote_char=quote or False,
        newlines_in_values=True,
        ignore_empty_lines=False,
    )
