"""Fidelity: how far a release is from real records, beside how far another sample of real people
would be.

Numbers alone say little: two samples of the same people differ too. So each distance stands beside
a floor, the same distance for a holdout of real records, or, without one, for the real records
drawn anew with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.data.tables.codec import check_columns, encode_frame, schema_domain
from dpsynth.evaluation.distances import all_ways, choose_bins, frequencies, total_variation
from dpsynth.evaluation.labels import bin_labels, valid_cells
from dpsynth.evaluation.quality import ColumnQuality, Quality, WayQuality
from dpsynth.evaluation.reading import missing_and_outside, repeated_share, span
from dpsynth.models.base import Codes
from dpsynth.schema.columns import Boolean, Categorical, Column, Numeric, SchemaError
from dpsynth.schema.table import Schema

__all__ = ["Quality", "evaluate"]

ONE_WAY_BINS = 20
PAIR_BINS = 12

_BOOTSTRAP_SEED = 20240607
_LARGEST = 1e300

Bounds = Mapping[str, tuple[float, float]]


def evaluate(
    synthetic: Any, real: Any, schema: Schema, *, holdout: Any = None, bounds: Bounds | None = None
) -> Quality:
    """Compares a release with the real records.

    synthetic, real, holdout: tables with the schema's columns, as `Synthesizer.fit` takes them.
    holdout: real records that the release was not made from, as a yardstick. bounds: of the columns
    whose bounds were learned; without them the common range of the real and the synthetic values
    makes the grid. The result is exact and internal: it is not differentially private.
    """
    _check(schema)
    real, synthetic = _open("real", real, schema), _open("synthetic", synthetic, schema)
    held = None if holdout is None else _open("holdout", holdout, schema)
    if held is not None and not len(held):
        raise ValueError("the holdout has no rows: leave it out, or give one with rows")
    grid = {**_spans(schema, real, synthetic), **(bounds or {})}
    domain = schema_domain(schema, grid)
    coded = [encode_frame(real, schema, grid), encode_frame(synthetic, schema, grid)]
    coded.append(_redrawn(coded[0]) if held is None else encode_frame(held, schema, grid))
    ones, more = _Comparison.on_columns(domain, coded), _Comparison.on_pairs(domain, coded)
    ways = {k: (ones if k == 1 else more).distances(cliques) for k, cliques in all_ways(domain.attributes).items()}
    found = {**ways[1], **ways.get(2, {})}
    return Quality(
        rows_real=len(real),
        rows_synthetic=len(synthetic),
        rows_yardstick=len(real if held is None else held),
        yardstick="bootstrap" if held is None else "holdout",
        ways=tuple(_mean(k, list(distances.values())) for k, distances in ways.items()),
        columns=tuple(
            _column(name, column, ones, domain, (real, synthetic), grid.get(name), (bounds or {}).get(name))
            for name, column in schema.coded.items()
        ),
        pairs=_matrix(domain, found, 0),
        pair_floors=_matrix(domain, found, 1),
        repeated_real=repeated_share([values_of(real, name) for name in schema.coded], len(real)),
        repeated_synthetic=repeated_share([values_of(synthetic, name) for name in schema.coded], len(synthetic)),
    )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Three tables on the same bins: the real one, the release, the yardstick. bins: of each cell
    of each column.
    """

    bins: Mapping[str, np.ndarray]
    domain: Domain
    tables: Sequence[Codes]

    @classmethod
    def on_columns(cls, domain: Domain, coded: Sequence[Codes]) -> _Comparison:
        """For columns alone: every category, and ordered columns in up to 20 bins and what is
        missing.
        """
        return cls._of({a: _bins(a, domain, coded[0], ONE_WAY_BINS, nominal=False) for a in domain.attributes}, coded)

    @classmethod
    def on_pairs(cls, domain: Domain, coded: Sequence[Codes]) -> _Comparison:
        """For columns together: up to 12 bins of each."""
        return cls._of({a: _bins(a, domain, coded[0], PAIR_BINS, nominal=True) for a in domain.attributes}, coded)

    @classmethod
    def _of(cls, bins: Mapping[str, np.ndarray], coded: Sequence[Codes]) -> _Comparison:
        tables = [{a: b[table[a]] for a, b in bins.items()} for table in coded]
        return cls(bins, Domain.of({a: int(b.max()) + 1 for a, b in bins.items()}), tables)

    def shares(self, clique: Clique) -> list[np.ndarray]:
        """The frequencies of the three tables."""
        return [frequencies(table, clique, self.domain) for table in self.tables]

    def distances(self, cliques: Sequence[Clique]) -> dict[Clique, tuple[float, float]]:
        """How far from the real table the release is, and the yardstick."""
        found = {}
        for clique in cliques:
            real, synthetic, yardstick = self.shares(clique)
            found[clique] = total_variation(real, synthetic), total_variation(real, yardstick)
        return found


