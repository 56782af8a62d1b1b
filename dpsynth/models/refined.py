"""RefinedModel: a model over bins, refined to the cells inside each bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, Evidence, Model, RoughMeasurement, code_dtype
from dpsynth.models.charged import charged_from, stored_charges
from dpsynth.models.completing import completed, counts_given
from dpsynth.models.counted import Counted
from dpsynth.models.factor import quotient
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.hidden import HiddenModel
from dpsynth.models.released import ReleasedRows
from dpsynth.models.sampling import Decks, blocks
from dpsynth.models.separate import among, few_rows, groups_of


@dataclass(frozen=True, eq=False)
class RefinedModel:
    """A model over bins, refined to the cells inside each bin.

    Cells of one bin differ in their own column only: given the bin they are independent of all
    other columns.

    Parameters
    ----------
    domain : Domain
        Of the cells.
    coarse : Model
        Over the bins.
    bins : mapping of str to ndarray
        bins[a]: the bin of each cell of a, numbered from 0.
    masses : mapping of str to ndarray
        masses[a]: relative masses of a's cells. Only their proportions inside each bin matter; the
        bins' own masses are the coarse model's.
    outcome : str
        For the certificate, what a mechanism that may do one thing or another has done, in words.
        It depends on the rows through charges only, as the arrays do. It is not part of a saved
        model.
    last_cells : mapping of str to (float, float)
        For the certificate, the count of each column's last cell as it was measured, and the
        standard deviation of its noise, in rows. Not part of a saved model either.
    counted : mapping of str to Counted
        Of wide columns, what was measured, for what is told besides (`mechanisms.tails`). Not part
        of a saved model.
    charged : tuple of RoughMeasurement
        The noisy counts that charges answered, over cells, as they were drawn: what the model was
        fitted to, and what questions are answered by (`models.span`).
    apart : bool
        Whether a sample has a cell for each row by itself, as a coarse model that draws rows
        `apart` has bins. It is not part of a saved model.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> from dpsynth.models.engines import estimate
    >>> from dpsynth.models.base import LinearMeasurement
    >>> measured = LinearMeasurement(("age",), np.array([60.0, 40.0]), 0.01)
    >>> coarse = estimate(Domain.of({"age": 2}), [measured], total=100.0)
    >>> bins, masses = {"age": np.array([0, 0, 1])}, {"age": np.array([1.0, 3.0, 1.0])}
    >>> RefinedModel(Domain.of({"age": 3}), coarse, bins, masses).project(("age",)).round()
    array([15., 45., 40.])
    """

    domain: Domain
    coarse: Model
    bins: Mapping[str, np.ndarray]
    masses: Mapping[str, np.ndarray]
    outcome: str = ""
    last_cells: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counted: Mapping[str, Counted] = field(default_factory=dict)
    charged: tuple[RoughMeasurement, ...] = ()
    apart: bool = False

    @classmethod
    def of_cells(cls, model: Model) -> RefinedModel:
        """The same distribution, as a model of bins that hold one cell each.

        Examples
        --------
        >>> import numpy as np
        >>> from dpsynth import Domain
        >>> from dpsynth.models.engines import estimate
        >>> from dpsynth.models.base import LinearMeasurement
        >>> measured = LinearMeasurement(("age",), np.array([60.0, 40.0]), 0.01)
        >>> model = estimate(Domain.of({"age": 2}), [measured], total=100.0)
        >>> RefinedModel.of_cells(model).project(("age",)).round()
        array([60., 40.])
        """
        cells = {a: np.arange(n) for a, n in model.domain.sizes}
        return cls(model.domain, model, cells, {a: np.ones(n) for a, n in model.domain.sizes})

    @property
    def total(self) -> float:
        return self.coarse.total

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique)."""
        table = self.coarse.project(clique)
        for axis, a in enumerate(clique):
            shape = [-1 if i == axis else 1 for i in range(len(clique))]
            table = table.take(self.bins[a], axis=axis) * self._within(a).reshape(shape)
        return table

    def project_groups(self, clique: Clique, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Expected counts of groups of cells; groups: for each attribute the group of each cell.

        Cells are never told apart, so that wide columns cost no memory.
        """
        table = self.coarse.project(clique)
        for axis, (a, labels) in enumerate(zip(clique, groups, strict=True)):
            shares = np.zeros((table.shape[axis], int(labels.max()) + 1))
            np.add.at(shares, (self.bins[a], labels), self._within(a))
            table = np.moveaxis(np.tensordot(table, shares, (axis, 0)), -1, axis)
        return table

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows: bins first, then a cell inside each, both with low variance."""
        wanted, binned = self._binned(evidence or {})
        return self._refined(self.coarse.sample(n, rng, binned), wanted, rng)

    def sample_few(self, n: int, rng: np.random.Generator, evidence: Evidence | None) -> Codes:
        """n rows in place of others; see `separate.few_rows`."""
        wanted, binned = self._binned(evidence or {})
        return self._refined(few_rows(self.coarse, n, rng, binned), wanted, rng)

    def groups(self) -> tuple[Clique, ...]:
        """Those of the model over bins."""
        return groups_of(self.coarse)

    def among(self, attributes: Clique) -> RefinedModel:
        """The model of some groups."""
        bins, masses = ({a: own[a] for a in attributes} for own in (self.bins, self.masses))
        coarse = among(self.coarse, attributes)
        return RefinedModel(self.domain.project(attributes), coarse, bins, masses, apart=self.apart)

    def _refined(
        self, coarse: Codes, wanted: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> Codes:
        """A cell inside of each bin, by these weights of cells."""
        draw = _cells_apart if self.apart else _cells_within
        return {  # a column leaves `coarse` as it is refined, so that none is held twice
            a: draw(coarse.pop(a), self.bins[a], self._within(a) * wanted.get(a, 1.0), rng)
            for a in self.domain.attributes
        }

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Expected counts of the rows that agree with the evidence, each as often as its weights
        say; zeros where there is none.

        Raises
        ------
        ConditionError
            Where the coarse model cannot say it.
        """
        wanted, binned = self._binned(evidence)
        table = counts_given(self.coarse, clique, binned)
        for axis, a in enumerate(clique):
            share = self._within(a) * wanted.get(a, 1.0)
            if a in binned:  # of the bin's weighted rows, the cell's part
                share = quotient(share, binned[a][self.bins[a]])
            shape = [-1 if i == axis else 1 for i in range(len(clique))]
            table = table.take(self.bins[a], axis=axis) * share.reshape(shape)
        return table

    def complete(
        self,
        codes: Codes,
        rng: np.random.Generator,
        evidence: Evidence | None = None,
        least: float = 0.0,
    ) -> Codes:
        """For each partial row a whole one, from the distribution of rows that agree with it and
        with the evidence.

        codes: for each attribute its cells, -1 where one is not known. A known cell counts as its
        bin does. least: see `completed`.
        """
        wanted, coarse_evidence = self._binned(evidence or {})
        known = {a: codes[a] >= 0 for a in self.domain.attributes}
        binned = {a: np.where(known[a], self.bins[a][codes[a]], -1) for a in known}
        coarse = completed(self.coarse, binned, rng, coarse_evidence, least)
        found = {}
        for a in self.domain.attributes:
            weights = self._within(a) * wanted.get(a, 1.0)
            drawn = _cells_within(coarse.pop(a), self.bins[a], weights, rng)
            found[a] = np.where(known[a], codes[a], drawn).astype(drawn.dtype)
        return found

    def to_arrays(self) -> dict[str, Any]:
        """All but the domain: plain numbers, strings and lists, and arrays.

        Raises
        ------
        TypeError
            For a coarse model that cannot be stored.
        """
        if not isinstance(self.coarse, GraphicalModel | HiddenModel | ReleasedRows):
            raise TypeError(
                f"a model of type {type(self.coarse).__name__} over bins cannot be stored"
            )
        saved = {f"coarse:{k}": v for k, v in self.coarse.to_arrays().items()}
        for a in self.domain.attributes:
            saved[f"bins:{a}"], saved[f"masses:{a}"] = self.bins[a], self.masses[a]
        return saved | stored_charges(self.charged, self.bins)

    @classmethod
    def from_arrays(cls, domain: Domain, saved: Mapping[str, Any]) -> RefinedModel:
        """The model of which `saved` holds `to_arrays()`.

        Raises
        ------
        ValueError, KeyError
            If that does not fit the domain.
        """
        inner = {k.removeprefix("coarse:"): v for k, v in saved.items() if k.startswith("coarse:")}
        kind = (
            HiddenModel
            if "hidden" in inner
            else ReleasedRows
            if "released" in inner
            else GraphicalModel
        )
        coarse = kind.from_arrays(inner)
        bins, masses = (
            {a: saved[f"{name}:{a}"] for a in coarse.domain.attributes}
            for name in ("bins", "masses")
        )
        for a in coarse.domain.attributes:
            if not len(bins[a]) == len(masses[a]) == domain.size(a) or bins[
                a
            ].max() + 1 != coarse.domain.size(a):
                raise ValueError(f"the arrays of {a!r} do not fit the schema")
        return cls(domain, coarse, bins, masses, charged=charged_from(saved, domain, bins))

    def _binned(self, evidence: Evidence) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The weights of cells, and those of bins that follow."""
        wanted = {a: np.asarray(w, dtype=np.float64) for a, w in evidence.items()}
        return wanted, {
            a: np.bincount(self.bins[a], self._within(a) * w) for a, w in wanted.items()
        }

    def _within(self, attribute: str) -> np.ndarray:
        """The share of each cell in its bin; cells of a bin without mass share it by width, or
        evenly.
        """
        bins = self.bins[attribute]
        mass = self.masses[attribute]
        held = np.bincount(bins, mass)
        even = np.ones_like(mass)
        widths = self.domain.width(attribute) or ()
        even[: len(widths)] = widths
        weight = np.where(held[bins] > 0, mass, even)
        return weight / np.bincount(bins, weight)[bins]


def _cells_apart(
    binned: np.ndarray, bins: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each row a cell of its bin, with probability proportional to `weights`, by itself."""
    cells = np.argsort(bins, kind="stable")
    held = np.bincount(bins, weights)
    upto = np.cumsum(weights[cells] / np.where(held > 0, held, 1.0)[bins[cells]])
    before = np.concatenate([[0.0], upto])[np.searchsorted(bins[cells], np.arange(held.size))]
    last = np.append(before[1:], upto[-1])
    found = np.searchsorted(
        upto, before[binned] + rng.random(len(binned)) * (last - before)[binned], side="right"
    )
    ends = np.flatnonzero(np.diff(bins[cells], append=bins.max() + 1))  # whatever a sum rounds to
    return cells[np.minimum(found, ends[binned])].astype(code_dtype(bins.size))


def _cells_within(
    binned: np.ndarray, bins: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each row a cell of its bin, with probability proportional to `weights`, drawn as in
    `sampling`.
    """
    number = int(bins.max()) + 1
    rows = np.zeros(number, np.int64)
    for at in blocks(len(binned)):
        rows += np.bincount(binned[at], minlength=number)
    cells = np.argsort(bins, kind="stable")
    times = _systematic_counts(bins[cells], weights[cells], rows, rng)
    cells = cells[times > 0]
    times = times[times > 0]
    of = bins[cells]
    only = np.zeros(number, code_dtype(bins.size))
    only[of] = cells
    # most bins give all their rows to one cell, and need no deck
    several = np.bincount(of, minlength=number) > 1
    given = several[of]
    decks = Decks.shuffled(of[given], cells[given].astype(only.dtype), times[given], number, rng)
    out = np.empty(len(binned), only.dtype)
    for at in blocks(len(binned)):
        only.take(binned[at], out=out[at], mode="clip")
        left = np.flatnonzero(several[binned[at]])
        out[at][left] = decks.deal(binned[at][left])
    return out


def _systematic_counts(
    bins: np.ndarray, weights: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How many of the rows[b] rows of bin b take each of its cells, rounded at random; `bins` are
    sorted.
    """
    last = np.flatnonzero(np.diff(bins, append=bins[-1] + 1))
    top = np.maximum.reduceat(weights, np.concatenate([[0], last[:-1] + 1]))[bins]
    upto = np.cumsum(weights / np.where(top > 0, top, 1.0))
    before = np.concatenate([[0.0], upto[last[:-1]]])
    held = upto[last] - before
    share = (upto - before[bins]) / np.where(held > 0, held, 1.0)[bins]
    share[last] = 1.0
    steps = np.ceil(share * rows[bins] - rng.random(rows.size)[bins]).astype(np.int64)
    steps = np.where(share >= 1, rows[bins], steps)  # whatever the subtraction rounds to
    steps[1:] -= np.where(bins[1:] == bins[:-1], steps[:-1], 0)
    return steps
