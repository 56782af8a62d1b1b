"""Columns of true and false."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from dpsynth.schema.declared import (
    Facts,
    Scalar,
    SchemaError,
    as_scalar,
    check_flags,
    check_marker,
    plain_word,
    refuse,
)
from dpsynth.schema.formats import words_fault

TRUTHS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "no", "f", "n"), False),
}
"""The words that a Boolean column understands, in lower case, beside the numbers 1 and 0."""


@dataclass(frozen=True, repr=False)
class Boolean(Facts):
    """A column of true and false, also written 1/0, yes/no, y/n or t/f, in upper or lower case.

    Parameters
    ----------
    true, false : sequence of str or float, or None
        The words for either, such as ["ja", "j"] and ["nein", "n"], or [1] and [0], in place of
        those above; both or neither. A release has the first of each, as it stands here; without
        them it has True and False.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as "?".

    Raises
    ------
    SchemaError
        For a marker that means true or false, or of a column without missing values, for words of
        one side only, and for a word that is listed twice.

    Examples
    --------
    >>> Boolean(nullable=True, missing_marker="?").missing_marker
    '?'
    >>> Boolean(true=["ja", "j"], false=["nein", "n"]).written
    ('nein', 'ja')
    """

    _: KW_ONLY
    true: Sequence[Scalar] | None = None
    false: Sequence[Scalar] | None = None
    nullable: bool = False
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        check_flags(self, "nullable")
        check_marker(self)
        if (self.true is None) != (self.false is None):
            raise SchemaError("true and false belong together: write the words of both")
        for name in ("true", "false"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _words(getattr(self, name), name))
        listed = (*(self.true or ()), *(self.false or ()))
        refuse(words_fault((plain_word(word), word) for word in listed))
        if len({isinstance(word, str) for word in self.written}) > 1:
            raise SchemaError(
                f"the first words for false and true are {list(self.written)}, and a release writes"
                " those: begin with two texts, or with two numbers"
            )
        if self.missing_marker is None:
            return
        if plain_word(self.missing_marker) in {plain_word(word) for word in self.words}:
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} already means true or false: choose"
                " another marker"
            )

    @property
    def words(self) -> dict[Scalar, bool]:
        """What each word means."""
        if self.true is None or self.false is None:
            return dict([*TRUTHS.items(), (1, True), (0, False)])
        return {**dict.fromkeys(self.true, True), **dict.fromkeys(self.false, False)}

    @property
    def written(self) -> tuple[Scalar, Scalar]:
        """How a release writes false and true."""
        if self.true is None or self.false is None:
            return (False, True)
        return (self.false[0], self.true[0])


def _words(given: Any, name: str) -> tuple[Scalar, ...]:
    """The words for true or for false as they are kept."""
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise SchemaError(
            f"{name} must be a list of words, got {type(given).__name__}: put them in brackets"
        )
    words = tuple(as_scalar(word, f"a word of {name}") for word in given)
    if not words:
        raise SchemaError(f"{name} has no words: write one or more")
    if any(isinstance(word, str) and not word.strip() for word in words):
        raise SchemaError(
            f"a word of {name} is empty, and an empty field of a file is a missing value: write"
            " another word"
        )
    return words
