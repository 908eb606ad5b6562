"""Which file a path in a table means, where the table was written on another machine. Pure.

Paths are compared without regard to case, Unicode form (NFC, NFD), the kind of slash and percent-encoding. A path means a file
if one of them ends with the other: all parts of the path, or all parts of the file below its folder, are the same. Of several
such files it means that with which it shares most parts; if several share as many, the path is ambiguous and means none.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

EXACT = 1_000_000
"""The rank of the file at that very path."""


class Match(NamedTuple):
    """A file that a path may mean. Its `rank` is higher the more parts they share, and if that is the whole path."""

    file: Path
    rank: int


class FileIndex:
    """Files below a folder, to be found by paths as they may be written elsewhere."""

    def __init__(self, directory: Path, files: Iterable[Path]) -> None:
        self._files = set(files)
        self._by_name: dict[str, list[tuple[Path, tuple[str, ...], int]]] = {}
        n_above = len(_parts(str(directory)))
        for file in self._files:
            parts = _parts(str(file))
            if not parts:
                continue
            entry = file, parts, len(parts) - n_above
            stem = parts[-1].rpartition(".")[0]
            for name in {parts[-1], stem} - {""}:  # a table may leave out the ending
                self._by_name.setdefault(name, []).append(entry)

    def find(self, text: str, bases: Iterable[Path]) -> list[Match]:
        """The files that a path may mean, relative to one of `bases`: none, one, or several if it is ambiguous."""
        for base in bases:
            if (exact := base / text) in self._files:
                return [Match(exact, EXACT)]
        for spelling in _spellings(text):
            if found := self._sharing_most(_parts(spelling)):
                return found
        return []

    def _sharing_most(self, wanted: tuple[str, ...]) -> list[Match]:
        if not wanted:
            return []
        named = self._by_name.get(wanted[-1], [])
        matches = []
        for file, parts, n_below in [one for one in named if one[1][-1] == wanted[-1]] or named:
            shared = 1 + _shared(wanted[:-1], parts[:-1])
            if shared == len(wanted) or shared >= n_below:
                matches.append(Match(file, 2 * shared + (shared == len(wanted))))
        best = max((match.rank for match in matches), default=0)
        return sorted(match for match in matches if match.rank == best)


def same_path(a: str, b: str) -> bool:
    """Whether two paths of a table are one, spelled differently."""
    return bool({_parts(one) for one in _spellings(a)} & {_parts(other) for other in _spellings(b)})


def _spellings(text: str) -> Iterator[str]:
    """A path as it stands, and decoded if it may be percent-encoded or an address."""
    text = text.strip().strip("\"'")
    yield text
    bare = re.sub(r"(?i)^file:/+(?:localhost/)?", "/", text)
    if bare != text or "%" in text:
        yield re.sub(r"(?:%[0-9A-Fa-f]{2})+", _decoded, bare)


def _decoded(codes: re.Match[str]) -> str:
    return bytes.fromhex(codes[0].replace("%", "")).decode(errors="replace")


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path for comparing, without a drive."""
    text = path.encode(errors="replace").decode()  # a name on disk may hold bytes that are not text
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).replace("\\", "/")
    parts: list[str] = []
    for part in re.sub(r"^[a-z]:", "", text).split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """How many parts are the same, counted from the end."""
    n = 0
    while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
        n += 1
    return n
