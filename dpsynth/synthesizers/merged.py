"""Merged: a synthesizer that is made of several fitted ones. It reads no row and spends nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from dpsynth.base.domain import Domain
from dpsynth.base.places import expanded
from dpsynth.base.progress import stage
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import codecs, schema_domain
from dpsynth.evidence.certificate import Certificate
from dpsynth.models.merging import Merging, Part
from dpsynth.models.refined import RefinedModel
from dpsynth.synthesizers.answers import Answer
from dpsynth.synthesizers.base import NoLedger
from dpsynth.synthesizers.conflicts import comparisons
from dpsynth.synthesizers.fitted import Fitted
from dpsynth.synthesizers.fitted_table import FittedTable
from dpsynth.synthesizers.merge_record import MergeCertificate, record_of
from dpsynth.synthesizers.merged_schema import merged_bounds, merged_schema
from dpsynth.synthesizers.model_file import (
    MERGED,
    VERSION,
    ModelFileError,
    digest_of,
    is_merge,
    refuse_forged,
)
from dpsynth.synthesizers.table import Synthesizer

COUNTS = "add", "average"


class Merged(FittedTable):
    """A synthesizer made by `merge`: it draws and answers as a fitted `Synthesizer` does.

    It has no `fit`, as nothing is read or spent. Its `certificate` quotes those of its sources.

    Parameters
    ----------
    sources : sequence of Synthesizer
        As in `merge`, and so the others.
    counts : {"add", "average"}
        What counts of several sources become.
    disjoint : bool
        Whether nobody is in more than one source.
    false_discovery_rate : float
        Of the conflicts that are named, the part that is expected to be there by chance.

    Examples
    --------
    >>> import pandas as pd
    >>> import dpsynth
    >>> schema = dpsynth.Schema({"ward": dpsynth.Categorical(["a", "b"])})
    >>> rows = pd.DataFrame({"ward": ["a", "a", "b"] * 500})
    >>> north = dpsynth.Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(rows)
    >>> south = dpsynth.Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(rows)
    >>> both = dpsynth.merge([north, south], counts="add", disjoint=True)
    >>> len(both.sample(10)), both.certificate.record["claim"]["epsilon"]
    (10, 1.0)
    """

    KIND = MERGED
    FIT = "dpsynth.merge([...], counts=...)"

    def __init__(
        self,
        sources: Sequence[Synthesizer],
        counts: Literal["add", "average"],
        disjoint: bool = False,
        false_discovery_rate: float = 0.001,
    ) -> None:
        _check(sources, counts, disjoint, false_discovery_rate)
        self.sources = sources
        self.counts = counts
        self.disjoint = disjoint
        self.false_discovery_rate = false_discovery_rate
        self.mechanism = "merge"
        self.ledger = NoLedger.LOADED
        self.settings = {}
        fits = [source.fitted_ for source in sources]
        self.schema = merged_schema([each.schema.settled(each.fitted_.found) for each in sources])
        self.fitted_ = self._merged(fits)
        claim = self.certificate.record["claim"]
        self.epsilon, self.delta = claim["epsilon"], claim["delta"]

    @property
    def conflicts(self) -> pd.DataFrame:
        """All comparisons of two sources, those first that chance explains least.

        Returns
        -------
        DataFrame
            `columns` and the numbers of the two `sources`; whether they are in `conflict`; the
            `chi_square` of the difference of their shares, its `degrees` of freedom, and the
            `chance` of one as large where both describe one population; and in `most` the cells
            that are farthest apart, in words, with both shares and the difference in standard
            errors.
        """
        found = self.certificate.record["comparisons"]
        names = ["columns", "sources", "conflict", "chi_square", "degrees", "chance", "most"]
        rows = [{**each, "columns": " x ".join(each["columns"])} for each in found]
        return pd.DataFrame(rows, columns=names)

    def answer(self, question: str, *, level: float = 0.9) -> Answer:
        """Answers a question by what the sources have paid for, as `Synthesizer.answer` does.

        Where counts add, noise and draw of all sources add, too. Of averaged counts each source's
        are taken as counts of one population, in the merged number of rows, weighted by their
        noise: intervals know nothing of a conflict.

        Parameters
        ----------
        question : str
            As for `Synthesizer.answer`.
        level : float
            How often an interval holds the truth, from 0.5 to below 1.

        Returns
        -------
        Answer
            Its basis and its numbers.

        Raises
        ------
        ConditionError, ValueError
            As `Synthesizer.answer`.
        """
        found = super().answer(question, level=level)
        if found.basis != "measured":
            return found
        note = _ADDED if self.counts == "add" else _AVERAGED
        return replace(found, notes=(*found.notes, note))

    def set_params(self, **params: Any) -> Self:
        """Merges again, with other arguments.

        Parameters
        ----------
        **params : object
            Arguments of the constructor; those that are left out stay as they are.

        Returns
        -------
        Self
            This object.
        """
        type(self).__init__(self, **{**self.get_params(), **params})
        return self

    def _merged(self, fits: Sequence[Fitted]) -> Fitted:
        stage("merging what was measured")
        modelled = recoding_of(self.schema).modelled
        bounds = merged_bounds([each.bounds for each in fits])
        unit = self.schema.unit
        alike = 1 if unit.id_column is None else unit.max_records
        domain = schema_domain(modelled, bounds)
        parts = [Part(_model(each, domain), domain, alike) for each in fits]
        merging = Merging(domain, parts, self.counts == "add")
        model, left_out = merging.made()
        stage("comparing the sources")
        found = {
            "comparisons": comparisons(parts, codecs(modelled, bounds), self.false_discovery_rate),
            "noise": [
                {"columns": [*clique], "stddev_rows": stddev}
                for clique, stddev in merging.noise().items()
            ],
            "left_out": [[*clique] for clique in left_out],
            "one_source": [
                a
                for a in domain.attributes
                if not all(a in part.model.domain.attributes for part in parts)
            ],
        }
        record = record_of(
            [each.certificate for each in fits],
            counts=self.counts,
            disjoint=self.disjoint,
            rate=self.false_discovery_rate,
            rows=[part.rows for part in parts],
            merged=merging.rows,
            model=digest_of(*_content(self)),
            found=found,
        )
        largest = sorted(fits, key=lambda each: -each.model.total)
        inside = {name: own for each in reversed(largest) for name, own in each.inside.items()}
        people = next((each.people for each in largest if each.people is not None), None)
        return Fitted(model, bounds, MergeCertificate(record), inside, people)

    def _stored(self, fitted: Fitted) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        return _content(self)

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Merged:
        """Its sources, each checked, are merged again: what a file says of the result is held
        against that.
        """
        stored, record = document["sources"], document["certificate"]
        sources = []
        for i, (content, told) in enumerate(zip(stored, record["sources"], strict=True)):
            own = {
                name.partition(":")[2]: array
                for name, array in arrays.items()
                if name.partition(":")[0] == str(i)
            }
            whole = {**content, "certificate": told["certificate"]}
            refuse_forged(f"source {i + 1}", whole, own)
            sources.append(Synthesizer._built(whole, own))
        settings = {name: document[name] for name in _SETTINGS}
        made = cls(sources, **settings)
        if not _same(made.certificate.record, record):
            raise ModelFileError(
                "the merge says something else than its sources give: merge them again, or fetch"
                " another copy"
            )
        return made

    def _what(self) -> str:
        return f"of {len(self.sources)}, counts={self.counts!r}"


_SETTINGS = "counts", "disjoint", "false_discovery_rate"
_TOLERANCE = 1e-6

_ADDED = "The sources' counts are added: it is an answer on the rows of all of them."
_AVERAGED = (
    "The sources' counts are averaged as shares, weighted by their noise: it is an answer on one"
    " population that all of them describe, and its intervals know nothing of a conflict."
)


def merge(
    sources: Sequence[Synthesizer | str | Path],
    *,
    counts: Literal["add", "average"],
    disjoint: bool = False,
    false_discovery_rate: float = 0.001,
) -> Merged:
    """One synthesizer of several fitted ones. It opens no data and spends nothing.

    Each source keeps the noisy counts that it has paid for. They are made one, a model is fitted to
    them, and where two sources disagree by more than noise and the draw of their rows is listed.

    Parameters
    ----------
    sources : sequence of Synthesizer, str or Path
        Two or more that are fitted by canopy, aim, mst or independent, or their model files. The
        columns that they share are declared alike, and have one unit. Columns that one source alone
        has are taken from it.
    counts : {"add", "average"}
        "add": the sources are of different people, and the result is their pooled table. "average":
        they describe one population, and shares are averaged by inverse variance.
    disjoint : bool
        True states that nobody is in more than one source: then the largest of their claims holds
        for each person. Else the claims are added up.
    false_discovery_rate : float
        Of the conflicts that are named, the part that is expected to be there by chance
        (Benjamini and Hochberg), above 0 and below 1.

    Returns
    -------
    Merged
        It samples and answers as a fitted synthesizer does; `conflicts` has all comparisons.

    Raises
    ------
    ValueError
        For less than two sources, for one that is not fitted or keeps no noisy counts, and for
        another value of `counts` or of the rate.
    SchemaError
        For sources whose columns, units or rules do not fit together.
    ModelFileError
        For a file that is no model of a table.
    """
    given = [sources] if isinstance(sources, str | Path) else sources
    opened = [Synthesizer.load(e) if isinstance(e, str | Path) else e for e in given]
    return Merged(opened, counts, disjoint, false_discovery_rate)


def load_table(path: str | Path) -> Synthesizer | Merged:
    """A fitted synthesizer of a table, or a merge of several."""
    return Merged.load(path) if is_merge(expanded(path)) else Synthesizer.load(path)


def _check(sources: Sequence[Any], counts: Any, disjoint: Any, rate: Any) -> None:
    if len(sources) < 2:
        raise ValueError("merge needs two sources or more: give a list of synthesizers or files")
    if counts not in COUNTS:
        raise ValueError(
            f"counts must be 'add' (different people) or 'average' (one population), got {counts!r}"
        )
    if not isinstance(disjoint, bool):
        raise ValueError(f"disjoint must be True or False, got {disjoint!r}")
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not 0 < rate < 1:
        raise ValueError(f"false_discovery_rate must be above 0 and below 1, got {rate!r}")
    for i, each in enumerate(sources, 1):
        _check_source(i, each)
    for (i, one), (j, other) in combinations(enumerate(sources, 1), 2):
        _check_apart(f"sources {i} and {j}", one.certificate, other.certificate, disjoint)


def _check_apart(which: str, one: Certificate, other: Certificate, disjoint: bool) -> None:
    """An account is of one data set, so its releases are of the same people. In memory it has no
    number.
    """
    if one.model == other.model:
        raise ValueError(f"{which} are one release: it says nothing new, so leave one of them out")
    accounts = [each.record["ledger"]["line"]["account"] for each in (one, other)]
    if disjoint and accounts[0] and accounts[0] == accounts[1]:
        raise ValueError(
            f"{which} were paid from one account, and so are of one data set: its people are in"
            " both, so leave disjoint out"
        )


def _check_source(number: int, source: Any) -> None:
    if not isinstance(source, Synthesizer):
        raise ValueError(
            f"source {number} is a {type(source).__name__}: give a fitted Synthesizer, or its file"
        )
    model = source._fitted().model
    if not isinstance(model, RefinedModel) or not model.charged:
        raise ValueError(
            f"source {number} keeps no noisy counts to be merged, as its mechanism measures no"
            " marginals or it was fitted by an earlier version: fit by canopy, aim or mst"
        )
    if source.certificate.model is None:
        raise ValueError(f"source {number} has a model without a file, which cannot be merged")


def _model(fitted: Fitted, domain: Domain) -> RefinedModel:
    """A source's model, whose columns have the cells of the merged domain."""
    model = fitted.model
    assert isinstance(model, RefinedModel)
    assert all(model.domain.size(a) == domain.size(a) for a in model.domain.attributes)
    return model


def _content(merged: Merged) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Plain fields and arrays: the sources as they are, and how they are merged. Nothing else, so
    that a file cannot say what they do not give.
    """
    stored: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for i, source in enumerate(merged.sources):
        content, own = source._stored(source.fitted_)
        stored.append(dict(content))
        arrays |= {f"{i}:{name}": array for name, array in own.items()}
    settings = {name: getattr(merged, name) for name in _SETTINGS}
    return {MERGED: VERSION, **settings, "sources": stored}, arrays


def _same(one: Any, other: Any) -> bool:
    """Whether two records say the same; figures but for what machines differ in."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-12)
    return bool(one == other)
