"""Damage and malice, made from good bytes: what byte-level mutation tests throw at whatever reads files."""

import struct

import numpy as np

ODD_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 63, 64, 127, 128, 254, 255, 256, 1023, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)  # fmt: skip
"""What counters, sizes and rates are set to: the edges of their types."""


def mutated(good: bytes, rng: np.random.Generator, other: bytes = b"") -> bytes:
    """`good` with one to six faults, most of them near its head, where files say what they are.

    `other`, if given, is another file of which pieces may come in.
    """
    data = bytearray(good)
    for _ in range(int(rng.integers(1, 7))):
        if not data:
            break
        _FAULTS[int(rng.integers(len(_FAULTS)))](data, rng, other)
    return bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Half of all faults are in the first 600 bytes."""
    end = len(data) if rng.random() < 0.5 else min(600, len(data))
    return int(rng.integers(max(1, end)))


def _flip(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    for _ in range(int(rng.integers(1, 9))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _number(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    number = int(ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))])
    form = [">I", "<I", ">H", "<H", "B"][rng.integers(5)]
    size = struct.calcsize(form)
    at = _place(data, rng)
    if at + size <= len(data):
        data[at : at + size] = struct.pack(form, number & ((1 << 8 * size) - 1))


def _noise(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    at, size = _place(data, rng), int(rng.integers(1, 200))
    data[at : at + size] = rng.bytes(min(size, len(data) - at))


def _cut(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    del data[_place(data, rng) + 1 :]


def _lose(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    at = _place(data, rng)
    del data[at : at + int(rng.integers(1, 400))]


def _twice(data: bytearray, rng: np.random.Generator, _: bytes) -> None:
    at, to = _place(data, rng), _place(data, rng)
    data[to:to] = data[at : at + int(rng.integers(1, 4000))]


def _foreign(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    at = int(rng.integers(max(1, len(other))))
    to = _place(data, rng)
    data[to:to] = other[at : at + int(rng.integers(1, 2000))]


_FAULTS = (_flip, _number, _noise, _cut, _lose, _twice, _foreign, _number, _flip)
