"""PrivateTable: coded rows behind a door. It answers in Sensitive values only, and has no length.

`encoded_rows` makes the other closed form of rows, for events that read records and not counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from dpsynth.base.closed import Closed, closed
from dpsynth.base.domain import Clique, Domain
from dpsynth.door.bounded import Bounded, _parts, _raw, bound_arrays
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.counting import Backend, Counting, MemoryBackend, Shared, count
from dpsynth.door.shares import SpreadTable
from dpsynth.kernel.rows import _BOUNDED, SensitiveRows, _require_bounded
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall


class PrivateTable(Closed):
    """The only thing that a mechanism is given of the private rows.

    Of no unit does it hold more than `unit.max_records` rows: `encoded` takes bounded rows, `from_codes` bounds them.
    """

    _closed_because = "a PrivateTable cannot be copied or read: ask it for marginals"
    __slots__ = ("__backend", "domain", "unit")
    __backend: Backend | Shared
    domain: Domain
    unit: PrivacyUnit

    def __init__(
        self, backend: Backend | Shared, domain: Domain, unit: PrivacyUnit | None = None, shown: object = None
    ) -> None:
        unit = PrivacyUnit() if unit is None else unit
        _require_bounded(unit, shown)
        for name, value in (("_PrivateTable__backend", backend), ("domain", domain), ("unit", unit)):
            object.__setattr__(self, name, value)

    @classmethod
    def encoded(cls, rows: Bounded, codings: Mapping[str, Coding], domain: Domain) -> PrivateTable:
        """A bounded table as codes: each column of the domain by its own coding. RowsError."""
        backend = behind_the_wall(lambda: _coded(rows, codings, domain.attributes))
        return cls(backend, domain, rows.unit, _BOUNDED)

    @classmethod
    def from_codes(
        cls, codes: Mapping[str, np.ndarray], domain: Domain, unit: PrivacyUnit | None = None, ids: Any = None
    ) -> PrivateTable:
        """A table of codes in memory; codes outside the domain count in the nearest cell.

        ids: whose each row is, if the unit has an id column; each keeps `unit.max_records` rows.
        """
        unit = PrivacyUnit() if unit is None else unit
        if (ids is None) != (unit.id_column is None):
            raise TypeError("ids say whose each row is: give them if, and only if, the unit has an id column")
        if ids is not None:
            (places,) = _raw(bound_arrays((np.arange(len(ids)),), ids, unit))
            codes = {a: np.asarray(values)[places] for a, values in codes.items()}
        return cls(MemoryBackend(codes, domain), domain, unit, _BOUNDED)

    def marginals(self, cliques: Sequence[Clique]) -> dict[Clique, Sensitive]:
        """Counts of these marginals, each of shape domain.shape(clique), in one pass over the rows.

        Sensitivity: a record adds 1 to one cell of each marginal; `PrivacyUnit.count_sensitivity` does the rest.
        """
        for clique in cliques:
            self.domain.cells(clique)  # an attribute that it lacks is the caller's mistake, and not private
        counts = behind_the_wall(lambda: count(self.__backend, self.domain, cliques))
        bounds = {c: self.unit.count_sensitivity(self.domain.cells(c)) for c in cliques}
        return {c: Sensitive(counts[c], l1=bounds[c][0], l2=bounds[c][1], protects=self.unit) for c in cliques}

    def rows(self) -> SensitiveRows:
        """The codes of all columns, in the domain's order, closed: what a charge for training reads."""
        backend, attributes = self.__backend, self.domain.attributes
        if isinstance(backend, Shared):
            raise TypeError("rows that lie on other machines are counted there, and not gathered: ask for marginals")

        def work() -> SensitiveRows:
            parts = [
                np.column_stack([np.asarray(codes[a], dtype=np.int32) for a in attributes])
                for codes in backend.partitions(attributes)
            ]
            codes = np.concatenate([np.zeros((0, len(attributes)), dtype=np.int32), *parts])
            return SensitiveRows(codes, sizes=self.domain.shape(attributes), protects=self.unit, shown=_BOUNDED)

        return behind_the_wall(work)

    def coarsen(self, groups: Mapping[str, np.ndarray]) -> PrivateTable:
        """The same rows with cells merged: `groups[a][code]` is the group of a code, numbered from 0 without gaps.

        The groups are public (they may come from charged measurements); a record still falls into one cell.
        """
        sizes = tuple((a, int(groups[a].max()) + 1 if a in groups else n) for a, n in self.domain.sizes)
        widths = tuple((a, w) for a, w in self.domain.widths if a not in groups)
        return PrivateTable(_coarse(self.__backend, groups), Domain(sizes, widths), self.unit, _BOUNDED)

    def __repr__(self) -> str:
        return f"PrivateTable({len(self.domain.attributes)} attributes, {self.unit.describe()})"

    __setattr__ = __delattr__ = closed


