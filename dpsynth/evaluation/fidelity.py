"""Fidelity: how far a release is from real records, and how far another real sample would be.

Numbers alone say little: two samples of the same people differ too. So each distance stands beside
a floor. That is the same distance for a holdout of real records, or, without one, for the real
records drawn anew with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.progress import stage, steps
from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.data.tables.codec import check_columns, encode_frame, schema_domain
from dpsynth.evaluation.association import associations
from dpsynth.evaluation.details import details
from dpsynth.evaluation.discriminator import discriminator
from dpsynth.evaluation.doubts import doubts
from dpsynth.evaluation.downstream import check_target, downstream
from dpsynth.evaluation.labels import bin_labels, valid_cells
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.patterns import patterns
from dpsynth.evaluation.quality import ColumnQuality, Quality, WayQuality
from dpsynth.evaluation.reading import missing_and_outside, repeated_share, span
from dpsynth.evaluation.scores import scores
from dpsynth.evaluation.structure import calendar, missing_together, quantiles
from dpsynth.models.base import Codes
from dpsynth.models.distances import all_ways, choose_bins, frequencies, total_variation
from dpsynth.schema.columns import Boolean, Categorical, Column, Numeric, SchemaError
from dpsynth.schema.table import Schema

__all__ = ["Quality", "evaluate"]

ONE_WAY_BINS = 20
"""Bins of an ordered column by itself: enough to see its shape, and few enough to draw."""
PAIR_BINS = 12
"""Bins of each column in a pair or triple: more would leave most of the cells without a row."""

_WAYS = {1: "single columns", 2: "pairs of columns", 3: "sets of three columns"}

_BOOTSTRAP_SEED = 20240607
"""Any number: it makes the same tables give the same figures."""
_LARGEST = 1e300
"""The largest bound that a schema may state: differences of larger ones may overflow a double."""

Bounds = Mapping[str, tuple[float, float]]


def evaluate(
    synthetic: Any,
    real: Any,
    schema: Schema,
    *,
    holdout: Any = None,
    bounds: Bounds | None = None,
    target: str | None = None,
    groups: Sequence[str] = (),
    told_apart: bool = False,
) -> Quality:
    """Compares a release with the real records, column by column and pair by pair.

    Parameters
    ----------
    synthetic, real : DataFrame, Arrow table or path, as `Synthesizer.fit` takes them
        The release, and real records with the schema's columns.
    schema : Schema
        Of both tables.
    holdout : table or path, optional
        Real records that the release was not made from. The distance between these and `real` is
        the yardstick; without them, `real` is drawn anew with replacement.
    bounds : mapping of str to (float, float), optional
        The lowest and highest value of each column whose bounds were learned, in the column's
        units. Without them, the range of the real and the synthetic values together is used.
    target : str, optional
        A column that models predict from all others. They are trained on the real rows and on the
        release, and tried on the holdout, which they need. Needs the extra `audit`.
    groups : sequence of str, optional
        Columns of at most 20 categories: what those models are worth, and whom they select, in each
        group.
    told_apart : bool, default False
        Train a model to tell the release from the holdout, and say which columns give it away.
        Needs a holdout and the extra `audit`.

    Returns
    -------
    Quality
        Exact, hence internal: it is not differentially private.

    Raises
    ------
    SchemaError
        A table cannot be read, its columns are not the schema's, or the schema has no column to
        compare; never for a value.
    ValueError
        The holdout has no rows; a target or `told_apart` without a holdout, groups without a
        target, or a column that cannot be predicted or is no group.
    ImportError
        Models are to be trained, and scikit-learn is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Categorical, Schema
    >>> schema = Schema({"sex": Categorical(["f", "m"])})
    >>> real = pd.DataFrame({"sex": ["f"] * 50 + ["m"] * 50})
    >>> release = pd.DataFrame({"sex": ["f"] * 80 + ["m"] * 20})
    >>> round(evaluate(release, real, schema).columns[0].distance, 3)
    0.3
    """
    _check(schema)
    _check_prediction(schema, target, groups, holdout)
    if told_apart and holdout is None:
        raise ValueError(
            "a model that tells the release apart needs a holdout, real rows that the release was"
            " not made from: give one"
        )
    stage("reading the tables")
    rows = (_open("real", real, schema), _open("synthetic", synthetic, schema))
    held = None if holdout is None else _open("holdout", holdout, schema)
    if held is not None and not len(held):
        raise ValueError("the holdout has no rows: leave it out, or give one with rows")
    learned = bounds or {}
    grid = {**_spans(schema, *rows), **learned}
    coded = [encode_frame(table, schema, grid) for table in rows]
    numbers = [Numbers.of(table, schema) for table in rows]
    again = _drawn_again(len(rows[0]))
    if held is None:
        coded.append({a: c[again] for a, c in coded[0].items()})
        numbers.append(numbers[0].take(again))
    else:
        coded.append(encode_frame(held, schema, grid))
        numbers.append(Numbers.of(held, schema))
    domain = schema_domain(schema, grid)
    ones = _Comparison.on_columns(domain, coded)
    more = _Comparison.on_pairs(domain, coded)
    ways = _distances(domain, ones, more)
    pairs = {**ways[1], **ways.get(2, {})}
    return Quality(
        rows_real=len(rows[0]),
        rows_synthetic=len(rows[1]),
        rows_yardstick=len(rows[0] if held is None else held),
        yardstick="bootstrap" if held is None else "holdout",
        ways=tuple(_mean(k, list(found.values())) for k, found in ways.items()),
        columns=tuple(
            _column(name, column, ones, domain, rows, numbers, grid.get(name), learned.get(name))
            for name, column in schema.coded.items()
        ),
        pairs=_matrix(domain, pairs, 0),
        pair_floors=_matrix(domain, pairs, 1),
        details=details(numbers, schema),
        repeated_real=_repeated(rows[0], schema),
        repeated_synthetic=_repeated(rows[1], schema),
        patterns=patterns(numbers[0], numbers[1], schema),
        associations=associations(numbers, more.tables, more.domain, schema),
        quantiles=quantiles(numbers, schema),
        calendar=calendar(numbers, schema),
        missing_together=missing_together(numbers, schema),
        scores=scores(numbers[0], numbers[1], schema),
        doubts=doubts(numbers[0], numbers[1], None if held is None else numbers[2]),
        discriminator=discriminator(numbers, schema) if told_apart else None,
        downstream=None if target is None else downstream(numbers, schema, target, groups),
    )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Three tables on the same bins: the real one, the release, the yardstick.

    bins: for each column the bin of each of its cells.
    """

    bins: Mapping[str, np.ndarray]
    domain: Domain
    tables: Sequence[Codes]

    @classmethod
    def on_columns(cls, domain: Domain, coded: Sequence[Codes]) -> _Comparison:
        """For columns alone: every category, and ordered columns in up to 20 bins."""
        real = coded[0]
        bins = {}
        for a in domain.attributes:
            bins[a] = _bins(a, domain, real, ONE_WAY_BINS, nominal=False)
        return cls._of(bins, coded)

    @classmethod
    def on_pairs(cls, domain: Domain, coded: Sequence[Codes]) -> _Comparison:
        """For columns together: up to 12 bins of each."""
        real = coded[0]
        bins = {a: _bins(a, domain, real, PAIR_BINS, nominal=True) for a in domain.attributes}
        return cls._of(bins, coded)

    @classmethod
    def _of(cls, bins: Mapping[str, np.ndarray], coded: Sequence[Codes]) -> _Comparison:
        tables = [{a: b[table[a]] for a, b in bins.items()} for table in coded]
        sizes = {a: int(b.max()) + 1 for a, b in bins.items()}
        return cls(bins, Domain.of(sizes), tables)

    def shares(self, clique: Clique) -> list[np.ndarray]:
        """The frequencies of the three tables."""
        return [frequencies(table, clique, self.domain) for table in self.tables]

    def distances(self, what: str, cliques: Sequence[Clique]) -> dict[Clique, tuple[float, float]]:
        """How far from the real table the release is, and the yardstick."""
        found = {}
        for clique in steps(what, cliques):
            real, synthetic, yardstick = self.shares(clique)
            found[clique] = total_variation(real, synthetic), total_variation(real, yardstick)
        return found


