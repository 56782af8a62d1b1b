"""Columns: what measured one-way marginals say, for a network to start from and to be held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.oneway import OneWayMeasurements, WideMeasurement
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.bins import choose_bins
from dpsynth.models.counted import Counted
from dpsynth.models.hidden import HiddenModel
from dpsynth.models.refined import RefinedModel

_LEAST = 1e-12
_SWEEPS = 50


@dataclass(frozen=True, eq=False)
class Columns:
    """oneway: the measurements. bins[a]: the bin of each cell of a. coarse: the table of bins."""

    oneway: OneWayMeasurements
    bins: dict[str, np.ndarray]
    coarse: PrivateTable

    @classmethod
    def of(cls, table: PrivateTable, oneway: OneWayMeasurements, accountant: Accountant) -> Columns:
        """Values told apart as far as a tree of pairs could be measured with what is left of the
        budget.
        """
        prices = Prices(accountant.cost_left, table.unit.count_sensitivity(2)[1])
        stddev = prices.even_stddev(len(table.domain.attributes) - 1)
        bins = choose_bins(table.domain, oneway.masses(), stddev)
        return cls(oneway, bins, table.coarsen(bins))

    @property
    def domain(self) -> Domain:
        """Of the bins."""
        return self.coarse.domain

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What was measured, and the bins chosen by it."""
        saved: dict[str, np.ndarray] = {}
        for m in (self.oneway.total, *self.oneway.by_column.values()):
            name = ":".join(("", *m.clique))
            saved |= {f"values{name}": np.asarray(m.values), f"stddev{name}": np.asarray(m.stddev)}
            if isinstance(m, WideMeasurement):
                parts = m.counted.to_arrays()
                saved |= {f"counted{name}:{part}": array for part, array in parts.items()}
        return {**saved, **{f"bins:{a}": bins for a, bins in self.bins.items()}}

    @classmethod
    def from_arrays(cls, table: PrivateTable, saved: Mapping[str, np.ndarray]) -> Columns:
        """The columns of which `saved` holds `to_arrays()`, for the same table; KeyError or
        ValueError for others.
        """

        def measured(clique: Clique) -> LinearMeasurement:
            name = ":".join(("", *clique))
            begin = f"counted{name}:"
            parts = {k.removeprefix(begin): v for k, v in saved.items() if k.startswith(begin)}
            if "precision" in parts:
                return WideMeasurement.of(clique, Counted.from_arrays(parts))
            return LinearMeasurement(clique, saved[f"values{name}"], saved[f"stddev{name}"])

        attributes = table.domain.attributes
        oneway = OneWayMeasurements(
            table.domain, measured(()), {a: measured((a,)) for a in attributes}
        )
        bins = {a: saved[f"bins:{a}"] for a in attributes}
        return cls(oneway, bins, table.coarsen(bins))

    def shares(self) -> list[np.ndarray]:
        """For each column the share of each bin, shape (bins,)."""
        masses = self.oneway.masses()
        binned = [np.bincount(self.bins[a], masses[a]) for a in self.domain.attributes]
        return [m / m.sum() if m.sum() > 0 else np.full(m.size, 1 / m.size) for m in binned]

    def model(self, columns: Sequence[np.ndarray]) -> RefinedModel:
        """The mixture of components in which columns have these distributions, each of shape
        (components, bins).
        """
        return RefinedModel(
            self.oneway.domain,
            self.coarse_model(columns),
            self.bins,
            self.oneway.masses(),
            last_cells=self.oneway.last_cells(),
            counted=self.oneway.counted(),
        )

    def coarse_model(self, columns: Sequence[np.ndarray]) -> HiddenModel:
        """The same mixture, of bins, held to the measured columns."""
        return mixture_of(self.domain, self.oneway.rows, columns, self.shares())


def mixture_of(
    domain: Domain, rows: float, columns: Sequence[np.ndarray], shares: Sequence[np.ndarray]
) -> HiddenModel:
    """The mixture of components with these distributions, each of shape (components, cells), held
    to the shares.
    """
    held = [_held_to(share, each) for share, each in zip(shares, columns, strict=True)]
    return HiddenModel.mixture(domain, rows, dict(zip(domain.attributes, held, strict=True)))


def _held_to(share: np.ndarray, each: np.ndarray) -> np.ndarray:
    """The nearest distributions, in relative entropy, whose mean is `share`: Sinkhorn's iteration
    (1967).

    share: shape (cells,). each: shape (components, cells), and so is what is returned, each row
    with sum 1.
    """
    share = np.maximum(share, _LEAST)
    each = np.maximum(each, _LEAST)
    for _ in range(_SWEEPS):
        each = each * (share / each.mean(axis=0))
        each = each / each.sum(axis=1, keepdims=True)
    return each


def require_torch() -> None:
    """ImportError, before anything is charged, where PyTorch is missing."""
    if find_spec("torch") is None:
        raise ImportError(
            "networks need PyTorch, which is not installed: pip install 'dpsynth[gan]'"
        )


def require_add_remove(unit: PrivacyUnit) -> None:
    """ValueError, before anything is charged, where units are replaced and not added or removed."""
    if unit.adjacency != "add-remove":
        raise ValueError(
            "training on samples of rows is accounted for units that are added or removed, and"
            " these are"
            ' replaced: use a unit with adjacency="add-remove", or a marginal mechanism'
        )
