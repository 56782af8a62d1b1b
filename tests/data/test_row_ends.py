"""CSV files cut into blocks at the ends of rows: no block size, value or sign changes what a row says."""

from __future__ import annotations

import gzip
import io
import random
from types import SimpleNamespace

import pyarrow as pa
import pytest

import dpsynth
from dpsynth import Categorical, FileFormat, Numeric, OpenCategorical, Schema
from dpsynth.data.engines import delimited, row_ends
from dpsynth.data.engines.files import open_source
from dpsynth.data.engines.row_ends import last_row_end, row_blocks

SIGNS = ["a", ",", ",", '"', '"', '""', "\n", "\r", "\r\n", "é", ' "', ',"', '",', '"\n']


def ends_by_hand(text: bytes, start: int, quote: str | None) -> int:
    """Sign by sign: 0, or the place after the last line end that is outside of quotes."""
    found, inside, at_start, place = 0, False, True, start
    while place < len(text):
        sign = text[place : place + 1]
        place += 1
        if inside:
            if sign == quote.encode():
                if text[place : place + 1] == sign:
                    place += 1
                else:
                    inside = False
            continue
        if sign in (b"\n", b"\r") and not (sign == b"\r" and place == len(text)):
            found = place
        inside = at_start and quote is not None and sign == quote.encode()
        at_start = sign in (b",", b"\n", b"\r")
    return found


@pytest.mark.parametrize("quote", ['"', None])
def test_rows_end_where_they_do_sign_by_sign(quote):
    rng = random.Random(3)
    for _ in range(20_000):
        text = "".join(rng.choice(SIGNS) for _ in range(rng.randrange(14))).encode()
        for start in {0, min(3, len(text))}:
            assert last_row_end(text, start, quote, ",") == ends_by_hand(text, start, quote), text


def dialect(**facts):
    return SimpleNamespace(**{"quote": '"', "delimiter": ",", "first_lines": 0, "header": False, **facts})


def test_blocks_are_the_file_and_all_but_the_last_are_whole_rows():
    rng = random.Random(4)
    for _ in range(2_000):
        text = "".join(rng.choice([*SIGNS, "\0", "\ufeff"]) for _ in range(rng.randrange(40))).encode()
        skipped, size = rng.randrange(3), rng.randrange(1, 20)
        blocks = [*row_blocks(io.BytesIO(text), size, dialect(first_lines=skipped))]
        assert all(block.startswith(row_ends._MARK) for block in blocks)
        blocks = [block.removeprefix(row_ends._MARK) for block in blocks]
        assert b"".join(blocks) == text.replace(b"\0", "\ufffd".encode())
        for number, block in enumerate(blocks[:-1]):
            start = row_ends._after_lines(block, skipped) if number == 0 else 0
            assert block
            assert last_row_end(block + b"x", start, '"', ",") == len(block)


def rows_of(path, schema, columns=("who", "w")) -> list[tuple]:
    source = open_source(path, schema)
    found = [source.read()] if source.parts is None else [*source.parts(columns)]
    table = pa.concat_tables(found)
    return [*zip(*(column.cast(pa.binary()).to_pylist() for column in table.columns), strict=True)]


def cell(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(["", "7", 'a"b', 'a""', " a", "\ufeff7", "\ufeff\ufeff"])
    return '"' + "".join(rng.choice(["a", "é", "\r\n", "\n", "\r", '""', ",", "漢", "\0"]) for _ in range(5)) + '"'


def test_what_is_read_is_the_same_for_all_sizes_of_blocks(tmp_path, monkeypatch):
    rng = random.Random(5)
    for number in range(150):
        end = rng.choice(["\n", "\r\n", "\r"])
        encoding = rng.choice(["utf-8", "utf-8-sig", "latin-1", "utf-16"])
        form = FileFormat(skip_lines=number % 3, encoding="latin-1" if encoding == "latin-1" else None)
        schema = Schema({"who": OpenCategorical(), "w": OpenCategorical()}, file=form)
        lines = ['a "title', "of 2020"][: number % 3]
        lines += ["who,w", *(f"{cell(rng)},{cell(rng)}" for _ in range(rng.randrange(1, 30)))]
        raw = (end.join(lines) + end * rng.randrange(2)).encode(encoding, "replace")
        (tmp_path / "r.csv").write_bytes(gzip.compress(raw) if rng.random() < 0.3 else raw)
        monkeypatch.setattr(delimited, "LARGE", 1 << 26)
        whole = rows_of(tmp_path / "r.csv", schema)
        for size in (1, rng.randrange(2, 60), rng.randrange(60, 300)):
            monkeypatch.setattr(delimited, "LARGE", size)
            assert rows_of(tmp_path / "r.csv", schema) == whole


@pytest.mark.parametrize("sign", ["\0", '"" ', "\r\n", "x"])
def test_one_value_moves_no_other_row_however_long_it_is(sign, tmp_path, monkeypatch):
    """Values of 0 to 99 signs and of many blocks, where pyarrow loses track at a zero byte or a quote."""
    schema = Schema({"who": Numeric(0, 9), "w": OpenCategorical()})
    others = [(str(i % 10).encode(), b'say "hi"\nthere') for i in range(60)]
    rows = "".join(f'{who.decode()},"say ""hi""\nthere"\n' for who, _ in others)
    for size in (1 << 26, 500):
        monkeypatch.setattr(delimited, "LARGE", size)
        for length in (*range(0, 100, 7), 5_000):
            (tmp_path / "r.csv").write_text(f'who,w\n{rows}7,"{sign * length}."\n{rows}', newline="")
            found = rows_of(tmp_path / "r.csv", schema)
            assert found[:60] == found[61:] == others
            assert found[60] == (b"7", (sign.replace('""', '"').replace("\0", "\ufffd") * length + ".").encode())


def test_a_row_of_more_than_a_block_can_hold_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setattr(row_ends, "_LARGEST", 50)
    with pytest.raises(ValueError, match=r"^a row has more than 2 GB: see whether a quote is not closed$"):
        [*row_blocks(io.BytesIO(b'"' + b"\n" * 100), 10, dialect())]


def test_a_fit_of_a_file_with_a_value_of_many_blocks_is_that_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LARGE", 300)
    wards = ["north", "south", "x" * 2_000] * 50
    (tmp_path / "r.csv").write_text("ward\n" + "\n".join(wards) + "\n")
    schema = Schema({"ward": Categorical(["north", "south", "else"], other="else")})
    found = []
    for data in (tmp_path / "r.csv", pa.table({"ward": wards})):
        synth = dpsynth.Synthesizer(schema, "independent", epsilon=9, delta=1e-6, unsafe_seed=2, ledger=None)
        found.append(synth.fit(data).sample(200, seed=1))
    assert found[0].equals(found[1])
