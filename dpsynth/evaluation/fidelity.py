"""Fidelity: how far a release is from real records, and how far another real sample would be.

Numbers alone say little: two samples of the same people differ too. So each distance stands beside
a floor. That is the same distance for a holdout of real records, or, without one, for the real
records drawn anew with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.progress import stage
from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.data.tables.codec import check_columns, encode_frame, schema_domain
from dpsynth.evaluation.analyses import analyses as made
from dpsynth.evaluation.asked import Analysis, analyses_of, check_analyses, read_analyses
from dpsynth.evaluation.association import associations
from dpsynth.evaluation.blind_spots import blind_spots
from dpsynth.evaluation.column import column_quality
from dpsynth.evaluation.comparison import Comparison, distances, matrix
from dpsynth.evaluation.details import details
from dpsynth.evaluation.discriminator import discriminator
from dpsynth.evaluation.doubts import doubts
from dpsynth.evaluation.downstream import check_groups, check_target, downstream
from dpsynth.evaluation.group_distances import group_distances
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.patterns import patterns
from dpsynth.evaluation.quality import Quality, WayQuality
from dpsynth.evaluation.reading import repeated_share, span
from dpsynth.evaluation.scores import scores
from dpsynth.evaluation.structure import calendar, missing_together, quantiles
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema

__all__ = ["Quality", "evaluate"]

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
    event: str | None = None,
    groups: Sequence[str] = (),
    analyses: Any = (),
    told_apart: bool = False,
    measured: Mapping[str, Any] | None = None,
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
    event : str, optional
        Where the target is a time, a column of two values: the second is the event that ends it,
        the first a row that was censored then.
    groups : sequence of str, optional
        Columns of at most 20 categories: how far the release is in each group, and with a target
        what the models are worth, and whom they select.
    analyses : path, or sequence of mapping, optional
        Regressions, means, tables and curves that are made on both tables: a YAML file with a list
        `analyses`, or such a list.
    told_apart : bool, default False
        Train a model to tell the release from the holdout, and say which columns give it away.
        Needs a holdout and the extra `audit`.
    measured : mapping, optional
        `Synthesizer.measured_report().record()` of the release's model, which the page then shows
        beside the rest.

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
        The holdout has no rows; a target or `told_apart` without a holdout, an event without a
        target, a column that cannot be predicted or is no group, or an analysis that cannot be
        made with the schema's columns.
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
    _check_prediction(schema, target, event, groups, holdout)
    asked = _asked(analyses, schema)
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
    ones = Comparison.on_columns(domain, coded)
    more = Comparison.on_pairs(domain, coded)
    ways = distances(domain, ones, more)
    pairs = {**ways[1], **ways.get(2, {})}
    return Quality(
        rows_real=len(rows[0]),
        rows_synthetic=len(rows[1]),
        rows_yardstick=len(rows[0] if held is None else held),
        yardstick="bootstrap" if held is None else "holdout",
        ways=tuple(_mean(k, list(found.values())) for k, found in ways.items()),
        columns=tuple(
            column_quality(
                name, column, ones, domain, rows, numbers, grid.get(name), learned.get(name)
            )
            for name, column in schema.coded.items()
        ),
        pairs=matrix(domain, pairs, 0),
        pair_floors=matrix(domain, pairs, 1),
        details=details(numbers, schema),
        repeated_real=_repeated(rows[0], schema),
        repeated_synthetic=_repeated(rows[1], schema),
        patterns=patterns(numbers[0], numbers[1], schema),
        associations=associations(numbers, more.tables, more.domain, schema),
        quantiles=quantiles(numbers, schema),
        calendar=calendar(numbers, schema),
        missing_together=missing_together(numbers, schema),
        scores=scores(numbers[0], numbers[1], schema),
        blind_spots=blind_spots(numbers[0], numbers[1], schema),
        groups=group_distances(groups, numbers, schema, ones, more),
        doubts=doubts(numbers[0], numbers[1], None if held is None else numbers[2]),
        discriminator=discriminator(numbers, schema) if told_apart else None,
        downstream=(None if target is None else downstream(numbers, schema, target, groups, event)),
        analyses=made(numbers, schema, asked),
        measured=measured,
    )


def _repeated(rows: Rows, schema: Schema) -> float:
    return repeated_share([values_of(rows, name) for name in schema.coded], len(rows))


def _check_prediction(
    schema: Schema, target: str | None, event: str | None, groups: Sequence[str], holdout: Any
) -> None:
    check_groups(schema, groups)
    if target is None:
        if event is not None:
            raise ValueError(f"an event, {event!r}, needs a target, the time until it: name one")
        return
    if holdout is None:
        raise ValueError(
            f"a target, {target!r}, needs a holdout, on which models are tried: give real rows that"
            " the release was not made from"
        )
    check_target(schema, target, groups, event)


def _asked(analyses: Any, schema: Schema) -> tuple[Analysis, ...]:
    """The analyses that a caller gave, as a file or a list; none for an empty one."""
    if isinstance(analyses, str | Path):
        asked = read_analyses(analyses)
    else:
        asked = analyses_of(analyses) if len(analyses) else ()
    check_analyses(asked, schema)
    return asked


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


def _mean(k: int, found: Sequence[tuple[float, float]]) -> WayQuality:
    distance, floor = np.mean(found, axis=0).tolist()
    return WayQuality(columns=k, sets=len(found), distance=distance, floor=floor)
