"""Rows from a model: codes drawn, and decoded to values that meet the conditions."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique
from dpsynth.data.tables.cells import DatetimeCodec, NumericCodec
from dpsynth.data.tables.codec import Codec, codecs, decode_frame
from dpsynth.data.tables.identifiers import generate_identifiers, keyed_identifiers
from dpsynth.data.tables.inside import Inside, with_inside
from dpsynth.data.tables.parts import Parts, mixed
from dpsynth.data.tables.periods import period_codings
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.data.tables.weeks import with_week
from dpsynth.door.codes import codes_of
from dpsynth.models.base import Codes, ConditionError, Evidence, Model
from dpsynth.models.completing import counts_given
from dpsynth.models.separate import among, few_rows
from dpsynth.schema.columns import Datetime, Identifier
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term, Without

_SEEDS = 1 << 62
_ALONE = RowsOfUnits((1,), (1.0,))
_PEOPLE = 5
"""Beside the seed of a sample: its rows and the sizes of its units are drawn apart."""


@dataclass(frozen=True)
class Tilt:
    """How much more often a column's values are to come: a factor for those that meet a term.

    Of several terms that a value meets, the first counts; a value that meets none counts `rest`.
    """

    column: str
    factors: tuple[tuple[Term, float], ...]
    rest: float = 1.0


@dataclass(frozen=True)
class Block:
    """Which rows of a sample these are, where it is drawn in blocks. number: of the block."""

    number: int
    first: int
    total: int


@dataclass(frozen=True, eq=False)
class Origin:
    """What rows are drawn from: a model, and what turns its cells into values.

    people: how many rows units have, where their names repeat. seed: of names that have a key.
    block: of a sample that is drawn in blocks, whose identifiers differ from those of the others.
    made_of: for modelled columns that no release has, the columns that they stand for.
    """

    model: Model
    schema: Schema
    bounds: Mapping[str, tuple[float, float]]
    inside: Mapping[str, Inside] = field(default_factory=dict)
    people: RowsOfUnits | None = None
    seed: Any = None
    block: Block | None = None
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def codecs(self) -> dict[str, Codec]:
        return codecs(self.schema, self.bounds)

    def draw(
        self, n: int, case: Case, rng: np.random.Generator, tilts: Sequence[Tilt] = ()
    ) -> pd.DataFrame:
        """n rows that meet the case's terms and cells, from the model's distribution of these rows.

        Its relations are not looked at.
        """
        codes, parts = self.cells(n, case, rng, tilts)
        if self.schema.repeating and self.schema.unit.periods:  # names hang on the rows' dates
            return self.whole(self.decoded(codes, parts, rng), rng)
        return decode_frame(codes, self.schema, self.bounds, rng, parts, self._keyed_names(n, rng))

    def values(
        self,
        n: int,
        case: Case,
        rng: np.random.Generator,
        tilts: Sequence[Tilt] = (),
        *,
        few: bool = False,
    ) -> pd.DataFrame:
        """The same, without identifiers: tables that are put together get theirs at the end.

        few: whether they take the place of other rows; then they are drawn the quicker way.
        """
        codes, parts = self.cells(n, case, rng, tilts, few=few)
        return self.decoded(codes, parts, rng)

    def among(self, names: Collection[str]) -> Origin:
        """The same for some columns, which no dependence of the model joins to others."""
        model = among(self.model, [*names])
        inside = {name: each for name, each in self.inside.items() if name in names}
        return replace(self, model=model, inside=inside)

    def decoded(
        self, codes: Codes, parts: Mapping[str, Parts], rng: np.random.Generator
    ) -> pd.DataFrame:
        """`columns` as a table."""
        return pd.DataFrame(self.columns(codes, parts, rng), copy=False)

    def columns(
        self, codes: Codes, parts: Mapping[str, Parts], rng: np.random.Generator
    ) -> dict[str, pd.Series[Any]]:
        """The values of these codes, in these parts of their cells, without identifiers. The codes
        are taken out, so that none is held twice in memory.
        """
        return {
            name: codec.decode(codes.pop(name), rng, parts.get(name))
            for name, codec in self.codecs.items()
            if name in codes
        }

    def whole(self, rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Rows of `values` with identifiers, in the schema's order."""
        made = self.identifiers(len(rows), rng, rows)
        return rows.assign(**made)[[*self.schema.columns]] if made else rows

    def identifiers(
        self, n: int, rng: np.random.Generator, rows: pd.DataFrame | None = None
    ) -> dict[str, pd.Series[Any]]:
        """New identifiers of n rows. rows: as for `_keyed_names`."""
        made = self._keyed_names(n, rng, rows)
        for name, column in self.schema.columns.items():
            if isinstance(column, Identifier) and name not in made:
                made[name] = generate_identifiers(column, n, rng)
        return made

    def _keyed_names(
        self, n: int, rng: np.random.Generator, rows: pd.DataFrame | None = None
    ) -> dict[str, pd.Series[Any]]:
        """The identifiers of n rows that repeat, or have a key: those with one key are of one
        person, and all that repeat are of one unit.

        rows: what was drawn, where a unit is a period of a date.
        """
        columns = self.schema.columns.items()
        found = {name: column for name, column in columns if isinstance(column, Identifier)}
        block = self.block
        every = block is not None
        keys = {n: c.key or n for n, c in found.items() if c.repeats or c.key or every}
        repeating = {key for name, key in keys.items() if found[name].repeats}
        if not keys:
            return {}
        seed = int(rng.integers(_SEEDS) if self.seed is None else self.seed)
        of_people = np.random.default_rng([_PEOPLE, seed])
        if block is not None:
            blocks = np.random.SeedSequence(seed, spawn_key=(_PEOPLE, block.number))
            of_people = np.random.default_rng(blocks)
        owners: dict[str, np.ndarray] = {}
        for key in dict.fromkeys(keys.values()):
            units = next((owners[each] for each in repeating if each in owners), None)
            if key not in repeating:
                owners[key] = _ALONE.draw(n, of_people)
            else:
                owners[key] = self._units(n, rows, of_people) if units is None else units
        first, total = (block.first, block.total) if block else (0, None)
        return {
            name: keyed_identifiers(found[name], name, owners[key] + first, seed, total)
            for name, key in keys.items()
        }

    def _units(self, n: int, rows: pd.DataFrame | None, rng: np.random.Generator) -> np.ndarray:
        """For each row the number of its unit, of which all rows lie in one period."""
        sizes = self.people or _ALONE
        codings = period_codings(self.schema)
        if not codings or rows is None:
            return sizes.draw(n, rng)
        periods = [codes_of(rows[name], coding) for name, coding in codings.items()]
        _, groups = np.unique(np.column_stack(periods), axis=0, return_inverse=True)
        return sizes.draw_within(groups.ravel(), rng)

    def free(self, names: Collection[str] = ()) -> dict[str, Parts]:
        """What is known of the values inside of all columns' cells but these."""
        return {name: part for name, part in self._free.items() if name not in names}

    @cached_property
    def _free(self) -> dict[str, Parts]:
        return {name: self._part(name, ()) for name in self.inside}

    def request(self, case: Case) -> tuple[Evidence, dict[str, Parts]]:
        """What the model is asked for, and the parts of cells that values come from."""
        parts = self._parts(case, ())
        return self._evidence(case, parts), parts

    def counts(self, clique: Clique, case: Case, tilts: Sequence[Tilt] = ()) -> np.ndarray:
        """Expected counts of the rows that meet the case's terms and cells."""
        evidence = self._evidence(case, self._parts(case, tilts), check=False)
        return counts_given(self.model, clique, evidence)

    def told_by_cells(self, term: Term) -> np.ndarray | None:
        """For each cell of a term's column whether its values meet it; None where it may cut one.

        Of an invalid cell nothing is said: see `settled` of a codec.
        """
        codec: Any = self.codecs[term.column]
        if term.constants and not codec.single:
            return None
        return np.asarray(codec.weights(_parts_of(codec, (term,))) > 0)

    def weights(self, name: str, terms: Sequence[Term]) -> np.ndarray:
        """For each cell of a column how much of it meets all of these terms."""
        return self.codecs[name].weights(self._part(name, terms))

    def anywhere(
        self, name: str, terms: Sequence[Term], n: int, rng: np.random.Generator
    ) -> pd.Series[Any]:
        """n values of a column that meet all of these terms, whatever the model gives them: drawn
        evenly from what the schema allows.
        """
        codec, parts = self.codecs[name], self._part(name, terms)
        weights = codec.weights(parts)
        widths = np.ones(codec.size)
        widths[: len(codec.widths or ())] = codec.widths or ()
        weights = weights * widths
        if not weights.any():
            raise self._no_value(name)
        return codec.decode(rng.choice(codec.size, n, p=weights / weights.sum()), rng, parts)

    def apart(
        self,
        names: Sequence[str],
        case: Case,
        tilts: Sequence[Tilt],
        n: int,
        rng: np.random.Generator,
    ) -> tuple[Codes, dict[str, Parts]]:
        """n cells of columns, each by itself, half of them as the model has it and half evenly, so
        that each meets the terms about it; and the parts of cells that values come from.

        ConditionError for a column of which no value meets them.
        """
        parts = self._parts(case, [each for each in tilts if each.column in names])
        evidence = self._evidence(case, parts)
        found: Codes = {}
        for name in names:
            codec = self.codecs[name]
            able = (np.arange(codec.size) < len(codec.ends()[0])).astype(float)
            able[able == 0] = bool(getattr(self.schema.columns[name], "nullable", False))
            able *= evidence.get(name, 1.0)
            own = np.maximum(self.model.project((name,)), 0) * able
            weights = able / able.sum() + (own / own.sum() if own.any() else 0)
            found[name] = rng.choice(codec.size, n, p=weights / weights.sum())
        return found, {**parts, **self.free(parts)}

    def points(self, case: Case) -> bool:
        """Whether a column may have a single real number only, which no row has exactly."""
        return any(parts.points for parts in self._parts(case, ()).values())

    def cells(
        self,
        n: int,
        case: Case,
        rng: np.random.Generator,
        tilts: Sequence[Tilt] = (),
        *,
        few: bool = False,
    ) -> tuple[Codes, dict[str, Parts]]:
        """Codes of n rows as `values` draws them, and the parts of cells that values come from."""
        parts = self._parts(case, tilts)
        evidence = self._evidence(case, parts)
        if not evidence:
            codes = few_rows(self.model, n, rng) if few else self.model.sample(n, rng)
            return codes, self.free()
        try:
            if few:
                codes = few_rows(self.model, n, rng, evidence)
            else:
                codes = self.model.sample(n, rng, evidence)
        except ConditionError:
            raise ConditionError.no_row(self.said(self._culprits(evidence))) from None
        return codes, {**parts, **self.free(parts)}

    def _culprits(self, evidence: Evidence) -> list[str]:
        """Columns whose conditions no row meets together, none of which could be left out.

        All of them where the model cannot say.
        """
        left = dict(evidence)
        with contextlib.suppress(ConditionError):
            for name in evidence:
                rest = {other: weights for other, weights in left.items() if other != name}
                if rest and counts_given(self.model, (), rest) <= 0:
                    left = rest
        return list(left)

    def _parts(self, case: Case, tilts: Sequence[Tilt]) -> dict[str, Parts]:
        tilted = {each.column: each for each in tilts}
        names = dict.fromkeys([*(term.column for term in case.terms), *tilted])
        return {name: self._tilted(name, case.terms, tilted.get(name)) for name in names}

    def _evidence(self, case: Case, parts: Mapping[str, Parts], *, check: bool = True) -> Evidence:
        """The weight of each cell; ConditionError for a column of which none can meet the case."""
        evidence = {name: self.codecs[name].weights(part) for name, part in parts.items()}
        for name, weights in case.cells.items():
            evidence[name] = evidence.get(name, 1.0) * weights
        for name, weights in evidence.items():
            if check and not weights.any():
                raise self._no_value(name)
        return evidence

    def _no_value(self, name: str) -> ConditionError:
        said = " and ".join(map(repr, self.said([name])))
        return ConditionError(f"no value of {said} can meet the condition: widen it")

    def said(self, names: Collection[str]) -> list[str]:
        """What modelled columns are called in a release."""
        return list(dict.fromkeys(a for name in names for a in self.made_of.get(name, (name,))))

    def _tilted(self, name: str, terms: Sequence[Term], tilt: Tilt | None) -> Parts:
        own = [term for term in terms if term.column == name]
        if tilt is None:
            return self._part(name, own)
        weighted = []
        for term, factor in tilt.factors:
            weighted.append((factor, self._part(name, [*own, term])))
            own = [*own, Without.of(term)]
        return mixed([*weighted, (tilt.rest, self._part(name, own))])

    def _part(self, name: str, own: Sequence[Term]) -> Parts:
        """The parts of a column's cells whose values meet all of these terms about it."""
        codec: Any = self.codecs[name]
        parts = _parts_of(codec, tuple(own))
        inside, column = self.inside.get(name), self.schema.columns[name]
        if inside and isinstance(codec, DatetimeCodec) and isinstance(column, Datetime):
            return with_week(parts, column, codec, inside.week)
        if inside is None or not isinstance(codec, NumericCodec):
            return parts
        return with_inside(parts, codec, inside, partial(_all_hold, tuple(own)), free=not own)


@lru_cache(maxsize=256)
def _parts_of(codec: Any, terms: tuple[Term, ...]) -> Parts:
    """The parts of cells whose values meet these terms: public, and asked for again and again."""
    constants = [constant for term in terms for constant in term.constants]
    return codec.parts(partial(_all_hold, terms), constants)


def _all_hold(terms: Sequence[Term], values: pd.Series[Any]) -> np.ndarray:
    every = np.ones(len(values), dtype=bool)
    return np.logical_and.reduce([every, *(term.holds(values) for term in terms)])


def joined(frames: Sequence[pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """Rows of several draws as one table, in random order."""
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    rows = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
    return rows.take(rng.permutation(len(rows))).reset_index(drop=True)
