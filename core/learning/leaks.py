"""Leaks: what would let a network know its test songs from training. Pure; found before the first step, told by name.

Where a split is made here, it has none by construction; this check trusts no construction, and a split that a person
gives may have many.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.errors import LeakError
from core.learning.splits import Split, recording_keys
from core.library.identity import shared_artist_keys
from core.library.names import artists, comparable
from core.library.store import BandStatistics
from core.music import Song

SIDES = ("train", "validation", "test")
SHOWN = 5
"""Leaks that an error names; it tells how many there are in all."""


@dataclass(frozen=True)
class Leak:
    """What two sides of a split have in common: `what` (an artist, or a recording), and a song of each side."""

    what: str
    sides: tuple[str, str]
    songs: tuple[Song, Song]

    def __str__(self) -> str:
        """In words, such as `the artist "x" is in train (song) and test (song)`."""
        (side, other), (one, two) = self.sides, self.songs
        return f"{self.what} is in {side} ({_named(one)}) and {other} ({_named(two)})"


def find(split: Split, pairs: Iterable[tuple[str, str]] = ()) -> list[Leak]:
    """All leaks of a split: an artist, a title with its length, or a sound (`pairs` of SHA-256) on two sides.

    Of each that two sides have in common, one leak is told, with the first song of each. The same file twice is one, too.
    """
    keyed: dict[str, dict[tuple[object, ...], Song]] = {side: {} for side in SIDES}
    place: dict[str, list[tuple[str, Song]]] = {}
    for side in SIDES:
        for song in getattr(split, side):
            place.setdefault(song.sha256, []).append((side, song))
            for key in _keys(song):
                keyed[side].setdefault(key, song)
    leaks: dict[tuple[str, str, str], Leak] = {}

    def add(what: str, one: tuple[str, Song], two: tuple[str, Song]) -> None:
        if one[0] != two[0]:
            leaks.setdefault((what, one[0], two[0]), Leak(what, (one[0], two[0]), (one[1], two[1])))

    for side, other in combinations(SIDES, 2):
        for key in keyed[side].keys() & keyed[other].keys():
            add(_what(key, keyed[side][key]), (side, keyed[side][key]), (other, keyed[other][key]))
    for a, b in pairs:
        for one in place.get(a, ()):
            for two in place.get(b, ()):
                first, second = sorted((one, two), key=lambda placed: SIDES.index(placed[0]))
                add(f"what sounds like {_named(first[1])}", first, second)
    return sorted(leaks.values(), key=lambda leak: (leak.sides, leak.what))


def foreign_statistics(split: Split, statistics: BandStatistics) -> list[str]:
    """SHA-256 of songs that the standardisation was measured on and that are not for training."""
    return sorted(set(statistics.sha256s) - {song.sha256 for song in split.train})


def refuse(split: Split, statistics: BandStatistics, pairs: Iterable[tuple[str, str]] = ()) -> None:
    """Raise `LeakError`, with names, if a split or its standardisation leaks."""
    if leaks := find(split, pairs):
        more = f", and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
        raise LeakError(
            "The songs to test with would be known from training, so the figures would flatter: "
            f"{'; '.join(str(leak) for leak in leaks[:SHOWN])}{more}. Put what belongs together on one side."
        )
    if foreign := foreign_statistics(split, statistics):
        held_out = {song.sha256: song for song in (*split.validation, *split.test)}
        named = [_named(held_out[one]) if one in held_out else one[:12] for one in foreign]
        raise LeakError(
            f"The levels of the bands were measured on {len(foreign)} songs that are not for training: "
            f"{', '.join(named[:SHOWN])}. They must be measured on training songs alone."
        )


def artists_on_both_sides(split: Split) -> Sequence[str]:
    """Keys of artists of the test side that training knows, in order."""
    trained = {key for song in split.train for key in shared_artist_keys(song.artist, song.title)}
    return sorted(trained & {artist.key for song in split.test for artist in artists(song.artist)})


def _keys(song: Song) -> Iterator[tuple[object, ...]]:
    yield ("file", song.sha256)
    yield from (("artist", key) for key in shared_artist_keys(song.artist, song.title))
    yield from (("recording", *key) for key in recording_keys(song))


def _what(key: tuple[object, ...], song: Song) -> str:
    kind, name = key[0], key[1]
    if kind == "file":
        return f"the file {str(name)[:12]}"
    if kind == "recording":
        return f'the recording "{name}", by title and length,'
    named = next((artist.name for artist in artists(song.artist) if artist.key == name), str(name))
    return f'the artist "{comparable(named) or named}"'


def _named(song: Song) -> str:
    return f"{song.artist or 'unknown artist'} – {song.title}"
