"""The releasable quality report: how far a release is from the real rows, by charges.

Each part of the report is one charge of an even share. A distance is charged for as it is, one
number for a set of columns (`mechanisms.distance_look`); correlations and shares of missing values
follow from noisy counts. Nothing else of the rows is in it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.places import expanded
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.engines.files import open_source, unreadable
from dpsynth.data.tables.codec import check_columns, codecs, encode_frame, schema_domain
from dpsynth.data.tables.records import record_codings
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget, affordable, spent
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.ledger import Ledger
from dpsynth.models.base import Codes
from dpsynth.synthesizers.answering import check_level
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.model_answers import ROWS
from dpsynth.synthesizers.paid_look import PaidLook, close, opened
from dpsynth.synthesizers.preflight import check_budget
from dpsynth.synthesizers.quality_looks import Looking, distances_by_group
from dpsynth.synthesizers.quality_questions import SHARES, Questions
from dpsynth.synthesizers.releasable_quality import ReleasableQuality
from dpsynth.synthesizers.table import Synthesizer

NAME = "evaluate"
"""What the ledger and its policy call this mechanism."""

SHARE = 0.05
"""Of the cost of the fit: what a report spends that is not told what to spend."""


def evaluate_releasable(
    release: Synthesizer | str | Path,
    real: Any,
    *,
    ledger: Ledger | str | Path | None,
    epsilon: float | None = None,
    delta: float | None = None,
    rows: Any = None,
    groups: Sequence[str] = (),
    numbers: Sequence[str] | None = None,
    level: float = 0.9,
    purpose: str = "",
    approvals: Mapping[str, str] | None = None,
    unsafe_seed: int | None = None,
) -> ReleasableQuality:
    """Compares a release with the real rows by charges, so that the report may be published.

    What it asks is fixed by public facts before a row is read: the distances of all columns, of
    pairs and of triples that follow from the columns' names, the row count, shares of missing
    values, rank correlations of columns of numbers, and distances in each group.

    Parameters
    ----------
    release : Synthesizer, str or Path
        The fitted synthesizer, or its file.
    real : DataFrame, Arrow table, str or Path
        The private rows, or a file of them.
    ledger : Ledger, str, Path or None
        The account of the data, which exists already. None: nothing records the spending.
    epsilon, delta : float or None
        What it spends. Without an epsilon, a twentieth of what the fit cost, as Gaussian costs are
        added (docs/accounting.md); without a delta, that of the fit.
    rows : DataFrame, Arrow table, str, Path or None
        The synthetic rows; None for 50,000 drawn from the model. They must have been drawn from
        it: the report has exact figures of them beside those of the real rows.
    groups : sequence of str
        Columns of at most 20 categories: the distance in each group.
    numbers : sequence of str or None
        Columns of numbers whose rank correlations are compared; None for the first six.
    level : float
        How often an interval holds the exact number, from 0.5 to below 1.
    purpose : str
        What it is for. The ledger records it, and its policy may ask for it.
    approvals : mapping of str to str or None
        Who approved it, with a reference. Recorded likewise.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only.

    Returns
    -------
    ReleasableQuality
        Each number with an interval; `save` writes JSON and a page.

    Raises
    ------
    SchemaError, ValueError, PolicyRefusedError, BudgetExceededError
        Before any row is read; never because of a value in a row.
    RowsError
        When the rows cannot be read. What was reserved is spent.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(0, 99, integer=True), "smoker": Boolean()})
    >>> patients = pd.DataFrame({"age": [34, 61, 47, 82] * 1000, "smoker": [True, False] * 2000})
    >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(patients)
    >>> report = evaluate_releasable(synth, patients, epsilon=0.5, ledger=None)
    >>> report.verdict["ways"][1], report.ways[0].high < 0.1
    ('good', True)
    """
    made = release if isinstance(release, Synthesizer) else Synthesizer.load(release)
    _refuse_real_rows(rows, real)
    asked = questions_of(made, rows, groups, numbers)
    check_level(level)
    budget = budget_of(made, epsilon, delta)
    check_budget(budget, sum(SHARES.values()))
    schema = made.schema
    source = opened(real, schema, schema.unit)
    recoding = recoding_of(made.origin.schema)
    source = source.changed(recoding.encoded, recoding.needed)
    free = made.free_report
    paid = PaidLook(NAME, schema, schema.unit, budget, ledger, purpose, approvals, unsafe_seed)
    with paid.rows(source, record_codings(recoding_of(schema).modelled)) as (accountant, real_rows):
        table = PrivateTable.encoded(real_rows, asked.codecs, asked.domain)
        z = NormalDist().inv_cdf((1 + level) / 2)
        looked = Looking(asked, table, accountant, asked.costs(accountant.cost_left), z).figures()
        model = made.certificate.model
        report = ReleasableQuality(budget, level, **looked, model=model, measured=free)
        close(accountant, report.record)
    return report


def _refuse_real_rows(rows: Any, real: Any) -> None:
    """ValueError where the synthetic rows are the real ones, whose exact figures it would show."""
    named = isinstance(rows, str | Path) and isinstance(real, str | Path)
    if rows is real or (named and (str(rows) == str(real) or _place(rows) == _place(real))):
        raise ValueError(
            "the synthetic rows are the real ones, of which the report would have exact figures:"
            " give rows that were drawn from the release, or none"
        )


def _place(named: str | Path) -> Path:
    return expanded(named).resolve()


def plan_releasable(
    release: Synthesizer | str | Path,
    *,
    epsilon: float | None = None,
    delta: float | None = None,
    rows: Any = None,
    groups: Sequence[str] = (),
    numbers: Sequence[str] | None = None,
    level: float = 0.9,
) -> pd.DataFrame:
    """What `evaluate_releasable` would charge for, and how exact it would be; nothing is spent.

    Parameters
    ----------
    release, epsilon, delta, rows, groups, numbers, level
        As there.

    Returns
    -------
    DataFrame
        For each part its number of answers, the standard deviation of the noise of each in rows,
        and how far an interval reaches to both sides by it, as a share of the release's rows: of
        one answer, and of the mean of all.
    """
    made = release if isinstance(release, Synthesizer) else Synthesizer.load(release)
    asked = questions_of(made, rows, groups, numbers)
    check_level(level)
    costs = asked.costs(affordable(budget_of(made, epsilon, delta)))
    z, lines = NormalDist().inv_cdf((1 + level) / 2), []
    for part, sensitivity in asked.sensitivities(made.schema.unit).items():
        paid = costs[part]
        if part == "groups":
            paid = distances_by_group(paid // len(asked.grouped_by))
        stddev = Gaussian.spending(paid).noise_multiplier * sensitivity
        reach = z * stddev / max(float(made.origin.model.total), 1.0)
        number = asked.answers[part]
        facts = {"part": part, "answers": number, "stddev": stddev, "reach": reach}
        lines.append({**facts, "reach_of_mean": reach / math.sqrt(number)})
    return pd.DataFrame(lines).set_index("part")


def budget_of(made: Synthesizer, epsilon: float | None, delta: float | None) -> Budget:
    """What a report spends; by default `SHARE` of the fit's cost."""
    fit = made.certificate.record["budget"]
    of_fit = Budget(fit["epsilon"], fit["delta"] if delta is None else delta)
    if epsilon is not None:
        return Budget(epsilon, of_fit.delta)
    part = Cost(math.floor(affordable(of_fit) * SHARE))
    return Budget(spent(part, of_fit).epsilon, of_fit.delta)


