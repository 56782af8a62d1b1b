"""Pictures of a comparison for notebooks and papers, by matplotlib, which is imported here only.

They have the colours of the pages. INTERNAL like the comparison: they show exact figures of real
rows, and say so. No window and no state of pyplot is touched.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.base.text import clip, likely, printable
from dpsynth.evidence.pages import charts
from dpsynth.evidence.pages.render import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 30
"""Columns or groups in one picture: of more, those that are farthest off."""
_STAMP = "INTERNAL: exact figures of real rows"


@dataclass(frozen=True, repr=False)
class Plot:
    """A picture, which a notebook shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        To change it, or to take it elsewhere.
    words : str
        What it shows, for those who do not see it.

    Examples
    --------
    A notebook shows `quality.plot_pairs()`; `quality.plot_pairs().save("pairs.svg")` keeps it. In a
    terminal it is what it shows, in words:

    >>> Plot(figure=None, words="Distance of each column from the real rows")
    Plot: Distance of each column from the real rows
    """

    figure: Figure
    words: str = field(default="")

    def save(self, path: str | Path) -> Path:
        """Writes it to a file whose ending says the kind: .png, .svg or .pdf.

        Parameters
        ----------
        path : str or Path
            An older file is replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            For another ending.
        """
        file = Path(path)
        if file.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise ValueError(f"{file} must end in .png, .svg or .pdf: choose another name")
        self.figure.savefig(file)
        return file

    def _repr_html_(self) -> str:
        picture = io.BytesIO()
        self.figure.savefig(picture, format="png")
        source = base64.b64encode(picture.getvalue()).decode()
        return f'<img alt="{escape(self.words)}" src="data:image/png;base64,{source}">'

    def __repr__(self) -> str:
        return f"Plot: {self.words}"


class Plotted:
    """The pictures of a `Quality`. They need matplotlib: `pip install 'dpsynth[plots]'`."""

    columns: tuple[Any, ...]
    pairs: tuple[tuple[float | None, ...], ...]
    downstream: Any

    def plot_column(self, name: str) -> Plot:
        """The frequencies of one column: real rows as bars, synthetic rows as diamonds.

        Parameters
        ----------
        name : str
            A column that was compared.

        Returns
        -------
        Plot
            Shares of the rows in percent.

        Raises
        ------
        ValueError
            For a column that was not compared.
        ImportError
            Where matplotlib is not installed.
        """
        known = {column.name: column for column in self.columns}
        if name not in known:
            raise ValueError(
                f"{name!r} is no column that was compared: {likely(name, known)}choose one of"
                " quality.to_frame().index"
            )
        return _column(known[name])

    def plot_columns(self) -> Plot:
        """The distance of each column beside its yardstick, the farthest first; 30 at most.

        Returns
        -------
        Plot
            Total-variation distances in percent.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        worst = sorted(self.columns, key=lambda column: -column.distance)[:_MOST]
        rows = [(column.name, column.floor, column.distance) for column in worst]
        title = "Distance of each column from the real rows"
        labels = ("yardstick: other real rows", "synthetic rows")
        return _pairwise(title, rows, "total-variation distance (%)", labels)

    def plot_pairs(self) -> Plot:
        """The distances of all pairs of columns as a map; of more than 60 columns the farthest 60.

        Returns
        -------
        Plot
            Total-variation distances, in the classes of the page; on the diagonal, columns alone.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        names = [column.name for column in self.columns]
        return _map(*charts.farthest(names, self.pairs))

    def plot_downstream(self) -> Plot:
        """What models are worth that were trained on real rows, and on the release.

        Returns
        -------
        Plot
            The measure of each learner on the holdout, with a 90 % interval of the difference.

        Raises
        ------
        ValueError
            Where no target was named to `evaluate`.
        ImportError
            Where matplotlib is not installed.
        """
        if self.downstream is None:
            raise ValueError(
                "no models were compared: give evaluate a target, and a holdout to try them on"
            )
        return _learners(self.downstream)


def _column(column: Any) -> Plot:
    shown = charts.shown(vars(column))
    labels, real, synthetic = zip(*shown, strict=True)
    title = f"{_name(column.name)}: frequencies of real and synthetic rows"
    if not column.ordered:
        rows = list(zip(labels, real, synthetic, strict=True))
        return _pairwise(title, rows, "share of the rows (%)", ("real", "synthetic"))
    figure, axes = _empty(6.4, 3.6)
    ink = colours()
    places = range(len(shown))
    axes.bar(places, [100 * x for x in real], 0.84, color=ink["real"], label="real")
    _diamonds(axes, places, [100 * x for x in synthetic])
    axes.set_xticks(places, [_name(label) for label in labels], rotation=60, ha="right")
    axes.set_xlabel(_name(column.name))
    axes.set_ylabel("share of the rows (%)")
    return _done(figure, axes, title)


def _pairwise(
    title: str,
    rows: Sequence[tuple[str, float, float]],
    unit: str,
    labels: tuple[str, str],
) -> Plot:
    """A row for each name: a bar for the first share, a diamond for the second; in percent."""
    figure, axes = _empty(6.4, 1.5 + 0.26 * len(rows))
    places = range(len(rows))
    axes.barh(places, [100 * a for _, a, _ in rows], 0.7, color=colours()["real"], label=labels[0])
    _diamonds(axes, [100 * b for _, _, b in rows], places, labels[1])
    axes.set_yticks(places, [_name(name) for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    return _done(figure, axes, title)


def _map(names: Sequence[str], matrix: Sequence[Sequence[float | None]]) -> Plot:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    n = len(names)
    side = max(4.2, 1.8 + 0.3 * n)
    figure, axes = _empty(side + 1.2, side)
    ink = colours()
    levels = [100 * level for level in charts.LEVELS]
    kinds = ListedColormap([ink[f"l{i}"] for i in range(len(levels) + 1)])
    ends = [level * (1 + 1e-9) for level in levels]  # a class holds its upper end, as on the page
    norm = BoundaryNorm([0.0, *ends, 100.0], kinds.N)
    nothing = float("nan")
    cells = [[_percent(matrix[i][j]) if j <= i else nothing for j in range(n)] for i in range(n)]
    drawn = axes.imshow(cells, cmap=kinds, norm=norm)
    if n <= charts.MAX_NUMBERED:
        for i in range(n):
            for j in range(i + 1):
                if matrix[i][j] is not None:
                    dark = cells[i][j] > levels[3]
                    shade = ink["paper"] if dark else ink["ink"]
                    axes.text(j, i, f"{cells[i][j]:.0f}", ha="center", va="center", color=shade)
    axes.set_xticks(range(n), [_name(name) for name in names], rotation=60, ha="right")
    axes.set_yticks(range(n), [_name(name) for name in names])
    bar = figure.colorbar(drawn, spacing="uniform", ticks=[0, *levels, 100])
    bar.set_label("total-variation distance (%)")
    return _done(figure, axes, "Distance of each pair of columns from the real rows", key=False)


def _learners(found: Any) -> Plot:
    figure, axes = _empty(6.4, 1.7 + 0.5 * len(found.learners))
    ink = colours()
    places = range(len(found.learners))
    real = [one.real for one in found.learners]
    axes.barh(places, real, 0.6, color=ink["real"], label="trained on real rows")
    _diamonds(axes, [one.synthetic for one in found.learners], places, "trained on the release")
    low = [one.real + one.low for one in found.learners]
    high = [one.real + one.high for one in found.learners]
    axes.hlines(places, low, high, color=ink["synthetic"], label="90 % interval")
    axes.axvline(found.chance, color=ink["soft"], linestyle="--", label="a guess")
    axes.set_yticks(places, [one.name for one in found.learners])
    axes.invert_yaxis()
    axes.set_xlabel(f"{found.measure} on {found.rows_holdout:,} rows of the holdout")
    return _done(figure, axes, f"Models that predict {_name(found.target)}")


def _empty(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure in inches, of its own: pyplot, which keeps a list of figures, is not asked."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "pictures need the package matplotlib: pip install 'dpsynth[plots]'"
        ) from None
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _diamonds(axes: Axes, x: Any, y: Any, label: str = "synthetic") -> None:
    ink = colours()
    face: dict[str, Any] = {"markerfacecolor": ink["paper"], "markeredgecolor": ink["synthetic"]}
    axes.plot(x, y, "D", markersize=6, markeredgewidth=1.6, label=label, **face)


def _done(figure: Figure, axes: Axes, title: str, *, key: bool = True) -> Plot:
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if key:
        figure.legend(loc="outside lower right", frameon=False, fontsize=8, ncols=2)
    figure.supxlabel(_STAMP, x=0.01, ha="left", fontsize=8, color=colours()["bad"])
    return Plot(figure, f"{title}. {_STAMP}")


def _percent(distance: float | None) -> float:
    return float("nan") if distance is None else 100 * distance


def _name(name: str) -> str:
    """A name as matplotlib shows it: a dollar sign would begin a formula."""
    return clip(str(printable(name)), 24).replace("$", r"\$")
