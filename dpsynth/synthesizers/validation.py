"""Validation: an analysis that was made on a release, run on the real rows by a charge.

The question is fixed beforehand, and public. One charge counts the real rows in the cells that the
question tells apart, with noise; all else follows from these counts. So nothing in the result
depends on the rows but by that charge, which names the question in the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.numbers import positive
from dpsynth.base.text import exact, short
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import Codec, codecs, schema_domain
from dpsynth.data.tables.records import record_codings
from dpsynth.door.bounded import Bounded
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.models.base import ConditionError, RoughMeasurement
from dpsynth.models.span import MAX_CELLS, Span
from dpsynth.synthesizers.answering import check_level, rows_of_model
from dpsynth.synthesizers.answers import Estimate, Interval
from dpsynth.synthesizers.asked_cells import AskedCells, NotMeasuredError
from dpsynth.synthesizers.measured_answers import MeasuredAnswers
from dpsynth.synthesizers.model_answers import RowAnswers
from dpsynth.synthesizers.paid_look import PaidLook, close, opened
from dpsynth.synthesizers.preflight import check_budget
from dpsynth.synthesizers.questions import EXAMPLE, Question
from dpsynth.synthesizers.table import Synthesizer

NAME = "validate"
"""What the ledger and its policy call this mechanism."""

Verdict = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True)
class Compared:
    """One number of an analysis, on the release and on the real rows.

    Parameters
    ----------
    question : str
        As it was asked.
    release : float
        What the release says.
    real : float
        What the charged look at the real rows says, with noise.
    difference : tuple of float
        Where the exact answer on the real rows, less that of the release, lies.
    verdict : {"agrees", "disagrees", "undecided"}
        Whether all of that lies within the tolerance, none of it, or a part.
    group : mapping of str to object
        The values that it is for, by column; of a coefficient its term.

    Examples
    --------
    >>> Compared("mean(age)", 46.0, 46.3, (-0.2, 0.8), "agrees").verdict
    'agrees'
    """

    question: str
    release: float
    real: float
    difference: Interval
    verdict: Verdict
    group: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """Whether a release's answers agree with the real rows; it was paid for, and may be published.

    Parameters
    ----------
    budget : Budget
        What the look spent.
    within : float
        The tolerance, in the unit of the answers.
    level : float
        How often an interval holds the truth.
    parts : tuple of Compared
        One for each number of each question.

    Examples
    --------
    >>> found = Compared("mean(age)", 46.0, 46.3, (-0.2, 0.8), "agrees")
    >>> Validation(Budget(0.1, 1e-6), 1.0, 0.9, (found,)).verdict
    'agrees'
    """

    budget: Budget
    within: float
    level: float
    parts: tuple[Compared, ...]

    @property
    def verdict(self) -> Verdict:
        """ "disagrees" where one number does, "agrees" where all do, else "undecided"."""
        found = {each.verdict for each in self.parts}
        if "disagrees" in found:
            return "disagrees"
        return "agrees" if found == {"agrees"} else "undecided"

    def to_frame(self) -> pd.DataFrame:
        """A row for each number."""
        return pd.DataFrame(
            [
                {
                    "question": each.question,
                    **each.group,
                    "release": each.release,
                    "real": each.real,
                    "difference_low": each.difference[0],
                    "difference_high": each.difference[1],
                    "verdict": each.verdict,
                }
                for each in self.parts
            ]
        )

    def record(self) -> dict[str, Any]:
        """The validation as JSON can hold it; null for what is not known."""
        parts = [
            {
                "question": each.question,
                "group": {name: str(value) for name, value in each.group.items()},
                "release": _finite(each.release),
                "real": _finite(each.real),
                "difference": [*map(_finite, each.difference)],
                "verdict": each.verdict,
            }
            for each in self.parts
        ]
        facts = {"within": self.within, "level": self.level, "verdict": self.verdict}
        return {**self.budget.claim, **facts, "answers": parts}

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.verdict} within {short(self.within)} ({exact(100 * self.level)}% intervals)"
        ]
        return "\n".join([*lines, *map(_line, self.parts)])


def validate(
    analysis: str | Sequence[str],
    release: Synthesizer | str | Path,
    real: Any,
    *,
    within: float,
    epsilon: float,
    delta: float,
    ledger: Ledger | str | Path | None,
    level: float = 0.9,
    purpose: str = "",
    approvals: Mapping[str, str] | None = None,
    unsafe_seed: int | None = None,
) -> Validation:
    """Runs an analysis of a release on the real rows, by a charge, and says whether both agree.

    Each question has its own charge, and an even part of the budget. The charge counts rows in the
    cells that the question tells apart, with the bounds and cells of the release.

    Parameters
    ----------
    analysis : str or sequence of str
        Questions as `Synthesizer.answer` takes them, fixed before the real rows are looked at.
    release : Synthesizer, str or Path
        The fitted synthesizer, or its file. Its answers are those of rows drawn from it.
    real : DataFrame, Arrow table, str or Path
        The private rows, or a file of them.
    within : float
        How far the answers may be apart, above 0, in their own unit.
    epsilon, delta : float
        What it spends.
    ledger : Ledger, str, Path or None
        The account of the data, which exists already. None: nothing records the spending.
    level : float
        How often an interval holds the truth, from 0.5 to below 1.
    purpose : str
        What it is for. The ledger records it, and its policy may ask for it.
    approvals : mapping of str to str or None
        Who approved it, with a reference. Recorded likewise.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only.

    Returns
    -------
    Validation
        A verdict for each number, with an interval of the difference.

    Raises
    ------
    ConditionError, NotMeasuredError, SchemaError, PolicyRefusedError, BudgetExceededError
        Before any row is read; never because of a value in a row.
    RowsError
        When the rows cannot be read. What was reserved is spent.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(0, 99, integer=True), "smoker": Boolean()})
    >>> rows = pd.DataFrame({"age": [34, 61, 47, 82] * 1000, "smoker": [True, False] * 2000})
    >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(rows)
    >>> asked = {"within": 0.05, "epsilon": 0.5, "delta": 1e-6, "ledger": None}
    >>> validate("share(age >= 65)", synth, rows, **asked).verdict
    'agrees'
    """
    made = release if isinstance(release, Synthesizer) else Synthesizer.load(release)
    origin, schema = made.origin, made.schema
    looks = _looks(analysis, AskedCells(origin.schema, origin.bounds))
    tolerance = positive("within, in the unit of the answers,", within)
    check_level(level)
    budget = Budget(epsilon, delta)
    check_budget(budget, len(looks))
    source = opened(real, schema, schema.unit)
    recoding = recoding_of(origin.schema)
    source = source.changed(recoding.encoded, recoding.needed)
    said = _said(rows_of_model(origin, made.certificate.record), looks)
    paid = PaidLook(NAME, schema, schema.unit, budget, ledger, purpose, approvals, unsafe_seed)
    with paid.rows(source, record_codings(recoding_of(schema).modelled)) as (accountant, rows):
        domain = schema_domain(recoding.modelled, origin.bounds)
        table = _table(rows, looks, codecs(recoding.modelled, origin.bounds), domain)
        parts: list[Compared] = []
        cost = accountant.cost_left // len(looks)
        for look, of_release in zip(looks, said, strict=True):
            span = Span(domain, [look.counted(table, accountant, cost)])
            found = MeasuredAnswers(span, look.cells, schema.unit, level).estimates(look.asked)
            pairs = zip(found, of_release, strict=True)
            parts += [_compared(look.asked, each, other, tolerance) for each, other in pairs]
        validation = Validation(budget, tolerance, level, tuple(parts))
        close(accountant, validation.record())
    return validation


@dataclass(frozen=True, eq=False)
class _Look:
    """A question, and the groups of cells that it tells apart."""

    asked: Question
    cells: AskedCells
    clique: Clique
    groups: tuple[np.ndarray, ...]

    def counted(self, table: PrivateTable, accountant: Accountant, cost: int) -> RoughMeasurement:
        """The rows in these groups, by one charge that names the question."""
        coarse = table.coarsen(dict(zip(self.clique, self.groups, strict=True)))
        answer = coarse.marginals([self.clique])[self.clique]
        charge = accountant.charge(Gaussian.spending(cost), f"validate {self.asked.text}")
        values, stddev = charge.gaussian(answer)
        return RoughMeasurement(self.clique, self.groups, values, float(np.max(stddev)))


def _looks(analysis: str | Sequence[str], cells: AskedCells) -> list[_Look]:
    """The questions, each with its cells; ConditionError for one that cannot be counted."""
    texts = [analysis] if isinstance(analysis, str) else analysis
    if not isinstance(texts, list | tuple) or not texts:
        got = "none" if isinstance(texts, list | tuple) else type(texts).__name__
        raise ConditionError(
            f"an analysis is a question, or a list of one or more, got {got}: {EXAMPLE}"
        )
    return [_look(Question.read(text), cells) for text in texts]


def _look(asked: Question, cells: AskedCells) -> _Look:
    try:
        told = cells.told_apart(asked)
    except NotMeasuredError:
        raise NotMeasuredError(repr(asked.text)) from None
    groups = {
        name: np.unique(np.column_stack(vectors), axis=0, return_inverse=True)[1].ravel()
        for name, vectors in told.items()
    }
    size = math.prod(int(group.max()) + 1 for group in groups.values())
    if size > MAX_CELLS:
        raise ConditionError(
            f"{asked.text!r} tells {size:,} combinations of values apart, and {MAX_CELLS:,} is the"
            " most: ask about fewer columns"
        )
    clique = tuple(n for n in recoding_of(cells.schema).modelled.coded if n in groups)
    return _Look(asked, cells, clique, tuple(groups[name] for name in clique))


def _said(drawn: RowAnswers, looks: Sequence[_Look]) -> list[list[Estimate]]:
    """What the release says; ConditionError where that is nothing to compare with."""
    found = []
    for look in looks:
        found.append(drawn.estimates(look.asked))
        if all(math.isnan(each.value) for each in found[-1]):
            raise ConditionError(
                f"the release has no rows that answer {look.asked.text!r}, and nothing to compare"
                " with: ask about more rows"
            )
    return found


def _table(
    rows: Bounded, looks: Sequence[_Look], everything: Mapping[str, Codec], domain: Domain
) -> PrivateTable:
    """The columns of all questions, read once."""
    asked = domain.ordered({name for look in looks for name in look.clique})
    own = {name: everything[name] for name in asked}
    return PrivateTable.encoded(rows, own, domain.project(asked))


def _compared(asked: Question, real: Estimate, said: Estimate, within: float) -> Compared:
    low, high = real.privacy_interval or (-math.inf, math.inf)
    apart = (low - said.value, high - said.value)
    verdict: Verdict = "undecided"
    if -within <= apart[0] and apart[1] <= within:
        verdict = "agrees"
    elif apart[0] > within or apart[1] < -within:
        verdict = "disagrees"
    return Compared(asked.text, said.value, real.value, apart, verdict, real.group)


def _line(each: Compared) -> str:
    group = "".join(f", {name} {value}" for name, value in each.group.items())
    low, high = each.difference
    if math.isnan(each.release):
        compared = "the release has no rows that answer it"
    elif math.isinf(low) and math.isinf(high):
        compared = f"the release says {short(each.release, 5)}, and noise hides the real answer"
    else:
        compared = (
            f"the release says {short(each.release, 5)}, and the real answer is"
            f" {_apart(low)} to {_apart(high)}"
        )
    return f"{each.question}{group}: {each.verdict}; {compared}"


def _apart(difference: float) -> str:
    return f"{short(abs(difference), 4)} {'less' if difference < 0 else 'more'}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
