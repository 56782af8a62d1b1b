"""Text of CSV files in blocks that end where a row does, however long a row is.

pyarrow cuts files itself, but loses track where a block ends within a quote, and where a value has
a zero byte. Rows end here where its parser ends them: a quote opens at the start of a
field only, and two of them within quotes are one sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from dpsynth.data.engines.dialects import Dialect

_LARGEST = 2**31 - 8
"""Bytes of a block: pyarrow counts them in 32 bits."""

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
_MARK = b"\xef\xbb\xbf"
"""Of UTF-8. pyarrow drops one from the start of what it is given, and a row may begin so, too."""
_NO_SIGN = "\ufffd".encode()
_LF, _CR = b"\n\r"


def row_blocks(file: BinaryIO, size: int, dialect: Dialect) -> Iterator[bytes]:
    """Blocks of about this size of a file in UTF-8, whole rows each, behind a mark of their own.

    The first has the lines that are skipped before its rows. Each zero byte becomes a sign that no
    schema declares. ValueError for a row that no block can hold.
    """
    left, first = file.read(len(_MARK)).replace(b"\0", _NO_SIGN), True
    if dialect.header:  # else these are the first bytes of a record
        left = left.removeprefix(_MARK)
    while found := file.read(max(size, len(left))):
        left += found.replace(b"\0", _NO_SIGN)
        if len(left) > _LARGEST:
            raise ValueError("a row has more than 2 GB: see whether a quote is not closed")
        start = _after_lines(left, dialect.first_lines) if first else 0
        if end := last_row_end(left, start, dialect.quote, dialect.delimiter):
            yield _MARK + left[:end]
            left, first = left[end:], False
    if left:
        yield _MARK + left


def _after_lines(text: bytes, count: int) -> int:
    """Where so many lines have ended; the end where there are fewer."""
    place = 0
    for _ in range(count):
        line = _LINE.match(text, place, len(text) - text.endswith(b"\r"))
        if line is None:
            return len(text)
        place = line.end()
    return place


def last_row_end(text: bytes, start: int, quote: str | None, delimiter: str) -> int:
    """Where the last row ends of those that begin at this place; 0 where none does.

    A carriage return at the very end may be half a line end, and is none.
    """
    stop = len(text) - text.endswith(b"\r")
    if quote is None or text.find(quote.encode(), start) < 0:
        return max(text.rfind(b"\n", start, stop), text.rfind(b"\r", start, stop)) + 1
    signs = np.frombuffer(text, np.uint8)[start:stop]
    quotes = _quotes(signs, ord(quote), ord(delimiter))
    ends = np.flatnonzero((signs == _LF) | (signs == _CR))
    outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return start + int(outside[-1]) + 1 if len(outside) else 0


def _quotes(signs: np.ndarray, quote: int, delimiter: int) -> np.ndarray:
    """The places of quotes, in turn opening and closing; a quote within quotes has two or none."""
    found = np.flatnonzero(signs == quote)
    before = np.where(found > 0, signs[found - 1], _LF)
    opens = np.isin(before, (_LF, _CR, delimiter))
    if (opens | (before == quote))[::2].all():
        return found
    kept: list[int] = []
    places = found.tolist()
    skip = -1
    for number, (place, may_open) in enumerate(zip(places, opens.tolist(), strict=True)):
        if number == skip:
            continue
        if len(kept) % 2 == 0:
            if may_open:
                kept.append(place)
        elif places[number + 1 : number + 2] == [place + 1]:
            skip = number + 1
        else:
            kept.append(place)
    return np.array(kept, dtype=np.intp)
