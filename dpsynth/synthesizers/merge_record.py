"""What a merge is: its sources' certificates, what it claims by them, and where they disagree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter
from pathlib import Path
from typing import Any

from dpsynth.base.places import expanded
from dpsynth.base.text import at_most, one_in, percent, printable, said
from dpsynth.evidence import wording
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.pages import render

VERSION = 1
FILES = "merge.json", "merge.html"

_NOT_CHECKED = (
    "Whether a person is in several sources is not known here: it is what the person who merged"
    " them has stated.",
    "Other releases of a source's rows are counted by its ledger, and not here.",
    "A set of columns in which no conflict was found may still differ: by less than the noise and"
    " the draw of the rows show.",
)


def claim_of(certificates: Sequence[Mapping[str, Any]], disjoint: bool) -> dict[str, Any]:
    """What holds for one unit, by the claims of the sources' certificates.

    Of people who are in one source at most nothing adds up: the largest claim holds. Where records
    are replaced, that is so for others in the same source alone: what moves from one source to
    another changes both, and no source's claim covers it. Else epsilons and deltas add (basic
    composition). Nothing is claimed where a source claims nothing.
    """
    if not all(each["claim"]["private"] for each in certificates):
        return {"private": False, "sentence": wording.NOT_PRIVATE, "epsilon": None, "delta": None}
    figures = [[each["budget"][name] for each in certificates] for name in ("epsilon", "delta")]
    epsilon, delta = (max(each) if disjoint else _sum(each) for each in figures)
    unit = certificates[0]["unit"]["description"]
    if disjoint and certificates[0]["unit"]["adjacency"] == "replace":
        unit += " in the same source"
    why = (
        "as it was stated that nobody is in more than one source, the largest of their claims holds"
        if disjoint
        else "as somebody may be in several sources, their claims are added up"
    )
    sentence = (
        f"This merge is ({at_most(epsilon, 6)}, {at_most(delta, 6)})-differentially private for"
        f" {unit}: {why}. It was made of what its sources had released, and spends nothing."
    )
    return {"private": True, "sentence": sentence, "epsilon": epsilon, "delta": delta}


def _sum(values: Sequence[float]) -> float:
    """The sum, rounded up."""
    exact = sum(map(Fraction, values))
    found = float(exact)
    return found if Fraction(found) >= exact else nextafter(found, inf)


def record_of(
    certificates: Sequence[Certificate],
    *,
    counts: str,
    disjoint: bool,
    rate: float,
    rows: Sequence[float],
    merged: float,
    model: str,
    found: Mapping[str, Any],
) -> dict[str, Any]:
    """A merge as JSON can hold it.

    found: the comparisons, the noise of each set of columns, sets that were left out, and columns
    that not all sources have.
    """
    records = [each.record for each in certificates]
    sources = [
        {"number": i + 1, "rows": own, "model": each.model, "certificate": each.record}
        for i, (each, own) in enumerate(zip(certificates, rows, strict=True))
    ]
    return {
        "dpsynth_merge": VERSION,
        "claim": claim_of(records, disjoint),
        "unit": records[0]["unit"],
        "counts": counts,
        "disjoint": disjoint,
        "rows": merged,
        "false_discovery_rate": rate,
        **found,
        "mechanism": {"name": "merge", "settings": {"counts": counts, "disjoint": disjoint}},
        "run": {"ended": {"kind": "merge", "release": model}},
        "sources": sources,
        "not_promised": [*_NOT_CHECKED],
    }


@dataclass(frozen=True, repr=False)
class MergeCertificate(Certificate):
    """The evidence for a merge: its sources' certificates, its claim, and the conflicts.

    Parameters
    ----------
    record : dict of str to object
        What merge.json holds, in the format `dpsynth_merge: 1` (docs/formats.md).

    Examples
    --------
    >>> claim_of([{"claim": {"private": False}}], disjoint=True)["private"]
    False
    """

    @classmethod
    def load(cls, path: str | Path) -> MergeCertificate:
        """Reads merge.json, or the one in a folder, and verifies it.

        Raises
        ------
        OSError, ValueError
            Where it cannot be read, or does not hold.
        """
        file = expanded(path)
        file = file / FILES[0] if file.is_dir() else file
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get("dpsynth_merge") != VERSION:
            raise ValueError(
                f"{file} is no merge of format {VERSION}: read it with the version of dpsynth that"
                " wrote it"
            )
        made = cls(record)
        made.verify()
        return made

    @property
    def conflicts(self) -> list[Mapping[str, Any]]:
        """The sets of columns in which two sources disagree, the surest first."""
        return [each for each in self.record["comparisons"] if each["conflict"]]

    def verify(self) -> None:
        """Verifies each source's certificate, and that the claim follows from these.

        Whether the comparisons are right is not seen here: that takes the sources' models, as
        `dpsynth verify` of the merged model's file has them.

        Raises
        ------
        ValueError
            When something does not hold; the message says what.
        """
        records = [each["certificate"] for each in self.record["sources"]]
        for number, record in enumerate(records, 1):
            try:
                Certificate(record).verify()
            except ValueError as fault:
                raise ValueError(f"source {number}: {fault}") from None
        if self.record["claim"] != claim_of(records, self.record["disjoint"]):
            raise ValueError("the claim is not what follows from the certificates of the sources")

    def to_html(self) -> str:
        """The text of merge.html."""
        found = {"found": self.conflicts, "most": max(len(self.conflicts), 20)}
        return render.page("merge", {**self.record, **found})

    def save(self, directory: str | Path) -> Path:
        """Writes merge.json and merge.html.

        Parameters
        ----------
        directory : str or Path
            Where; it is created if it does not exist.

        Returns
        -------
        Path
            The directory.

        Raises
        ------
        OSError
            When the files cannot be written.
        """
        texts = dict(zip(FILES, (self.to_json(), self.to_html()), strict=True))
        return render.save(expanded(directory), texts)

    def summary(self) -> str:
        """A few lines for a terminal."""
        it = self.record
        rows = ", ".join(f"{each['rows']:,.0f}" for each in it["sources"])
        lines = [
            it["claim"]["sentence"],
            f"  counts     {it['counts']}: {rows} rows become {it['rows']:,.0f}",
            f"  conflicts  in {len(self.conflicts)} of {len(it['comparisons'])} comparisons",
        ]
        lines += [f"  {'':<10} {_in_words(each)}" for each in self.conflicts[:10]]
        if len(self.conflicts) > 10:
            lines.append(f"  {'':<10} and {len(self.conflicts) - 10:,} more, in merge.html")
        for name, words in (
            ("one_source", "only some sources have"),
            ("left_out", "left out, as the model would be too large:"),
        ):
            if it[name]:
                told = [" x ".join(each) if isinstance(each, list) else each for each in it[name]]
                lines.append(f"  {'columns':<10} {words} {', '.join(told)}")
        return str(printable(said("\n".join(lines))))

    def _repr_html_(self) -> str:
        return render.fragment("merge", {**self.record, "found": self.conflicts})


def _in_words(found: Mapping[str, Any]) -> str:
    one, other = found["sources"]
    words = f"{' x '.join(found['columns'])} of sources {one} and {other}"
    chance = f"by chance at most {one_in(max(found['chance'], 1e-12))}"
    cells = [
        f"{each['where']}: {percent(each['shares'][0])} and {percent(each['shares'][1])}"
        for each in found["most"][:1]
    ]
    return "; ".join([f"{words}, {chance}", *cells])
