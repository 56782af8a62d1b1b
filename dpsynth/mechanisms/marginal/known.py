"""Marginals that are known before a fit, and cost it nothing: public, released earlier, or measured
elsewhere.

Nothing here reads the private rows. A known marginal enters the estimate beside the fit's own
measurements, weighted by the standard deviation that is stated for it; what it explains need not be
bought. Where it comes from is a statement of whoever gives it, as the schema is: the certificate
names it and does not answer for it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique, Domain
from dpsynth.data.tables.check import check_rows
from dpsynth.data.tables.codec import codec_for
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.oneway import OneWayMeasurements
from dpsynth.mechanisms.prices import MAX_PAIR_CELLS
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.junction_tree import tree_cells
from dpsynth.schema.table import Schema, SchemaError


@dataclass(frozen=True, eq=False)
class Marginal:
    """How many rows there are of each combination of values, or which share of them.

    Parameters
    ----------
    counts : pandas.Series
        Its index levels are named after columns of the schema, as `frame.value_counts(["job",
        "sex"])` gives it. A combination that is not there counts 0, so give all that occur.
    stddev : float
        How far each count may be off, as a standard deviation in rows, or in shares for shares;
        above 0.
    source : str
        Where it comes from, in words for the reader of the certificate.
    shares : bool
        The counts are parts of all rows, which sum to one; they say nothing about how many rows
        there are.

    Raises
    ------
    ValueError
        For counts that are no such series, a combination given twice, a stddev that is out of
        range, shares that do not sum to one, and a missing source.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.Series([510.0, 490.0], index=pd.Index(["f", "m"], name="sex"))
    >>> Marginal(counts, stddev=5.0, source="the census of 2021").columns
    ('sex',)
    """

    counts: pd.Series[float]
    stddev: float
    source: str
    shares: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.counts, pd.Series) or not all(
            isinstance(name, str) for name in self.counts.index.names
        ):
            raise ValueError(
                "a marginal needs a Series whose index levels are named after columns of the schema"
            )
        if len(set(self.columns)) < len(self.columns) or not self.counts.index.is_unique:
            raise ValueError(
                f"a marginal gives each combination of different columns once, see {self.columns}"
            )
        numbers = _numbers(self.counts)
        if (
            isinstance(self.stddev, bool)
            or not isinstance(self.stddev, Real)
            or not isinstance(self.shares, bool)
        ):
            raise ValueError("the stddev of a marginal is a number, and shares is True or False")
        if not isinstance(self.source, str) or not self.source.strip():
            raise ValueError(
                f"the marginal of {self.columns} needs a source: say where it comes from"
            )
        object.__setattr__(self, "counts", pd.Series(numbers, index=self.counts.index))
        Known(self.columns, numbers, self.stddev, self.source, self.shares)

    @property
    def columns(self) -> Clique:
        return tuple(str(name) for name in self.counts.index.names)

    def values(self, column: str) -> list[Any]:
        """The values of a column that it counts, each once."""
        return self.counts.index.get_level_values(column).unique().to_list()

    def coded(self, schema: Schema, found: Collection[str] = ()) -> Known:
        """The same over the schema's cells.

        found: columns whose categories a fit has found; other values of theirs count as OTHER.

        Raises
        ------
        SchemaError
            For columns whose cells are not public, and for values that the schema does not declare.
        """
        for name in self.columns:
            if name not in schema.coded:
                raise SchemaError(
                    f"a known marginal has the column {name!r}, which the schema does not model:"
                    " leave it out"
                )
            if name in schema.open:
                raise SchemaError(
                    f"a known marginal needs public cells: declare the categories of {name!r}"
                )
            if name in schema.unbounded:
                raise SchemaError(
                    f"a known marginal needs public cells: declare both bounds of {name!r}"
                )
        declared = {name: schema.coded[name] for name in self.columns}
        rows = self.counts.index.to_frame(index=False)
        for told in check_rows(rows, Schema(declared)):
            undeclared = 0 if told.name in found else told.undeclared
            if (
                undeclared
                or told.clipped
                or (told.missing and not getattr(declared[told.name], "nullable", 0))
            ):
                raise SchemaError(
                    f"a known marginal has values of {told.name!r} that the schema does not"
                    " declare: leave them out"
                )
        codecs = [codec_for(column) for column in declared.values()]
        shape = tuple(codec.size for codec in codecs)
        if math.prod(shape) > MAX_PAIR_CELLS:
            raise SchemaError(
                f"the marginal of {self.columns} has more than {MAX_PAIR_CELLS:,} cells: give"
                " fewer columns"
            )
        values = np.zeros(shape)
        codes = (codec.encode(rows[name]) for name, codec in zip(self.columns, codecs, strict=True))
        np.add.at(values, tuple(codes), self.counts.to_numpy(float))
        return Known(self.columns, values, float(self.stddev), self.source, self.shares)


@dataclass(frozen=True, eq=False)
class Known:
    """A known marginal over cells.

    Parameters
    ----------
    clique : tuple of str
        Its columns.
    values : ndarray
        Shape `domain.shape(clique)`, in rows, or in shares of all rows.
    stddev : float
        How far each value may be off, as a standard deviation in the same unit.
    source : str
        Where it comes from.
    shares : bool
        Whether the values are shares.

    Raises
    ------
    ValueError
        For numbers that are not finite or out of range, and for shares that do not sum to one.

    Examples
    --------
    >>> import numpy as np
    >>> known = Known(("sex",), np.array([0.51, 0.49]), 0.005, "the census of 2021", shares=True)
    >>> known.measurement(1000.0).values
    array([510., 490.])
    """

    clique: Clique
    values: np.ndarray = field(repr=False)
    stddev: float
    source: str
    shares: bool = False

    def __post_init__(self) -> None:
        least, most = (_LEAST / _MOST, 1.0) if self.shares else (_LEAST, _MOST)
        if not least <= self.stddev <= most:
            raise ValueError(
                f"the stddev of the known marginal of {self.clique} must be from {least:g} to"
                f" {most:g}"
                f" {'for shares' if self.shares else 'rows'}"
            )
        if not np.isfinite(self.values).all() or np.abs(self.values).max(initial=0.0) > _MOST:
            raise ValueError(
                f"the counts of the known marginal of {self.clique} must be finite and at most"
                f" {_MOST:g}"
            )
        gap = abs(float(self.values.sum()) - 1)
        if self.shares and gap > 5 * self.stddev * math.sqrt(self.values.size) + 1e-6:
            raise ValueError(
                f"the shares of the known marginal of {self.clique} do not sum to one: give all of"
                " them"
            )

    def stated(self) -> dict[str, Any]:
        """What it is and where it comes from, for the certificate."""
        counted = "shares" if self.shares else "rows"
        return {"columns": self.clique, "source": self.source, "stddev": self.stddev, "in": counted}

    def measurement(self, rows: float) -> LinearMeasurement:
        """The same in rows, where the table has `rows` of them."""
        scale = rows if self.shares else 1.0
        return LinearMeasurement(self.clique, scale * self.values, scale * self.stddev)


class StartsFromKnown(Mechanism):
    """A mechanism with the setting `known`, which a fit starts from."""

    takes_known = True
    known: tuple[Known, ...]

    @abstractmethod
    def check(self, domain: Domain) -> None:
        """ValueError, before any charge, where a setting does not fit the domain."""

    def check_schema(self, schema: Schema) -> None:
        """The same for all of the domain that the schema says.

        A column whose bounds or categories are to be learned is one cell.
        """
        if over := {a for k in self.known for a in k.clique} & {*schema.open}:
            raise SchemaError(
                f"the mechanism has a known marginal of {min(over)!r}, whose cells are found by"
                " the fit: give it to the synthesizer, as known=[Marginal(...)]"
            )
        sizes = {
            name: 1 if name in (*schema.unbounded, *schema.open) else codec_for(c).size
            for name, c in schema.coded.items()
        }
        self.check(Domain.of(sizes))

    def with_known(self, known: Sequence[Known]) -> Self:
        """The same mechanism, which starts from these; ValueError where it has some already."""
        if self.known:
            raise ValueError(
                "known marginals are given to the mechanism and to the synthesizer: give all to one"
                " of them"
            )
        return replace(self, known=tuple(known))  # type: ignore[type-var]  # those derived from it are dataclasses

    def settings(self) -> dict[str, Any]:
        """As of any mechanism; of known marginals what they are, and not their counts."""
        return {**super().settings(), "known": [k.stated() for k in self.known]}


_LEAST = 1e-6
_MOST = 1e12
"""Of a stddev, and of counts: what squares and quotients of doubles bear."""


def check_known(known: Collection[Known], domain: Domain, max_cells: int) -> None:
    """ValueError, before any charge, for marginals that no model of this domain and size holds."""
    for k in known:
        if not set(k.clique) <= set(domain.attributes) or k.values.shape != domain.shape(k.clique):
            raise ValueError(f"the known marginal of {k.clique} is not of this table's domain")
    spanned = domain.project(domain.ordered({a for k in known for a in k.clique}))
    if known and tree_cells(spanned, [k.clique for k in known]) > max_cells:
        raise ValueError(
            f"the known marginals need a model of more than {max_cells:,} cells: give fewer of"
            " them, or raise the"
            " mechanism's limit of cells"
        )


def with_known(oneway: OneWayMeasurements, known: Collection[Known]) -> OneWayMeasurements:
    """What was measured, and what known counts say of single columns and of the row count."""
    for k in known:
        if not k.shares and len(k.clique) == 1:
            oneway = oneway.with_prior(k.measurement(oneway.rows))
        elif not k.shares:
            oneway = oneway.with_prior(
                LinearMeasurement((), k.values.sum(), k.stddev * math.sqrt(k.values.size))
            )
    return oneway


def beside(known: Collection[Known]) -> tuple[Known, ...]:
    """What one-way measurements cannot hold: counts of several columns together, and shares.

    Shares are told once there is a row count, which is their scale.
    """
    return tuple(k for k in known if k.shares or len(k.clique) > 1)


def _numbers(counts: pd.Series[Any]) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(counts.dtype) or pd.api.types.is_complex_dtype(
        counts.dtype
    ):
        raise ValueError("the counts of a marginal must be numbers")
    return np.array(counts, dtype=float)
