"""Imputations: several synthetic tables, each from another model that the noise leaves possible.

An analyst runs an analysis of his own on each of them, and combines what it finds. It is
post-processing: nothing is charged, and no row is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from dpsynth.models.redrawing import Redrawing
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.columns import Identifier
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.answering import check_level
from dpsynth.synthesizers.asked_cells import AskedCells, NotMeasuredError
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.combined import Combined, as_table, combined_numbers
from dpsynth.synthesizers.sampled_rows import Origin

_FEWEST = 2
_TRIED = ("canopy", "mst")
"""Mechanisms on whose releases intervals were seen to hold (benchmarks/imputations.py)."""

_FAINT = 0.75
"""Of the noise of a column: the most that cells which do not stand out may move it."""

_MERGED = 0.08
"""Of the rows: the most that may lie in cells that were not told apart. With both, intervals held
in simulations (benchmarks/results/imputations.json).
"""


@dataclass(frozen=True, eq=False)
class Imputations(Sequence[pd.DataFrame]):
    """Synthetic tables to run an analysis on, one by one, and to combine what it finds.

    Parameters
    ----------
    tables : tuple of DataFrame
        Each with rows of its own, which stand for no rows of another table.
    schema : Schema
        Of their columns.
    rows : int
        The noisy row count of the private table.
    mechanism : str
        What the release was fitted by.
    redrawing : Redrawing
        What models are drawn from.
    cells : AskedCells
        The columns, and the cells that the fit counted.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(18, 27, integer=True), "smoker": Boolean()})
    >>> rows = pd.DataFrame({"age": [*range(18, 28)] * 500, "smoker": [True, False] * 2500})
    >>> synth = Synthesizer(schema, epsilon=5.0, delta=1e-6, ledger=None).fit(rows)
    >>> tables = synth.imputations(10, seed=1)
    >>> means = [float(table.age.mean()) for table in tables]
    >>> found = tables.combine(means, columns=["age"])
    >>> found.basis, bool(found.intervals[0, 0] < found.estimates[0])
    ('measured', True)
    """

    tables: tuple[pd.DataFrame, ...]
    schema: Schema
    rows: int
    mechanism: str
    redrawing: Redrawing = field(repr=False)
    cells: AskedCells = field(repr=False)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, i: Any) -> Any:
        return self.tables[i]

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return iter(self.tables)

    def doubts(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Why an analysis of these columns has no interval, a sentence for each reason.

        Parameters
        ----------
        columns : sequence of str
            All that the analysis uses.

        Returns
        -------
        tuple of str
            None where noisy counts cover the columns.

        Raises
        ------
        SchemaError
            For a column that the tables do not have, and for no column.
        """
        names = self._checked(columns)
        if self.mechanism not in _TRIED:
            tried = " and ".join(_TRIED)
            return (
                f"Intervals were tried on releases by {tried}, and this is by {self.mechanism}.",
            )
        found = [doubt for name in names if (doubt := self._of_one(name))]
        if not found:
            pairs = itertools.combinations(names, 2)
            found = [doubt for pair in pairs for doubt in self._of_pair(*pair)]
        return tuple(dict.fromkeys(found))

    def combine(
        self,
        estimates: Sequence[Any],
        variances: Sequence[Any] | None = None,
        *,
        columns: Sequence[str],
        level: float = 0.9,
    ) -> Combined:
        """One estimate of those of all tables, with its error about the population.

        T = (1 + 1/m) b + (n'/n - 1) u, of the variance b among m estimates and the mean u of their
        own variances, for tables of n' rows and a private one of n. With ids, the rows of a unit
        may all be alike, so that max_records n'/n takes the place of n'/n. It follows from the
        rules of Raghunathan, Reiter and Rubin (2003); the head of `combined` derives it.

        Parameters
        ----------
        estimates : sequence of float, ndarray or Series
            For each table what the analysis finds, such as `[fit.params for fit in fits]`.
        variances : sequence of float, ndarray or Series, or None
            For each table the variances of these by the analysis itself, such as
            `[fit.bse**2 for fit in fits]`. None where tables have as many rows as the private one,
            each of which is a unit: then nothing follows from them.
        columns : sequence of str
            All columns that the analysis uses, its conditions included. Only where they were
            counted together is there an interval.
        level : float
            How often an interval holds the truth, from 0.5 to below 1.

        Returns
        -------
        Combined
            Estimates, standard errors, intervals, and the basis, "measured" or "model".

        Raises
        ------
        ValueError
            For numbers that are none, that do not fit the tables, and for no variances where they
            are needed.
        SchemaError
            For a column that the tables do not have.
        """
        check_level(level)
        doubts = self.doubts(columns)
        values, terms = as_table(estimates, len(self), "estimates")
        own = None if variances is None else as_table(variances, len(self), "variances")[0]
        if own is not None and own.shape != values.shape:
            raise ValueError(
                f"there are {values.shape[1]} estimates and {own.shape[1]} variances of each"
                " table: give a variance for each estimate"
            )
        sampling = self._alike * len(self.tables[0]) / max(self.rows, 1)
        if own is None and sampling != 1:
            raise ValueError(
                "variances are needed: only of tables with as many rows as the private one, each"
                " of which is a unit, is there an error without them"
            )
        numbers = combined_numbers(values, own, sampling)
        named = terms or tuple(str(i) for i in range(values.shape[1]))
        basis: Literal["measured", "model"] = "model" if doubts else "measured"
        return Combined(named, *numbers, basis, level, len(self), doubts or self._notes())

    @property
    def _alike(self) -> int:
        """How many rows of one unit may be alike."""
        unit = self.schema.unit
        return 1 if unit.id_column is None else unit.max_records

    def _checked(self, columns: Sequence[str]) -> list[str]:
        names = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
        known = [n for n, c in self.schema.columns.items() if not isinstance(c, Identifier)]
        odd = [name for name in names if name not in known]
        if odd or not names:
            said = f"{odd[0]!r} is none" if odd else "none was given"
            raise SchemaError(
                "columns must be those that the analysis uses, and identifiers are none of them;"
                f" {said}: name modelled columns of the tables"
            )
        return names

    def _of_one(self, name: str) -> str | None:
        """Why a column by itself is in doubt."""
        try:
            single = self.cells.codec(name).single
        except NotMeasuredError:
            return f"{name!r} is modelled together with other columns, by a rule of the schema."
        if not single:
            return f"The values of {name!r} were counted in ranges, and are drawn evenly in these."
        if self.redrawing.faint(name) > _FAINT:
            return f"Noise hides many of the values of {name!r}, which moves what is drawn."
        return None

    def _of_pair(self, a: str, b: str) -> Iterator[str]:
        """Why two columns together are in doubt."""
        counts = self.redrawing.together(a, b)
        if counts is None:
            yield f"{a!r} and {b!r} were not counted together: what joins them is the model's."
            return
        for name in (a, b):
            if self.redrawing.merged(name, counts) > _MERGED:
                yield f"With {a!r} and {b!r} together, values of {name!r} were counted in ranges."

    def _notes(self) -> tuple[str, ...]:
        """What intervals assume."""
        notes = [
            "Intervals take rows as independent draws from the population."
            if self._alike == 1
            else f"Intervals allow for all rows of a {self.schema.unit.name} being alike.",
            "What three columns have to do with each other beyond each two of them is the model's.",
            "All values of columns that are not nullable are taken as read.",
            "In simulations 90% intervals held the truth in 0.86 to 0.96 of cases.",
        ]
        return tuple(notes)


def imputed(
    origin: Origin, record: Mapping[str, Any], m: int, n: int | None, seed: int | None
) -> Imputations:
    """m tables of n rows each; ValueError for a model that keeps no counts."""
    if isinstance(m, bool) or not isinstance(m, int | np.integer) or m < _FEWEST:
        raise ValueError(f"m must be a whole number of tables, {_FEWEST} or more, got {m!r}")
    check_draw(n, seed)
    if not isinstance(origin.model, RefinedModel):
        raise ValueError(
            "this release keeps no noisy counts, from which other models could be drawn: fit by"
            " canopy or mst"
        )
    cells = AskedCells(origin.schema, origin.bounds)
    redrawing = Redrawing(origin.model, cells.unread())
    rows = max(round(origin.model.total), 1)
    tables = []
    for source in np.random.SeedSequence(fresh_seed(seed)).spawn(m):
        rng = np.random.default_rng(source)
        own = replace(origin, model=redrawing.draw(rng), seed=int(rng.integers(1 << 62)))
        tables.append(Asked().rows(own, record, rows if n is None else n, rng))
    mechanism = record["mechanism"]["name"]
    return Imputations(tuple(tables), origin.schema, rows, mechanism, redrawing, cells)
