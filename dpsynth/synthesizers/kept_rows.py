"""Rows of a model that keep the constraints of a schema, before they get their keys.

Most constraints hold by the way rows are decoded (`data.constraints`). For the others rows are
drawn from the model's distribution given that they hold (`kept_block`).

Columns that the model joins to none of a rule's columns are independent of whether the rule holds.
So the columns fall into blocks: rows are drawn, tested and drawn again block by block, and columns
that no rule is about are drawn once. The blocks' rows side by side follow the model given that all
rules hold, since its distribution is a product over the blocks, and each rule is about one of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.models.base import ConditionError
from dpsynth.models.separate import groups_of
from dpsynth.synthesizers.base import CautionWarning
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.implications import implications_of
from dpsynth.synthesizers.kept_block import Block
from dpsynth.synthesizers.kept_sentences import said_of_made_up
from dpsynth.synthesizers.pulled import pulled
from dpsynth.synthesizers.rule_terms import tilts_of_modelled
from dpsynth.synthesizers.sampled_rows import Origin, Tilt


class Keeping:
    """Draws rows of a schema with constraints: all columns but keys, each rule kept by all rows."""

    def __init__(
        self,
        origin: Origin,
        rng: np.random.Generator,
        tilts: Sequence[Tilt] = (),
        *,
        beyond: bool = False,
    ) -> None:
        """beyond: whether rows of which the model has none are made up, under conditions too."""
        self._beyond = beyond
        self._recoding = recoding_of(origin.schema)
        self._tilts = tilts_of_modelled(tilts, self._recoding)
        self._origin = replace(
            origin, schema=self._recoding.modelled, made_of=self._recoding.made_of
        )
        self._implications = implications_of(origin.schema)
        self._rng = rng

    def rows(self, n: int, terms: Sequence[Term], checks: Sequence[Check] = ()) -> Rows:
        """n rows without keys, which meet the terms and pass the checks."""
        recoding = self._recoding
        named = (*(term.column for term in terms), *(name for c in checks for name in c.columns))
        if about := [name for name in named if name in recoding.keys]:
            raise ConditionError(
                f"a condition is about {about[0]!r}, a key that is generated: leave it out"
            )
        every = [*recoding.checks, *checks]
        tested = [t.column for t in terms if self._beyond or pulled(t, recoding) is None]
        links = [recoding.sources([name]) for name in tested]
        links += [recoding.sources(each.columns) for each in every]
        links += [recoding.sources(each.columns) for each in self._implications]
        found: Rows = {}
        for columns, ruled in blocks_of(groups_of(self._origin.model), links):
            block = self._block(columns)
            inside = [each for each in terms if recoding.sources([each.column]) <= columns]
            tests = [each for each in every if recoding.sources(each.columns) <= columns]
            found |= self._of_block(block, n, inside, tests) if ruled else block.drawn(n, inside)
        return recoding.decoded(found, self._rng)

    def _of_block(
        self, block: Block, n: int, terms: Sequence[Term], checks: Sequence[Check]
    ) -> Rows:
        """Rows of a block; made up where the model has none, and no condition asks for others, or
        where it may be met beyond the model.
        """
        try:
            return block.as_often_missing(block.kept(n, terms, checks), terms, checks)
        except ConditionError:
            own = {each.rule for each in self._recoding.checks}
            others = any(each.rule not in own for each in checks)
            asked = bool(terms or self._tilts or others)
            if asked and not self._beyond:
                raise
            found, names = block.made_up(n, terms, checks, asked)
            if not asked:
                warnings.warn(said_of_made_up(names), CautionWarning, stacklevel=2)
            return found

    def _block(self, columns: set[str]) -> Block:
        """What draws some columns, and the implications and tilts of them."""
        own = [e for e in self._implications if self._recoding.sources(e.columns) <= columns]
        tilts = [each for each in self._tilts if each.column in columns]
        return Block(self._origin.among(columns), self._recoding, own, tilts, self._rng)

    def broken(self, rows: Rows, n: int) -> np.ndarray:
        """For each whole row whether it breaks a constraint that its decoding does not ensure."""
        bad = np.zeros(n, dtype=bool)
        for check in self._recoding.checks:
            bad |= ~check.passed(rows)
        for each in self._implications:
            bad |= each.when.holds(rows) & ~each.then.holds(rows)
        return bad


def blocks_of(
    groups: Sequence[Sequence[str]], links: Sequence[set[str]]
) -> list[tuple[set[str], bool]]:
    """The groups joined where a link is about several, and whether one is about them.

    Those that no link is about are one block.
    """
    free = [{*group} for group in groups]
    ruled: list[set[str]] = []
    for link in links:
        met = [block for block in (*free, *ruled) if block & link]
        free = [block for block in free if not block & link]
        ruled = [block for block in ruled if not block & link]
        ruled.append(set().union(*met))
    rest = [(set().union(*free), False)] if free else []
    return [*rest, *((block, True) for block in ruled if block)]
