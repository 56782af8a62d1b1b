"""Linking: two accounts that hold overlapping people become one."""

from __future__ import annotations

from dpsynth.ledger.reader import Book
from dpsynth.ledger.store import Memory


def link(mine: Book, theirs: Book, time: str) -> None:
    """From now on the first account pays for the people in the other too, and bears what was spent or reserved there.

    The other account is closed first, and a second call goes on where the first one ended. After a crash in between
    nothing more is granted on the other account; what it bore is not yet borne here, and a second call has to bring it,
    to whichever account this one was joined to meanwhile. Raises ValueError when the two cannot share one account.
    """
    for book in (mine, theirs):
        book.refresh()
    one, other = mine.account, theirs.account
    if isinstance(mine.store, Memory) or isinstance(theirs.store, Memory) or one.key == other.key:
        raise ValueError("accounts are linked when each has a file of its own: give two ledgers")
    if one.unit != other.unit:
        raise ValueError(
            f"one protects {one.unit.describe()}, the other {other.unit.describe()}: one account needs one unit"
        )
    one.refuse_other_units(other.told)
    if one.closed is not None:
        raise ValueError(one.closed)
    with theirs.writing() as write:
        if theirs.account.forward is None:
            write("forward", {"account": one.key, "dataset": one.dataset, "time": time})
        elif theirs.account.forward[0] not in (one.key, *mine.account.linked):
            raise ValueError(theirs.account.closed)
    with mine.writing() as write:
        if other.key not in mine.account.linked:
            facts = {"account": other.key, "dataset": other.dataset, "head": theirs.lines[-1].hash, "time": time}
            through, events = sorted(theirs.account.linked), theirs.account.counted_events(theirs.lines)
            write("link", {**facts, "reading": other.told, "through": through, "events": events})
