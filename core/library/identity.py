"""When are two listed tracks one recording? Pure.

Names are compared in three parts: the main artist, which `names` reads, the base of the title, and the version (live,
remix, ...), which `titles` reads. Tracks whose names agree are then compared by length, credits and ISRC. Two recordings are rather left
apart, or shown to a person, than made one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.library import names
from core.library.titles import read_title
from core.music import ListedTrack

RULES = 2
"""Version of these rules: it begins every key, so that keys made by other rules are recognised, and made anew."""

CERTAIN = 0.9
"""From here on two listed tracks are made one without asking."""
DOUBTFUL = 0.5
"""From here on they are shown to a person."""

SAME_LENGTH_S = 2.0
"""Lengths this close (seconds, inclusive) are equal: sources round, and count silence differently."""
EXACT_LENGTH_S = 0.5
"""A title with and without "feat. X" is often the same song sung again: only at exactly the same length is it one."""
NEAR_LENGTH_S = 10.0
"""Lengths this close may still be one recording, faded out at another place."""
NEAR_NAME = 92.0
"""Bases of titles at least this alike (rapidfuzz's ratio, 0 to 100) may be one, misspelled."""

_LIMITS = {
    "same names, same length": 0.95,
    "length unknown": 0.9,
    "different ISRCs": 0.8,
    "a guest in one title only": 0.8,
    "other artists beside the first": 0.7,
    "one artist's name is part of the other's": 0.7,
    "lengths differ by some seconds": 0.6,
    "artist unknown on both sides": 0.6,
    "artist unknown on one side": 0.5,
    "title unknown": 0.5,
    "spelled a little differently": 0.5,
    "lengths differ much": 0.1,
}
"""What is found when names agree, and how certain one can be at most then. The least certain finding decides."""


@dataclass(frozen=True)
class Sameness:
    """How certain it is, 0 to 1, that two listed tracks are one recording, and why."""

    certainty: float
    reasons: tuple[str, ...]


def normalise_title(title: str) -> tuple[str, str]:
    """Comparable base of `title`, and its version: ("hello", "live") of `Héllo (feat. X) - Live [2011 Remaster]`.

    Both are lower-case ASCII words separated by single spaces; parts of a version are sorted and joined by ", ". A
    title of symbols only is its own base, so that `+` and `???` differ. The base is '' only if nothing is visible.
    """
    read = read_title(title)
    return read.base, read.version


def featured(title: str) -> frozenset[str]:
    """Comparable names of those whom `title` credits: {"jayz"} of `Crazy (feat. JAY-Z)`."""
    return read_title(title).featured


def main_artist(artists: Sequence[str]) -> str:
    """The key of the first artist, as `names.artists` reads it; '' if unknown.

    Of a joined name it is the first part, as sources do not agree on who is one artist: "simon" of `Simon & Garfunkel`.
    """
    return next((found[0].key for found in map(names.artists, artists) if found), "")


def credits(track: ListedTrack) -> frozenset[str]:
    """Everyone credited, comparable: all artists, joined names taken apart, and those featured in the title."""
    named = frozenset(artist.key for credit in track.artists for artist in names.artists(credit))
    return named | featured(track.title)


def shared_artist_keys(credit: str, title: str) -> frozenset[str]:
    """Keys by which two songs share an artist, guests in titles included: they do if they have one in common.

    Whatever `main_artist` or `credits` call one artist has one key here, too. Empty if nobody is named.

    Parameters
    ----------
    credit : str
        The artist field; several artists joined in any way.
    title : str
        The song's title, for "(feat. B)".

    """
    return names.artist_keys(credit) | featured(title)


def identity_key(artists: Sequence[str], title: str) -> str:
    """`rules|main artist|base|version`: tracks that may be one recording share it. One line of visible text."""
    base, version = normalise_title(title)
    return f"{RULES}|{main_artist(artists)}|{base}|{version}"


def sameness(a: ListedTrack, b: ListedTrack) -> Sameness:
    """How certain it is that `a` and `b` are one recording. Symmetric."""
    if a.isrc and a.isrc == b.isrc:
        return Sameness(1.0, ("same ISRC",))
    (base_a, version_a), (base_b, version_b) = normalise_title(a.title), normalise_title(b.title)
    artist_a, artist_b = main_artist(a.artists), main_artist(b.artists)
    apart_s = _apart_s(a, b)
    if artist_a and artist_b and artist_a != artist_b:
        return Sameness(0.0, ("different artists",))
    if version_a != version_b:
        return Sameness(0.0, ("different versions",))
    found = list(_findings(a, b, apart_s))
    if base_a != base_b:
        same_place = artist_a == artist_b != "" and apart_s is not None and apart_s <= SAME_LENGTH_S
        if not (same_place and _nearly(base_a, base_b)):
            return Sameness(0.0, ("different titles",))
        found.append("spelled a little differently")
    if not base_a:
        found.append("title unknown")
    if not (artist_a and artist_b):
        found.append(f"artist unknown on {'one side' if artist_a or artist_b else 'both sides'}")
    found = found or ["same names, same length"]
    return Sameness(min(_LIMITS[finding] for finding in found), tuple(found))


def _findings(a: ListedTrack, b: ListedTrack, apart_s: float | None) -> Iterator[str]:
    """What speaks against one recording, whatever the names are."""
    if apart_s is None:
        yield "length unknown"
    elif apart_s > NEAR_LENGTH_S:
        yield "lengths differ much"
    elif apart_s > SAME_LENGTH_S:
        yield "lengths differ by some seconds"
    credits_a, credits_b = credits(a), credits(b)
    if not (credits_a <= credits_b or credits_b <= credits_a):
        yield "other artists beside the first"
    elif _is_part_of_a_name(a, credits_b) or _is_part_of_a_name(b, credits_a):
        yield "one artist's name is part of the other's"
    elif apart_s and apart_s > EXACT_LENGTH_S and (featured(a.title) - credits_b or featured(b.title) - credits_a):
        yield "a guest in one title only"
    if a.isrc and b.isrc:
        yield "different ISRCs"


def _is_part_of_a_name(track: ListedTrack, others: frozenset[str]) -> bool:
    """Whether only a part of the track's first name is among `others`: `Earth, Wind & Fire` may not be `Earth`."""
    joined = next(filter(None, map(names.joined_name, track.artists)), frozenset[str]())
    return len(joined) > 1 and not joined <= others


def _apart_s(a: ListedTrack, b: ListedTrack) -> float | None:
    """By how many seconds the lengths differ; None if one of them is not known."""
    lengths = (a.duration_s, b.duration_s)
    if any(length is None or not math.isfinite(length) or length <= 0 for length in lengths):
        return None
    return round(abs((a.duration_s or 0.0) - (b.duration_s or 0.0)), 3)


_NUMBER = re.compile(r"\b(?:\d+|[ivx]+)\b")


def _nearly(base_a: str, base_b: str) -> bool:
    """Whether two bases may be one name, misspelled. Parts of a series ("no 1", "no 2") are not."""
    if sorted(_NUMBER.findall(base_a)) != sorted(_NUMBER.findall(base_b)):
        return False
    from rapidfuzz import fuzz  # not in the guest environment, which compares artists, not titles

    return fuzz.ratio(base_a, base_b) >= NEAR_NAME
