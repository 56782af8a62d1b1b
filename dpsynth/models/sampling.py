"""Rows from a calibrated tree with little more noise than rounding.

Plain draws add to a model the error of a second sample. Here each node first settles how many rows
take each of its cells (`rounding`): of the rows that agree on the separator each cell is given
floor or ceil of what it expects, and every value of a column is given what it expects to within a
few rows. Then the cells of a group are shuffled like a deck of cards and dealt to its rows: a
single row follows the model exactly, rows are exchangeable, and branches are independent given the
counts of their separators. For Adult and as many rows as it has, one-way counts are a hundred times
nearer to the model than plain draws.

Decks are shuffled whole, so the blocks in which they are dealt leave no trace. Beyond the rows
themselves a sample takes the memory of one node's decks, 1 to 4 bytes a row, of a block, and of the
model's tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, code_dtype
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.rounding import counts_of_groups

_BLOCK = 2**17
"""Rows dealt at once: what they need should fit into a processor's cache."""

_PART = 2**15
"""Cards shuffled at once, for the same reason."""

_SHORT = 64
"""Decks of so many cards or fewer are shuffled together: a call for each would take longer."""

_TOGETHER = 2**11
"""So many short decks are shuffled at once: 2^11 decks of 64 cards fit into a cache, as a block."""

_FEW = 2**19
"""Rows times cells of a tree: below this rows are drawn one by one sooner than they are dealt."""

_KEYS = 2**16
"""Short decks are shuffled by random keys below this: numpy sorts 16 bits by radix."""


def sample_tree(
    tree: JunctionTree, beliefs: Sequence[np.ndarray], n: int, rng: np.random.Generator
) -> Codes:
    """n rows from the distribution of which `beliefs` are the node marginals, columns in the order
    of the domain.
    """
    domain = tree.domain
    columns: Codes = {a: np.empty(n, code_dtype(domain.size(a))) for a in domain.attributes}
    sizes = {0: np.array([n])}
    for i, (node, separator, belief) in enumerate(
        zip(tree.nodes, tree.separators, beliefs, strict=True)
    ):
        new = node[len(separator) :]
        counts = counts_of_groups(
            belief.reshape(domain.cells(separator), -1), sizes.pop(i), domain.shape(new), rng
        )
        for child in tree.children[i]:
            others = tuple(axis for axis, a in enumerate(node) if a not in tree.separators[child])
            sizes[child] = counts.reshape(belief.shape).sum(axis=others).ravel()
        _deal_cells(domain, separator, new, counts, columns, rng)
    return columns


def few(tree: JunctionTree, n: int) -> bool:
    """Whether `draw_tree` is quicker than `sample_tree` for n rows."""
    return n * sum(new_cells(tree, i) for i in range(len(tree.nodes))) <= _FEW


def new_cells(tree: JunctionTree, i: int) -> int:
    """The cells of a node's attributes that its parent does not hold."""
    return tree.domain.cells(tree.nodes[i][len(tree.separators[i]) :])


def draw_tree(
    tree: JunctionTree, beliefs: Sequence[np.ndarray], n: int, rng: np.random.Generator
) -> Codes:
    """n independent rows of the distribution that `sample_tree` draws from, row by row."""
    domain = tree.domain
    columns: Codes = {a: np.empty(n, code_dtype(domain.size(a))) for a in domain.attributes}
    for node, separator, belief in zip(tree.nodes, tree.separators, beliefs, strict=True):
        table = belief.reshape(domain.cells(separator), -1)
        numbers = _cell_numbers(domain, separator, columns, slice(0, n))
        groups, which = np.unique(numbers, return_inverse=True)
        upto = np.cumsum(table[groups], axis=1)
        # one ascending table of all groups: that of group i goes from i to i + 1
        upto = upto / upto[:, -1:] + np.arange(len(groups))[:, None]
        found = np.searchsorted(upto.ravel(), which + rng.random(n), side="right")
        cells = np.minimum(found - which * table.shape[1], table.shape[1] - 1)
        new = node[len(separator) :]
        for a, codes in zip(new, np.unravel_index(cells, domain.shape(new)), strict=True):
            columns[a][:] = codes
    return columns


def _deal_cells(
    domain: Domain,
    given: Clique,
    new: Clique,
    counts: np.ndarray,
    columns: Codes,
    rng: np.random.Generator,
) -> None:
    """Fills the columns of `new`: counts[g, c] of the rows whose cell of `given` is g take the cell
    c of `new`.
    """
    group, cell = np.divmod(np.flatnonzero(counts), counts.shape[1])
    decks = Decks.shuffled(
        group, cell.astype(code_dtype(counts.shape[1])), counts[group, cell], len(counts), rng
    )
    tables = np.unravel_index(np.arange(counts.shape[1]), domain.shape(new))
    codes = {a: table.astype(columns[a].dtype) for a, table in zip(new, tables, strict=True)}
    for rows in blocks(len(columns[new[0]])):
        cells = decks.deal(_cell_numbers(domain, given, columns, rows))
        for attribute, table in codes.items():
            # mode "raise" would buffer
            table.take(cells, out=columns[attribute][rows], mode="clip")


