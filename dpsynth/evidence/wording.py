"""The sentences of a certificate, in one place, so that a reviewer can read all that is promised.

`claim` and `meaning` belong to the certificate's format: a certificate is checked against them, so
that another wording is another version of the format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpsynth.base.text import at_most, clip, exact
from dpsynth.kernel.unit import PrivacyUnit

NOT_PRIVATE = (
    "NOT PRIVATE: the noise of this run came from a seed, so it can be predicted and removed."
    " Nothing is claimed for this release; it is fit for tests with invented data only."
)

NOTHING_PROMISED = (
    "The noise of this run can be predicted, so nothing is promised about privacy.",
)

NOT_PROMISED = (
    "Differential privacy is not anonymity by itself: whether the release is still personal data"
    " under a law is for a person to judge, with this certificate as evidence.",
    "Statistics about the population are learned by design. They may say something about a"
    " person who is like others, whether or not that person's records were used.",
    "Groups are protected less than single units: for k units together the loss is about k times"
    " as large.",
    "The public facts in the schema are taken as declared. Bounds and categories must be known"
    " without looking at the rows; nobody can check this from the release.",
    "Other releases made from the same data outside this ledger are not counted. Their losses"
    " add to this one.",
    "Code in the same process is not kept out, nor is anyone who can read the memory or the disk"
    " of the machine that made the release.",
    "How long the run took, how much memory it used, and other traces of it on that machine are"
    " not covered.",
    "This certificate does not say how accurate, fair or useful the synthetic records are. The"
    " quality page answers a part of that. It compares them with the real records exactly, so it"
    " is internal and not differentially private.",
    "This page is a statement and not a signature. It can be relied on only together with a"
    " ledger that somebody else keeps, whose lines must include the head that the page gives.",
)


def claim(private: bool, epsilon: float, delta: float, unit: str) -> str:
    """What is claimed: how much, for whom, and under which composition.

    unit: `PrivacyUnit.describe()`.
    """
    if not private:
        return NOT_PRIVATE
    return (
        f"This release is ({exact(epsilon)}, {exact(delta)})-differentially private for {unit}."
        " This holds for all charges of its run together, even where later ones depend on earlier"
        " answers; other releases of the same data add to it."
    )


def meaning(secret: str, percent_right: float, made_from: str = "this release alone") -> str:
    """The claim for readers who are new to it. secret: what an attacker wants to know."""
    return (
        "Whatever else somebody knows, even every other record: the best possible guess of"
        f" {secret}, made from {made_from}, is right at most {percent_right:g} times in"
        " 100, where tossing a coin is right 50 times."
    )


def secret(unit: PrivacyUnit) -> str:
    """What an attacker wants to know of one unit, put so that it fits after 'a guess of'."""
    if unit.id_column is not None:
        who = f"the records of one {unit.name}"
    else:
        who = "one record" if unit.max_records == 1 else f"a group of {unit.max_records} records"
    verb = "was" if unit.id_column is None else "were"
    if unit.adjacency == "add-remove":
        return f"whether {who} {verb} in the data"
    return f"which of two candidates for {who} {verb} in the data"


def schedule(fixed: bool, epsilon: float) -> str:
    """Whether the charges were chosen beforehand, and what such a list costs as a whole."""
    figure = f"epsilon {at_most(epsilon)}"
    if fixed:
        return f"chosen before any row was read: together {figure}, which is claimed as well"
    return (
        "may depend on earlier answers, so the budget is the claim; the same charges, all chosen"
        f" before any row was read, would cost {figure}"
    )


ROWS_WITHOUT_ID = "all such rows together are one unit"


def without_id(unit: PrivacyUnit) -> list[str]:
    """What happens to rows without an id; nothing to say where units have no ids."""
    if unit.id_column is None:
        return []
    rows = "1 of them is" if unit.max_records == 1 else f"{unit.max_records} of them are"
    lacking = ", ".join(map(repr, unit.columns))
    said = [
        f"All rows without a value in {lacking} together count as one unit, and at most {rows}"
        " used: the people behind them are protected as a group, not one by one."
    ]
    if len(unit.columns) > 1:
        said.append(
            "Where some of these columns have no value, that counts as a value of its own: rows are"
            " one unit if they agree in all of the columns, in what is missing too."
        )
    said += [
        f"A row whose {column!r} is missing or cannot be read as a date lies in one more {period}"
        f" of its own; dates outside the public bounds lie in the first or the last {period}."
        for column, period in unit.periods.items()
    ]
    return said


def periods(unit: PrivacyUnit, grown: Mapping[int, float]) -> list[str]:
    """For a unit that is a period of somebody: who is not protected, and by how much less.

    grown: for some numbers of periods the epsilon, at the release's delta, of all of them together;
    empty where charges were not Gaussian noise alone.
    """
    if not unit.periods:
        return []
    period = " and ".join(unit.periods.values())
    who = " and ".join(repr(c) for c in unit.columns if c not in unit.periods)
    figures = "; ".join(f"{n} {period}s: epsilon {at_most(e)}" for n, e in grown.items())
    at = f" At the same delta, that is for {figures}." if figures else ""
    grows = (
        "the loss mu of Gaussian differential privacy is k times as large"
        if figures
        else "epsilon is k times as large, delta (exp(k epsilon) - 1) / (exp(epsilon) - 1) times"
    )
    return [
        f"CAUTION: this protects what one {who} does in one {period}, and not the {who} as a whole."
        f" For somebody with records in k {period}s {grows}.{at}"
    ]


def accounting(private: bool, gaussian: bool, program: bool = False) -> list[str]:
    """How the numbers of a certificate come about, with sources.

    gaussian: whether all charges are Gaussian noise. program: whether all are for another program.
    """
    if not private:
        return ["The random bits came from a seed: the noise can be repeated and subtracted."]
    if program:
        return PROGRAM_ACCOUNTING
    return [
        *(
            ["Private values entered the release with Gaussian noise added, and in no other way."]
            if gaussian
            else OTHER_EVENTS
        ),
        "A charge with noise multiplier s costs 1/s² of the budget, measured as mu² of Gaussian"
        " differential privacy (Dong, Roth and Su, Journal of the Royal Statistical Society B,"
        " 2022, Theorem 1).",
        "Costs add, exactly, as whole numbers. Each charge was recorded before it was granted,"
        " and granted only while the sum stayed within the budget. This holds although later"
        " charges depend on earlier answers (Smith and Thakurta, arXiv 2210.17520: the Gaussian"
        " privacy filter). The claim is the budget, set before any row was read, not the amount"
        " spent.",
        "The sum is turned into (epsilon, delta) without loss (Balle and Wang, arXiv 1805.06530,"
        " Theorem 8), in 100-digit arithmetic, rounded against the claim.",
        "Noise is a Gaussian rounded to whole numbers and added to whole-number counts. This"
        " equals the exact Gaussian mechanism followed by rounding, and leaves no low-order bits"
        " that could reveal a count.",
        "The drawn noise differs from the ideal one by a total variation of at most 2^-400 a"
        " draw. This, for up to 2^60 draws, is taken from delta before anything is granted.",
        "The random bits came from the operating system. No seed exists with which the noise"
        " could be repeated.",
    ]


OTHER_EVENTS = [
    "Private values entered the release with Gaussian noise added, or through the other events"
    " that the list of charges names.",
    "Training on random samples is charged as a Gaussian curve that lies at no point more than"
    " 2^-60 below its own privacy curve. It is found by privacy loss distributions that are"
    " rounded up throughout. What a Gaussian curve falls short of its event, and an event's own"
    " delta, are paid from a part of delta that was kept for them before anything was read.",
    "Another program's epsilon and delta are added as they are (basic composition), within parts"
    " of epsilon and delta that were kept for programs before anything was read; that it keeps"
    " to them is its own promise, not checked here.",
    "Figures for a list of charges as a whole come from privacy loss distributions of all of"
    " them together. They hold where all charges were chosen before any row was read; no charge"
    " was ever allowed because of them.",
]
PROGRAM_ACCOUNTING = [
    "Private values entered the release through another program only. It was given at most so"
    " many rows of each unit as the unit allows, as cells of the public domain, after its charge"
    " was recorded. Of what it wrote, only cells of that domain were accepted, in the number of"
    " rows requested. What it printed was not kept.",
    "Its noise, its random bits and its accounting are its own, and were not checked here.",
    "Its claim is for one row added or removed. Where a unit has k rows, the program was asked for"
    " an epsilon k times smaller, and 2k times smaller where units are replaced (Dwork and Roth,"
    " The algorithmic foundations of differential privacy, Theorem 2.2).",
    *OTHER_EVENTS[2:],
]
EXTERNAL_PROGRAM = (
    "CAUTION: another program made this release. That it is differentially private is that"
    " program's own claim: it was recorded and charged for here as it was stated, and nobody has"
    " checked it."
)


def resumed(resumed: int, lost: int) -> str:
    """For a training that went on after its process had died."""
    times = "once" if resumed == 1 else f"{resumed} times"
    return (
        f"interrupted, and resumed {times} under the charge it had begun with: {lost} of its steps"
        " were lost"
    )


LARGE_DELTA = (
    "CAUTION: delta is large for this many rows. A release that published one random row in ten"
    " thousand would meet a delta of 0.0001; delta should be far below one divided by the number of"
    " rows."
)
IDENTIFIER_WITHOUT_UNIT = (
    "CAUTION: the schema has an identifier column and protects single records. If a person may"
    " have several records, name the column in the schema's unit (id_column), or each person is"
    " protected less than this certificate says."
)


def repeating(names: Sequence[str], seen: bool, dated: bool) -> str:
    """For names that repeat: rows of one name have nothing else in common.

    dated: whether a unit is a period of a person, beyond which no name repeats.
    """
    name = " and ".join(map(repr, names))
    known = (
        f"New names in {name} repeat as real ones do, by a noisy count of units by their rows"
        if seen
        else f"The rows of one {name} did not stand out from the noise, so each name comes once"
    )
    within = (
        " Each name comes in one period only, since nothing counts how many periods a person has."
        if dated and seen
        else ""
    )
    return (
        f"CAUTION: {known}.{within} Which rows have one name is drawn at random: they are no"
        " history of one person, and say nothing of how visits of one person hang together."
    )


def unread(name: str, share: float, rows: int, stddev: float, nullable: bool) -> str:
    """For a column of which little was read as declared, by counts that are charged."""
    if nullable:
        what = "are missing, or could not be read as the schema declares them"
        then = "almost all values of the column are missing in the release"
    else:
        what = "could not be read as the schema declares them, or are missing"
        then = "the release has made-up values in their place"
    return (
        f"CAUTION: about {round(100 * share)} % of the values of {name!r} {what}, and {then}. This"
        f" follows from noisy counts that were already paid for: {rows:,} rows (standard deviation"
        f" {at_most(stddev, 2)}). Run 'dpsynth schema check', then correct the schema or the file."
    )


def mostly_other(name: str, share: float) -> str:
    """For a column of open categories, of which a fit found few."""
    return (
        f"CAUTION: about {round(100 * share)} % of the values of {name!r} became OTHER, as too few"
        " have each of them for it to be found. Declare a public list of categories, or the"
        " lengths of prefixes (levels), or spend more."
    )


def unread_besides(names: Sequence[str]) -> str:
    """For the columns of which the same is true, beside those that have a sentence each."""
    listed = ", ".join(repr(clip(name, 40)) for name in names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    of = "1 more column" if len(names) == 1 else f"{len(names)} more columns"
    return f"CAUTION: the same is true of {of}: {listed}{more}."


def known(sources: Sequence[str], marginals: int) -> str:
    """For a fit that started from known marginals."""
    return (
        f"CAUTION: {marginals} known marginal(s) entered this release at no charge, from:"
        f" {'; '.join(sources)}. This certificate does not answer for them: they must be public,"
        " or paid for elsewhere."
    )


def declared(by: str, time: str | None) -> str:
    """For an account that was imported, and continues the one that it was exported from."""
    return (
        f"CAUTION: the account was imported, and {repr(by) if by else 'somebody'} declared (time:"
        f" {time}) that no other copy of it is spent from. What was spent from another one is not"
        " in this certificate's figures."
    )


def against(sentence: str) -> str:
    """What is known against another program's claim."""
    return f"CAUTION, of that program: {sentence}"
