"""Domain: the public names and sizes of discrete attributes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

Clique = tuple[str, ...]
"""Attributes whose marginal is meant. `()` is the total: a row count is a marginal, too."""


@dataclass(frozen=True)
class Domain:
    """The attributes of a table in column order, each with its number of cells; all of it public.

    Neighbouring cells of an ordered attribute are alike, so they may be merged. An attribute
    without widths is nominal.

    Parameters
    ----------
    sizes : tuple of tuple of str and int
        (name, number of cells) for each attribute.
    widths : tuple of tuple of str and tuple of float
        (name, widths) for each ordered attribute: the public width of each of its leading cells,
        in values of the column or as a length. Cells past the end of the widths are special
        (missing, invalid) and have no neighbour.

    Raises
    ------
    ValueError
        For a name given twice, a size below 1, or widths of more cells than the attribute has.

    Examples
    --------
    >>> domain = Domain.of({"age": 100, "sex": 2})
    >>> domain.attributes
    ('age', 'sex')
    >>> domain.cells(("age", "sex"))
    200
    >>> domain.project(["sex"])
    Domain(sizes=(('sex', 2),), widths=())
    """

    sizes: tuple[tuple[str, int], ...]
    widths: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.sizes]
        if len(set(names)) != len(names):
            raise ValueError(f"attributes must have different names, got {names}: rename them")
        for name, size in self.sizes:
            if not isinstance(size, int) or size < 1:
                raise ValueError(
                    f"attribute {name!r} must have a whole number of cells, 1 or more, got {size!r}"
                )
        for name, widths in self.widths:
            if name not in self._size or len(widths) > self._size[name]:
                raise ValueError(
                    f"{name!r} has {len(widths)} widths, which must be those of an attribute of as"
                    " many cells or more: correct the widths, or the size"
                )

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> Domain:
        """The domain of nominal attributes with these names and numbers of cells."""
        return cls(tuple((name, int(size)) for name, size in sizes.items()))

    @cached_property
    def _size(self) -> dict[str, int]:
        return dict(self.sizes)

    @cached_property
    def attributes(self) -> Clique:
        """The names, in column order."""
        return tuple(name for name, _ in self.sizes)

    def size(self, attribute: str) -> int:
        """The number of cells of one attribute."""
        return self._size[attribute]

    def shape(self, clique: Clique) -> tuple[int, ...]:
        """The numbers of cells of some attributes: the shape of the array of their marginal."""
        return tuple(self._size[a] for a in clique)

    def cells(self, clique: Clique) -> int:
        """The number of cells of the marginal of some attributes."""
        return math.prod(self.shape(clique))

    def width(self, attribute: str) -> tuple[float, ...] | None:
        """The widths of the leading, ordered cells; None for a nominal attribute."""
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
