"""Domain: the public names and sizes of discrete attributes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

Clique = tuple[str, ...]
"""A tuple of attribute names. `()` is the total: the row count is a marginal like any other."""


@dataclass(frozen=True)
class Domain:
    """Attributes in column order, each with its number of cells.

    `widths` holds, for an *ordered* attribute, the public width of each of its leading cells
    (how many values, or how much length, a cell covers). Neighbouring cells of an ordered
    attribute are alike, so they may be merged; cells past the end of `widths` are special
    (missing, invalid) and have no neighbour. An attribute without widths is nominal.
    """

    sizes: tuple[tuple[str, int], ...]
    widths: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.sizes]
        if len(set(names)) != len(names):
            raise ValueError(f"attributes must have different names, got {names}")
        for name, size in self.sizes:
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"attribute {name!r} must have one cell or more, got {size!r}")
        for name, widths in self.widths:
            if name not in self._size or len(widths) > self._size[name]:
                raise ValueError(f"widths of {name!r} do not fit its cells")

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> Domain:
        return cls(tuple((name, int(size)) for name, size in sizes.items()))

    @cached_property
    def _size(self) -> dict[str, int]:
        return dict(self.sizes)

    @cached_property
    def attributes(self) -> Clique:
        return tuple(name for name, _ in self.sizes)

    def size(self, attribute: str) -> int:
        return self._size[attribute]

    def shape(self, clique: Clique) -> tuple[int, ...]:
        return tuple(self._size[a] for a in clique)

    def cells(self, clique: Clique) -> int:
        return math.prod(self.shape(clique))

    def width(self, attribute: str) -> tuple[float, ...] | None:
        """Widths of the leading, ordered cells; None for a nominal attribute."""
        return dict(self.widths).get(attribute)

    def project(self, attributes: Iterable[str]) -> Domain:
        """The domain of these attributes only, in the order given."""
        wanted = tuple(attributes)
        widths = dict(self.widths)
        return Domain(
            tuple((a, self._size[a]) for a in wanted),
            tuple((a, widths[a]) for a in wanted if a in widths),
        )

    def ordered(self, attributes: Iterable[str]) -> Clique:
        """These attributes in the domain's own order."""
        wanted = set(attributes)
        return tuple(a for a in self.attributes if a in wanted)
