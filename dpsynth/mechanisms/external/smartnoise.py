"""SmartNoise: a synthesizer of smartnoise-synth 1.0.8, run by an interpreter of its own.

It pins packages that cannot live beside ours (opacus 0.14, pandas 2), so it lives elsewhere:
`docs/external-programs.md` has the one line that sets it up. Its preprocessing has nothing to spend
on: the worker tells it the public domain.

What is known against its claims was found by reading version 1.0.8, or by audits of it; the
certificate prints it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.data.tables.codec import schema_domain
from dpsynth.kernel.budget import Budget
from dpsynth.mechanisms.external.base import ExternalMechanism, even_groups
from dpsynth.programs.external import ExternalProgram
from dpsynth.programs.run import answer
from dpsynth.schema.table import Schema, SchemaError

VERSION = "1.0.8"
VARIABLE = "DPSYNTH_SMARTNOISE"
HOME = "~/.dpsynth/smartnoise"
_WORKER = Path(__file__).with_name("smartnoise_worker.py")
_ASK = "from importlib.metadata import version; print(version('smartnoise-synth'))"
_MWEM_CELLS = 10_000_000

_FLOATS = (
    "Its noise is added in floating-point arithmetic, whose last digits can betray an exact value."
)
_BATCHES = (
    "It draws training batches, and what it conditions its release on, by exact category counts,"
    " while its accounting"
    " assumes batches at random and knows of no such counts."
)
_EPOCHS = "It looks at its budget before each epoch only, so its last epoch may go over it."
_TEACHERS = (
    "It shares rows among teachers by their place in the table and their exact number, so one row"
    " more may change what"
    " every teacher learns, where its accounting says that it changes one."
)
_VOTES = (
    "The loss that stops its training is computed from exact votes, and so is itself not private."
)
KNOWN: Mapping[str, tuple[str, ...]] = {
    "mst": ("It fits its model to the exact number of rows, for which it does not pay.", _FLOATS),
    "aim": (_FLOATS,),
    "mwem": (
        "It starts from the exact number of rows, and sets by it how long it runs; it does not pay"
        " for that.",
        "It reads the exact smallest and largest code of each column.",
        _FLOATS,
    ),
    "dpctgan": (_BATCHES, _EPOCHS, _FLOATS),
    "dpgan": (
        "It draws training batches by shuffling, while its accounting assumes batches at random:"
        " published audits"
        " found such guarantees overstated several times over (arXiv 2411.10614).",
        _EPOCHS,
        _FLOATS,
    ),
    "patectgan": (
        "One network stands for all of its teachers and its student, and learns from private rows"
        " without noise.",
        "It draws what it conditions its release on from exact private rows.",
        _TEACHERS,
        _VOTES,
        _FLOATS,
    ),
    "pategan": (
        "A published audit of 2024 told neighbouring tables apart without an error in 400 tries, at"
        " a claim of epsilon"
        " 1, which refutes every epsilon below 4.6.",
        _TEACHERS,
        _VOTES,
        _FLOATS,
    ),
}
"""Of each synthesizer what is known against its claim."""


@dataclass(frozen=True, kw_only=True)
class SmartNoise(ExternalMechanism):
    """A synthesizer of smartnoise-synth, in an environment of its own.

    Parameters
    ----------
    claim, rows, max_cells, time_limit
        As of `ExternalMechanism`.
    synthesizer : str
        Its name in that library, a key of KNOWN.
    environment : str, Path or None
        The folder of its environment, or its Python; None is what DPSYNTH_SMARTNOISE names, or
        ~/.dpsynth/smartnoise.

    Raises
    ------
    ValueError
        For a name that KNOWN does not have.

    Examples
    --------
    >>> mechanism = SmartNoise(synthesizer="aim")
    >>> mechanism.name
    'smartnoise:aim'
    >>> mechanism.cautions
    ('Its noise is added in floating-point arithmetic, whose last digits can betray an exact
    value.',)
    """

    synthesizer: str
    environment: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.synthesizer not in KNOWN:
            raise ValueError(
                f"smartnoise:NAME needs one of the names {list(KNOWN)}, got {self.synthesizer!r}"
            )

    @property
    def name(self) -> str:
        return f"smartnoise:{self.synthesizer}"

    @classmethod
    def family_settings(cls, member: str) -> dict[str, Any]:
        return {"synthesizer": member}

    @property
    def words(self) -> tuple[str, ...]:
        return (
            str(self._python()),
            "-I",
            "-B",
            str(_WORKER),
            self.synthesizer,
            "{input}",
            "{output}",
            "{job}",
        )

    @property
    def cautions(self) -> tuple[str, ...]:
        return KNOWN[self.synthesizer]

    def event(self, budget: Budget) -> ExternalProgram:
        """What a fit with this budget pays for; mwem claims no delta."""
        own = super().event(budget)
        return ExternalProgram(own.epsilon) if self.synthesizer == "mwem" else own

    def check_schema(self, schema: Schema) -> None:
        super().check_schema(schema)
        if self.claim is not None and self.claim.delta == 0 and self.synthesizer != "mwem":
            raise ValueError(f"{self.name} needs a delta above 0 in its claim, got {self.claim}")
        if self.synthesizer == "mwem":
            _refuse_many_cells(schema, self.max_cells)
        found = answer([str(self._python()), "-I", "-c", _ASK], 60)
        if found != VERSION:
            raise ValueError(
                f"{self._python()} has"
                f" {'no smartnoise-synth' if found is None else f'smartnoise-synth {found}'}, and"
                f" {VERSION} is needed: set it up as docs/external-programs.md says, and name it by"
                f" environment= or {VARIABLE}"
            )

    def _python(self) -> Path:
        given = Path(self.environment or os.environ.get(VARIABLE) or HOME).expanduser()
        return given / "bin" / "python" if given.is_dir() else given


def _refuse_many_cells(schema: Schema, most: int) -> None:
    """mwem's histogram has a cell for every possible row."""
    if schema.open:
        raise SchemaError(
            "smartnoise:mwem keeps a cell for every possible row, and the categories of"
            f" {schema.open[0]!r} are open: declare them, or use another synthesizer"
        )
    cells = 1
    for group in even_groups(schema_domain(schema), most).values():
        cells *= int(group[-1]) + 1
    if cells > _MWEM_CELLS:
        raise SchemaError(
            f"smartnoise:mwem keeps a cell for every possible row, {cells:.3g} here; more than"
            f" {_MWEM_CELLS:,} would"
            " not fit: give it fewer columns, or a smaller max_cells"
        )