MAX_HELD = 1 << 29
"""Bytes of codes that a table holds in memory; those of a larger one are made anew for each pass over its rows."""


def _coded(rows: Bounded, codings: Mapping[str, Coding], attributes: Sequence[str]) -> Backend | Shared:
    return (_SharedCodes if isinstance(_raw(rows), SpreadTable) else _Coded)(rows, codings, attributes)


class _Coded:
    """Bounded rows as codes."""

    def __init__(self, rows: Bounded, codings: Mapping[str, Coding], attributes: Sequence[str]) -> None:
        self._rows, self._codings = rows, codings
        self._held: list[dict[str, np.ndarray]] | None = []
        held = 0
        for codes in self._made(attributes):
            held += sum(each.nbytes for each in codes.values())
            if held > MAX_HELD:
                self._held = None
                break
            self._held.append(codes)

    def partitions(self, attributes: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        if self._held is None:
            yield from self._made(attributes)
        else:
            yield from ({a: codes[a] for a in attributes} for codes in self._held)

    def _made(self, attributes: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        for part, kept in _parts(self._rows, attributes):
            yield {a: codes_of(part[a], self._codings[a])[kept] for a in attributes}


class _SharedCodes:
    """Bounded rows in shares as codes, which are kept there."""

    def __init__(self, rows: Bounded, codings: Mapping[str, Coding], attributes: Sequence[str]) -> None:
        self._codes: SpreadTable = _raw(rows).made(partial(_as_codes, codings, attributes))

    def told(self, attributes: Sequence[str], work: Counting) -> list[np.ndarray]:
        return [each["counts"].to_numpy() for each in self._codes.told(partial(_of_codes, work, attributes))]


def _as_codes(codings: Mapping[str, Coding], attributes: Sequence[str], part: pa.Table) -> pa.Table:
    return pa.table({a: codes_of(part[a], codings[a]) for a in attributes})


def _of_codes(work: Counting, attributes: Sequence[str], parts: Iterator[pa.Table]) -> pa.Table:
    counts = work({a: part[a].to_numpy() for a in attributes} for part in parts)
    return pa.table({"counts": counts})


def _coarse(backend: Backend | Shared, groups: Mapping[str, np.ndarray]) -> Backend | Shared:
    return _SharedCoarse(backend, groups) if isinstance(backend, Shared) else _Coarse(backend, groups)


class _Coarse:
    def __init__(self, backend: Backend, groups: Mapping[str, np.ndarray]) -> None:
        self._backend, self._groups = backend, _small(groups)

    def partitions(self, attributes: Sequence[str]) -> Iterator[Mapping[str, np.ndarray]]:
        return _grouped(self._groups, self._backend.partitions(attributes))


class _SharedCoarse:
    def __init__(self, backend: Shared, groups: Mapping[str, np.ndarray]) -> None:
        self._backend, self._groups = backend, _small(groups)

    def told(self, attributes: Sequence[str], work: Counting) -> list[np.ndarray]:
        return self._backend.told(attributes, partial(_of_groups, work, self._groups))


def _small(groups: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {a: g.astype(np.min_scalar_type(int(g.max()))) for a, g in groups.items()}


def _grouped(
    groups: Mapping[str, np.ndarray], partitions: Iterable[Mapping[str, np.ndarray]]
) -> Iterator[dict[str, np.ndarray]]:
    for codes in partitions:
        yield {a: groups[a][codes[a]] if a in groups else codes[a] for a in codes}


def _of_groups(
    work: Counting, groups: Mapping[str, np.ndarray], partitions: Iterable[Mapping[str, np.ndarray]]
) -> np.ndarray:
    return work(_grouped(groups, partitions))


def encoded_rows(rows: Bounded, codings: Sequence[Coding | int]) -> SensitiveRows:
    """Bounded arrays as codes, one after another in each row. RowsError.

    codings: for each array its coding; or, for an array of integers that are codes already, of one dimension or more,
    how many codes there are.
    """

    def work() -> SensitiveRows:
        parts: list[np.ndarray] = []
        sizes: list[int] = []
        for array, coding in zip(_raw(rows), codings, strict=True):
            if isinstance(coding, int):
                size, codes = coding, array.reshape(len(array), math.prod(array.shape[1:]))
            else:
                size, codes = coding.size, codes_of(array, coding).reshape(-1, 1)
            parts.append(codes)
            sizes += [size] * codes.shape[1]
        return SensitiveRows(np.hstack(parts), sizes=tuple(sizes), protects=rows.unit, shown=_BOUNDED)

    return behind_the_wall(work)