def blocks(n: int) -> Iterator[slice]:
    """The rows from 0 to n, a block at a time."""
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


@dataclass(eq=False)
class Decks:
    """A shuffled deck of cards for each group, dealt from the top.

    cards: the decks one after another. top: for each group the place of its next card.
    """

    cards: np.ndarray
    top: np.ndarray

    @classmethod
    def shuffled(
        cls,
        group: np.ndarray,
        card: np.ndarray,
        times: np.ndarray,
        number: int,
        rng: np.random.Generator,
    ) -> Decks:
        """Decks of `number` groups: times[i] (1 or more) cards card[i] are in that of group[i].
        `group` is sorted.
        """
        cards = np.repeat(card, times)
        kinds, sizes = (
            np.bincount(group, weights, number).astype(np.int64) for weights in (None, times)
        )
        ends = np.cumsum(sizes)
        last = np.cumsum(kinds)
        starts = ends - sizes
        first = last - kinds
        short = np.flatnonzero((kinds > 1) & (sizes <= _SHORT))
        alone = [np.flatnonzero((kinds > 1) & (sizes > _SHORT))]
        for i in range(0, len(short), _TOGETHER):
            together = short[i : i + _TOGETHER]
            alone.append(together[_shuffle_together(cards, starts[together], sizes[together], rng)])
        for g in np.concatenate(alone).tolist():
            kind = slice(first[g], last[g])
            _shuffle(cards[starts[g] : ends[g]], card[kind], times[kind], rng)
        return cls(cards, starts)

    def deal(self, groups: np.ndarray) -> np.ndarray:
        """For each row a card from the deck of its group: all ways to deal all cards are equally
        likely.
        """
        order = _stable_order(groups)
        ordered = groups[order]
        first = np.concatenate([[0], 1 + np.flatnonzero(ordered[1:] != ordered[:-1])])[
            : len(ordered)
        ]
        present = ordered[first]
        rows = np.diff(first, append=len(ordered))
        dealt = np.empty(len(ordered), self.cards.dtype)
        dealt[order] = self.cards[
            np.repeat(self.top[present] - first, rows) + np.arange(len(ordered))
        ]
        self.top[present] += rows
        return dealt


def _shuffle(
    deck: np.ndarray, card: np.ndarray, times: np.ndarray, rng: np.random.Generator
) -> None:
    """Shuffles a deck of times[i] cards card[i] in place.

    A large one in parts: each card is in one of them at random, so that the parts' shares of its
    kind are multinomial (Rao 1961, Sandelius 1962). With a great many kinds the shares would take
    longer than they save.
    """
    parts = 1 + len(deck) // _PART
    if parts == 1 or len(card) > _PART // 8:
        rng.shuffle(deck)
        return
    wide = card.astype(np.int64)  # of 8 bytes: numpy shuffles these a third faster
    end = 0
    for share in rng.multinomial(times, np.full(parts, 1 / parts)).T:
        part = np.repeat(wide, share)
        rng.shuffle(part)
        deck[end : end + len(part)] = part
        end += len(part)


def _shuffle_together(
    cards: np.ndarray, starts: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Sorts each of these decks by random keys. The numbers of those where keys are equal, which
    need a shuffle yet.
    """
    deck = np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)
    places = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(deck))
    keys = rng.integers(0, _KEYS, len(deck), dtype=np.uint16)
    order = np.lexsort((keys, deck))
    cards[places] = cards[places[order]]
    keys = keys[order]
    return np.unique(deck[1:][(keys[1:] == keys[:-1]) & (deck[1:] == deck[:-1])])


def _stable_order(numbers: np.ndarray) -> np.ndarray:
    """argsort(numbers, kind="stable"), by 16 bits at a time: numpy sorts no more than these by
    radix.
    """
    if numbers.dtype.itemsize <= 2:
        return np.argsort(numbers, kind="stable")
    return np.lexsort((numbers.astype(np.uint16), (numbers >> 16).astype(np.uint16)))


def _cell_numbers(domain: Domain, clique: Clique, columns: Codes, rows: slice) -> np.ndarray:
    cells = domain.cells(clique)
    # a type that holds the factors, too
    numbers = np.zeros(rows.stop - rows.start, code_dtype(cells + 1))
    for attribute in clique:
        numbers *= domain.size(attribute)
        numbers += columns[attribute][rows]
    return numbers