def _distances(
    domain: Domain, ones: _Comparison, more: _Comparison
) -> dict[int, dict[Clique, tuple[float, float]]]:
    """The distances of single columns, pairs and triples, by how many columns are compared."""
    found = {}
    for k, cliques in all_ways(domain.attributes).items():
        comparison = ones if k == 1 else more
        found[k] = comparison.distances(f"comparing {_WAYS[k]}", cliques)
    return found


def _repeated(rows: Rows, schema: Schema) -> float:
    return repeated_share([values_of(rows, name) for name in schema.coded], len(rows))


def _check_prediction(
    schema: Schema, target: str | None, groups: Sequence[str], holdout: Any
) -> None:
    if target is None:
        if groups:
            raise ValueError("groups need a target, which models predict in each: name one")
        return
    if holdout is None:
        raise ValueError(
            f"a target, {target!r}, needs a holdout, on which models are tried: give real rows that"
            " the release was not made from"
        )
    check_target(schema, target, groups)


def _check(schema: Schema) -> None:
    schema.refuse_text()
    if not schema.coded:
        raise SchemaError(
            "the schema has no column to compare, only identifiers: declare at least one other"
            " column"
        )


def _open(name: str, table: Any, schema: Schema) -> Rows:
    try:
        rows = open_rows(table, schema)
        check_columns(column_names(rows), schema)
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from None
    return rows


