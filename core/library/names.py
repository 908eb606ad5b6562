"""Names of people and songs: comparing them, and reading them off a file name. Pure."""

import re
import unicodedata

from core.names import MAX_GENRE, MAX_NAME, clean  # noqa: F401 - the limits are still found here, too

_JOINERS = re.compile(r"\s*(?:;|/|,|&|\+|\band\b|\bfeat(?:uring|\.)?\s|\bft\.?\s|\bvs\.?\s|\bwith\b)\s*", re.IGNORECASE)
_TRACK_NUMBER = re.compile(r"^(?:\d{1,3}(?:[.)\-]|\s-)|0\d{1,2})\s+(?=\S)")  # not the number in "50 Cent"
_DOWNLOAD_ID = re.compile(r"\s*\[(?:\d+|[\w-]{11})\]$")


def comparable(name: str) -> str:
    """`name` for comparing: without case, accents and punctuation; words separated by single spaces."""
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", name) if not unicodedata.combining(ch))
    return " ".join(re.findall(r"\w+", plain.casefold().replace("_", " ")))


def artists_in(name: str) -> frozenset[str]:
    """Everyone named in an artist field, comparable: `"A feat. B"` and `"B & C"` share B. Empty if unknown."""
    people = {comparable(part) for part in [name, *_JOINERS.split(name)]}
    return frozenset(people - {"", "unknown", "unknown artist", "various", "various artists", "va"})


def artist_and_title(stem: str) -> tuple[str, str]:
    """Artist ('' if not told) and title from a file name such as `01 - Artist - Title [id]`, without its ending."""
    name = clean(_DOWNLOAD_ID.sub("", clean(stem)).replace("_", " "))
    name = _TRACK_NUMBER.sub("", name) or name
    artist, separator, title = name.partition(" - ")
    if separator and artist.strip() and title.strip():
        return artist.strip(), title.strip()
    return "", name or clean(stem) or "untitled"
