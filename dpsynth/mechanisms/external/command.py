"""External: any command that reads a table and writes a table, paid for by what it claims.

Synthesizer(schema, "external:", epsilon=1.0, delta=1e-6,
            command=["python", "generator.py", "{input}", "{output}", "--epsilon", "{epsilon}"])
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from dpsynth.mechanisms.external.base import ExternalMechanism
from dpsynth.programs.run import PLACES
from dpsynth.schema.table import Schema


@dataclass(frozen=True, kw_only=True)
class External(ExternalMechanism):
    """Any command that reads a table and writes a table.

    Parameters
    ----------
    claim, rows, max_cells, time_limit
        As of `ExternalMechanism`.
    command : sequence of str
        Its words, run without a shell in the current folder. `{input}` and `{output}` are Parquet
        files, `{job}` a JSON file that says all that is asked; `{epsilon}`, `{delta}` and `{rows}`
        may be words, or parts of words, too.

    Raises
    ------
    ValueError
        For no words, and for words that name neither `{output}` nor `{job}`.

    Examples -------- >>> External(command=["python", "generator.py", "{input}", "{output}",
    "{job}"], rows=1000).words ('python', 'generator.py', '{input}', '{output}', '{job}')
    """

    command: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        words = self.command
        if isinstance(words, str) or not words or not all(isinstance(word, str) for word in words):
            raise ValueError(
                'external: needs the words of a command, command=["python", "generator.py",'
                ' "{input}", "{output}"],'
                f" got {words!r}"
            )
        if not any(place in word for word in words for place in ("{output}", "{job}")):
            raise ValueError(
                f"the command names neither {{output}} nor {{job}}, one of its places"
                f" {list(PLACES)}"
            )
        object.__setattr__(self, "command", tuple(words))

    @property
    def name(self) -> str:
        return "external:"

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.command)

    def check_schema(self, schema: Schema) -> None:
        super().check_schema(schema)
        if shutil.which(self.words[0]) is None:
            raise ValueError(
                f"no program {self.words[0]!r} is to be found: give its path, or the first word"
                " right"
            )
        pure = self.claim is not None and self.claim.delta == 0
        needed = ["{epsilon}"] if pure else ["{epsilon}", "{delta}"]
        told = any("{job}" in word for word in self.words)
        told = told or all(any(place in word for word in self.words) for place in needed)
        unit = schema.unit
        if not told and (unit.max_records > 1 or unit.adjacency == "replace"):
            raise ValueError(
                f"the unit is {unit.describe()}, and a program's claim is for one row added or"
                " removed: it must be told"
                f" a smaller one, by {' and '.join(needed)} or {{job}} in its command"
            )