def _spans(schema: Schema, *tables: Rows) -> dict[str, tuple[float, float]]:
    """The common range of the values in each column whose bounds the schema leaves open."""
    found = {}
    for name in schema.unbounded:
        column = schema.columns[name]
        spans = [span(values_of(table, name), column) for table in tables]
        # A column without a single number has no range: 0 to 1 stands for it.
        lows, highs = zip(*([s for s in spans if s is not None] or [(0.0, 1.0)]), strict=True)
        found[name] = max(min(lows), -_LARGEST), min(max(highs), _LARGEST)
    return found


def _drawn_again(rows: int) -> np.ndarray:
    """Numbers of as many rows, drawn with replacement, as another sample of the same people might
    be.
    """
    return np.random.default_rng(_BOOTSTRAP_SEED).integers(max(rows, 1), size=rows)


def _bins(attribute: str, domain: Domain, real: Codes, most: int, *, nominal: bool) -> np.ndarray:
    size = domain.size(attribute)
    ordered = len(domain.width(attribute) or ())
    if not ordered and not nominal:
        return np.arange(size)
    return choose_bins(np.bincount(real[attribute], minlength=size), ordered, most)


def _column(
    name: str,
    column: Column,
    ones: _Comparison,
    domain: Domain,
    tables: tuple[Rows, Rows],
    numbers: Sequence[Numbers],
    grid: tuple[float, float] | None,
    learned: tuple[float, float] | None,
) -> ColumnQuality:
    bins = ones.bins[name]
    widths = domain.width(name)
    real, synthetic, yardstick = ones.shares((name,))
    values = [values_of(table, name) for table in tables]
    missing_real, _ = missing_and_outside(values[0], column, learned)
    missing_synthetic, outside = missing_and_outside(values[1], column, learned)
    ranges = (
        [_range(table.present(name)) for table in numbers] if isinstance(column, Numeric) else []
    )
    return ColumnQuality(
        name=name,
        type=type(column).__name__.lower(),
        ordered=widths is not None,
        values=_values(column, bins, widths),
        measured_on=_measured_on(column, bins, widths),
        distance=total_variation(real, synthetic),
        floor=total_variation(real, yardstick),
        missing_real=_share(missing_real),
        missing_synthetic=_share(missing_synthetic),
        outside_domain=int(outside.sum()),
        range_real=ranges[0] if ranges else None,
        range_synthetic=ranges[1] if ranges else None,
        labels=bin_labels(column, bins, widths, _low(column, grid)),
        real=tuple(real.tolist()),
        synthetic=tuple(synthetic.tolist()),
    )


def _range(numbers: np.ndarray) -> tuple[float, float] | None:
    return (float(numbers.min()), float(numbers.max())) if numbers.size else None


def _low(column: Column, grid: tuple[float, float] | None) -> float:
    """Where the grid of a numeric column begins; 0 for other columns, which do not use it."""
    if not isinstance(column, Numeric):
        return 0.0
    if column.low is not None:
        return column.low
    return 0.0 if grid is None else grid[0]


def _values(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> int:
    """How many bins hold values; the special cell is left out."""
    return int(bins[valid_cells(column, widths) - 1]) + 1


def _measured_on(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> str:
    count = _values(column, bins, widths)
    if count < valid_cells(column, widths):
        return f"{count} bins with about equal numbers of real rows"
    cells = "categories" if isinstance(column, Categorical | Boolean) else "cells of its grid"
    return f"all {count} {cells}"


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else 0.0


def _mean(k: int, found: Sequence[tuple[float, float]]) -> WayQuality:
    distance, floor = np.mean(found, axis=0).tolist()
    return WayQuality(columns=k, sets=len(found), distance=distance, floor=floor)


def _matrix(
    domain: Domain, found: Mapping[Clique, tuple[float, float]], which: int
) -> tuple[tuple[float | None, ...], ...]:
    """Symmetric; on the diagonal the columns alone. None of pairs that are not compared."""
    index = {a: i for i, a in enumerate(domain.attributes)}
    matrix: list[list[float | None]] = [[None] * len(index) for _ in index]
    for clique, distances in found.items():
        i, j = index[clique[0]], index[clique[-1]]
        matrix[i][j] = matrix[j][i] = distances[which]
    return tuple(map(tuple, matrix))
