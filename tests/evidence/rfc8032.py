"""Ed25519 by the formulas of RFC 8032 (section 5.1), slow and without a package: is a signature true?"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]


def add(p: Point, q: Point) -> Point:
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P)
    return x % P, y % P


def times(n: int, p: Point) -> Point:
    found = (0, 1)
    while n:
        if n & 1:
            found = add(found, p)
        p, n = add(p, p), n >> 1
    return found


def decoded(raw: bytes) -> Point:
    whole = int.from_bytes(raw, "little")
    sign, y = whole >> 255, whole % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or y >= P:
        raise ValueError("no point")
    return (P - x if x % 2 != sign else x), y


BASE = decoded((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_true(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether [S]B = R + [k]A."""
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    if s >= ORDER or len(signature) != 64:
        return False
    return times(s, BASE) == add(decoded(signature[:32]), times(k, decoded(public)))