def questions_of(
    made: Synthesizer, rows: Any, groups: Sequence[str], numbers: Sequence[str] | None
) -> Questions:
    """What is asked of a release; SchemaError for columns of which it cannot be asked."""
    origin = made.origin
    modelled = recoding_of(origin.schema).modelled
    codes = _coded(made, rows)
    cells = codecs(modelled, origin.bounds)
    domain = schema_domain(modelled, origin.bounds)
    asked = Questions(modelled, cells, domain, codes, tuple(groups), numbers)
    if not asked.rows:
        raise ValueError("the synthetic rows are none: give a table with rows")
    asked.check()
    return asked


def _coded(made: Synthesizer, rows: Any) -> Codes:
    """The cells of the release's rows."""
    origin = made.origin
    recoding = recoding_of(origin.schema)
    if rows is None:
        rng = np.random.default_rng(0)
        rows = Asked().rows(origin, made.certificate.record, ROWS, rng)
    source = open_source(rows, origin.schema)
    check_columns(source.names, origin.schema)
    read = source.changed(recoding.encoded, recoding.needed).reader()
    names = [*recoding.modelled.coded]
    parts = None
    with contextlib.suppress(Exception):
        parts = [encode_frame(part, recoding.modelled, origin.bounds) for part in read(names)]
    if parts is None:
        raise unreadable(rows)
    return {a: np.concatenate([part[a] for part in parts]) for a in names}
