"""A report of how well a release says again what was measured: releasable, and at no cost.

Each noisy count that the fit paid for is held against what the release's rows are expected to have.
Only counts that were charged, and the model that follows from them, take part: of two tables that
were answered alike the reports are the same, byte by byte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaincc

from dpsynth.base.text import some
from dpsynth.evidence.bundle.checks import NAME
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.pages import render
from dpsynth.models.base import Model, RoughMeasurement
from dpsynth.models.factor import grouped
from dpsynth.models.refined import RefinedModel
from dpsynth.models.span import rounded_variance

VERSION = 1
ODD = 0.001
"""A marginal whose difference noise alone makes so rarely is named."""

_NOTE = (
    "The release was fitted to these very counts, so that small differences are expected: this"
    " shows what it does not say again, and is no test on other rows."
)


@dataclass(frozen=True)
class Line:
    """One measurement beside the release.

    Parameters
    ----------
    columns : tuple of str
        What was counted; none for the row count.
    cells : int
        How many counts it has.
    stddev : float
        The standard deviation of the noise of each, in rows.
    chi_square : float
        The sum of squared differences, in variances of the noise: about `cells` for a release that
        is right.
    chance : float
        How often noise alone makes it as large.
    distance : float
        The root of the sum of squared differences beyond noise, as a share of the rows; 0 where
        there is none.

    Examples
    --------
    >>> Line(("sex",), 2, 4.0, 1.9, 0.39, 0.0).cells
    2
    """

    columns: tuple[str, ...]
    cells: int
    stddev: float
    chi_square: float
    chance: float
    distance: float


@dataclass(frozen=True)
class MeasuredReport:
    """How well a release says again what was measured. It may be published.

    Parameters
    ----------
    model : str or None
        The SHA-256 of the model, as the ledger has it.
    rows : float
        The noisy row count.
    lines : tuple of Line
        One for each measurement.

    Examples
    --------
    >>> MeasuredReport(None, 100.0, (Line(("sex",), 2, 4.0, 1.9, 0.39, 0.0),)).odd
    ()
    """

    model: str | None
    rows: float
    lines: tuple[Line, ...]

    @property
    def odd(self) -> tuple[Line, ...]:
        """The measurements from which the release differs by more than noise."""
        return tuple(each for each in self.lines if each.chance < ODD)

    def to_frame(self) -> pd.DataFrame:
        """A row for each measurement."""
        return pd.DataFrame(
            [{**vars(each), "columns": " x ".join(each.columns)} for each in self.lines]
        )

    def record(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        lines = [{**vars(each), "columns": [*each.columns]} for each in self.lines]
        facts = {"model": self.model, "rows": self.rows, "note": _NOTE}
        return {"dpsynth_measured": VERSION, **facts, "measurements": lines}

    def summary(self) -> str:
        """A few lines for a terminal."""
        odd = [" x ".join(each.columns) or "the row count" for each in self.odd]
        said = f"beyond noise in {some(odd)}" if odd else "nowhere beyond noise"
        return f"{len(self.lines)} measurements; the release differs {said}\n{_NOTE}"

    def to_html(self) -> str:
        """A page for a reader."""
        return render.page("measured", {**self.record(), "odd": len(self.odd)})

    def save(self, folder: str | Path) -> Path:
        """Writes measured.json and measured.html; the manifest of a release there lists both.

        Parameters
        ----------
        folder : str or Path
            A folder, such as that of the release.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OSError, ValueError
            Where they cannot be written, or the manifest was changed.
        """
        texts = {"measured.json": render.to_json(self.record()), "measured.html": self.to_html()}
        made = render.save(folder, texts)
        if (made / NAME).exists():
            kinds = {"measured.json": "measured", "measured.html": "measured page"}
            add_lines(made, *(line_of(made / name, kind) for name, kind in kinds.items()))
        return made


def measured_report(model: Model, record: Mapping[str, Any]) -> MeasuredReport:
    """The report of a fitted model; ValueError for one that keeps no counts."""
    if not isinstance(model, RefinedModel) or not model.charged:
        raise ValueError(
            "this release keeps no measurements to be compared with, as its mechanism measures no"
            " marginals or it was fitted by an earlier version: fit by canopy, aim or mst"
        )
    ended = record["run"]["ended"] or {}
    lines = tuple(_line(m, model) for m in model.charged)
    return MeasuredReport(ended.get("release"), float(model.total), lines)


def _line(m: RoughMeasurement, model: RefinedModel) -> Line:
    bins = all(np.array_equal(g, model.bins[a]) for a, g in zip(m.clique, m.groups, strict=True))
    expected = (
        model.coarse.project(m.clique) if bins else grouped(model.project(m.clique), m.groups)
    )
    variance = rounded_variance(m.stddev)
    squares = float(np.square(m.values - expected).sum())
    cells = int(np.size(m.values))
    beyond = max(squares - cells * variance, 0.0)
    return Line(
        m.clique,
        cells,
        float(m.stddev),
        squares / variance,
        float(gammaincc(cells / 2, squares / variance / 2)),
        math.sqrt(beyond) / max(float(model.total), 1.0),
    )