def _check(schema: Schema) -> None:
    schema.refuse_text()
    if not schema.coded:
        raise SchemaError("the schema has no column to compare: all of them are identifiers, so declare another")


def _open(name: str, table: Any, schema: Schema) -> Rows:
    try:
        rows = open_rows(table)
        check_columns(column_names(rows), schema)
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from None
    return rows


def _spans(schema: Schema, *tables: Rows) -> dict[str, tuple[float, float]]:
    """The common range of the values in each column whose bounds the schema leaves open."""
    found = {}
    for name in schema.unbounded:
        spans = [span(values_of(table, name), schema.columns[name]) for table in tables]
        lows, highs = zip(*([s for s in spans if s is not None] or [(0.0, 1.0)]), strict=True)
        found[name] = max(min(lows), -_LARGEST), min(max(highs), _LARGEST)
    return found


def _redrawn(codes: Codes) -> dict[str, np.ndarray]:
    """As many rows, drawn with replacement: what another sample of the same people might look like."""
    rows = len(next(iter(codes.values())))
    drawn = np.random.default_rng(_BOOTSTRAP_SEED).integers(max(rows, 1), size=rows)
    return {a: c[drawn] for a, c in codes.items()}


def _bins(attribute: str, domain: Domain, real: Codes, most: int, *, nominal: bool) -> np.ndarray:
    size, ordered = domain.size(attribute), len(domain.width(attribute) or ())
    if not ordered and not nominal:
        return np.arange(size)
    return choose_bins(np.bincount(real[attribute], minlength=size), ordered, most)


def _column(
    name: str,
    column: Column,
    ones: _Comparison,
    domain: Domain,
    tables: tuple[Rows, Rows],
    grid: tuple[float, float] | None,
    learned: tuple[float, float] | None,
) -> ColumnQuality:
    bins, widths = ones.bins[name], domain.width(name)
    real, synthetic, yardstick = ones.shares((name,))
    (missing_real, _), (missing, outside) = (missing_and_outside(values_of(t, name), column, learned) for t in tables)
    ranges = [span(values_of(t, name), column) if isinstance(column, Numeric) else None for t in tables]
    return ColumnQuality(
        name=name,
        type=type(column).__name__.lower(),
        ordered=widths is not None,
        values=_values(column, bins, widths),
        measured_on=_measured_on(column, bins, widths),
        distance=total_variation(real, synthetic),
        floor=total_variation(real, yardstick),
        missing_real=_share(missing_real),
        missing_synthetic=_share(missing),
        outside_domain=int(outside.sum()),
        range_real=ranges[0],
        range_synthetic=ranges[1],
        labels=bin_labels(column, bins, widths, _low(column, grid)),
        real=tuple(real.tolist()),
        synthetic=tuple(synthetic.tolist()),
    )


def _low(column: Column, grid: tuple[float, float] | None) -> float:
    """Where the grid of a numeric column begins; 0 for other columns, which do not ask."""
    if not isinstance(column, Numeric):
        return 0.0
    return column.low if column.low is not None else grid[0] if grid is not None else 0.0


def _values(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> int:
    """How many bins hold values; the special cell is left out."""
    return int(bins[valid_cells(column, widths) - 1]) + 1


def _measured_on(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> str:
    count = _values(column, bins, widths)
    if count < valid_cells(column, widths):
        return f"{count} bins with about equal numbers of real rows"
    return f"all {count} {'categories' if isinstance(column, Categorical | Boolean) else 'cells of its grid'}"


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else 0.0


def _mean(k: int, found: Sequence[tuple[float, float]]) -> WayQuality:
    distance, floor = np.mean(found, axis=0).tolist()
    return WayQuality(columns=k, sets=len(found), distance=distance, floor=floor)


def _matrix(domain: Domain, found: Mapping[Clique, tuple[float, float]], which: int) -> tuple[tuple[float, ...], ...]:
    """Symmetric; on the diagonal the columns alone."""
    index = {a: i for i, a in enumerate(domain.attributes)}
    matrix = np.zeros((len(index), len(index)))
    for clique, distances in found.items():
        i, j = index[clique[0]], index[clique[-1]]
        matrix[i, j] = matrix[j, i] = distances[which]
    return tuple(tuple(row) for row in matrix.tolist())
