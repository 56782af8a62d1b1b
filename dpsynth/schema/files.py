"""The form of a text file of rows, as far as a schema declares it; all of it public."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.formats import number_fault

DELIMITERS = (",", ";", "\t", "|")
"""What is looked for in a header line where no delimiter is declared."""

QUOTES = ('"', "'")

VALUE_LABELS = ("read", "codes")

_ASCII = bytes(range(128))
_STATEFUL = ("iso2022", "unicode", "raw-unicode", "idna")
"""Encodings in which a sign changes how those after it are read, in other rows too."""

_TWO_BYTES = ("utf-16", "utf-16-le", "utf-16-be")


@dataclass(frozen=True)
class FileFormat:
    r"""How the files of a table are written: CSV files above all.

    A fact that is not declared is found in the header line and in the first bytes of the file; no
    row is looked at.

    Parameters
    ----------
    delimiter : str or None
        What stands between two fields. None for the one of comma, semicolon, tab and bar that
        divides the header line into the schema's columns.
    quote : str or None
        What stands around text that holds a delimiter or a line end, twice within such text. None
        where nothing does.
    encoding : str or None
        Such as "cp1252", "latin-1" or "utf-16". None for UTF-8, or UTF-16 where the file begins
        with its mark.
    header : bool
        Whether a line names the columns. Without one they are the schema's, in its order.
    skip_lines : int
        How many lines stand before the header line, or before the first row.
    decimal : {".", ","}
        The decimal mark of all numeric columns that declare none.
    thousands : {",", ".", " ", "'"} or None
        The mark between groups of three digits, of the same columns.
    missing_markers : sequence of str
        Texts that stand for a missing value in every column of a CSV, Excel or JSON lines file, as
        they are written. An empty field always does.
    sheet : str or None
        The sheet of an Excel workbook. None for its only one.
    value_labels : {"read", "codes"}
        Whether a code of an SPSS or Stata file that has a value label is read as that label, in
        every column, or as the code.

    Raises
    ------
    SchemaError
        For a fact that is not known, or does not go with another.

    Examples
    --------
    >>> FileFormat(delimiter=";", decimal=",", missing_markers=["NA", "-99"]).missing_markers
    ('NA', '-99')
    """

    delimiter: str | None = None
    quote: str | None = '"'
    encoding: str | None = None
    header: bool = True
    skip_lines: int = 0
    decimal: str = "."
    thousands: str | None = None
    missing_markers: Sequence[str] = ()
    sheet: str | None = None
    value_labels: str = "read"

    def __post_init__(self) -> None:
        if fault := number_fault(self.decimal, self.thousands, {}):
            raise SchemaError(fault)
        if not isinstance(self.header, bool):
            raise SchemaError(f"header must be true or false, got {self.header!r}: write one")
        if type(self.skip_lines) is not int or self.skip_lines < 0:
            raise SchemaError(
                f"skip_lines must be a whole number, 0 or more, got {self.skip_lines!r}: write how"
                " many lines stand before the header line"
            )
        if self.sheet is not None and (not isinstance(self.sheet, str) or not self.sheet):
            raise SchemaError(
                f"sheet must be the name of a sheet, got {self.sheet!r}: write it as the workbook"
                " does"
            )
        if self.value_labels not in VALUE_LABELS:
            raise SchemaError(
                f"value_labels must be one of {list(VALUE_LABELS)}, got {self.value_labels!r}:"
                " choose one"
            )
        self._check_signs()
        self._check_encoding()
        object.__setattr__(self, "missing_markers", _markers(self.missing_markers))

    def _check_signs(self) -> None:
        if self.quote is not None and self.quote not in QUOTES:
            raise SchemaError(
                f"quote must be one of {list(QUOTES)} or null, got {self.quote!r}: choose one"
            )
        sign = self.delimiter
        if sign is None:
            return
        one = isinstance(sign, str) and len(sign) == 1 and sign.isascii() and not sign.isalnum()
        if not one or sign in (*QUOTES, ".", "-", "+", "_", "\n", "\r", "\0"):
            raise SchemaError(
                f"delimiter must be one sign such as ';', got {sign!r}: write the sign that stands"
                ' between two fields ("\\t" for a tab)'
            )

    def _check_encoding(self) -> None:
        if self.encoding is not None and not _is_readable(self.encoding):
            raise SchemaError(
                f"encoding must be one in which every line can be read by itself, such as 'utf-8',"
                f" 'cp1252', 'latin-1' or 'utf-16', got {self.encoding!r}: choose one of these, or"
                " save the file as UTF-8"
            )


def _is_readable(encoding: Any) -> bool:
    """Whether it is UTF-16, or writes ASCII as ASCII, so that a line end is always one."""
    try:
        name = codecs.lookup(encoding).name
        plain = not name.startswith(_STATEFUL) and _ASCII.decode(name) == _ASCII.decode("ascii")
        return plain or name in _TWO_BYTES
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


def _markers(given: Any) -> tuple[str, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise SchemaError(
            f"missing_markers must be a list of texts, got {type(given).__name__}: put them in"
            " brackets"
        )
    if wrong := [marker for marker in given if not isinstance(marker, str)]:
        raise SchemaError(
            f"a missing marker must be text, got {wrong[0]!r}: put it in quotes, as the file"
            " writes it"
        )
    return tuple(given)
