"""What the library's labels come to: per genre, between genres, and how to balance them. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random
from typing import Literal

from core.library import labels
from core.library.identity import main_artist
from core.library.labels import related
from core.library.store import TrackRow

CONFLICT_SHARE = 0.25
"""Two genres conflict on a song where each has at least this share of its label and neither lies above the other."""
Balance = Literal["artists", "random"]


@dataclass(frozen=True)
class GenreCounts:
    """Of one genre: `songs` whose strongest genre it is, `shared` ones with other genres too, `artists` of its songs."""

    genre: str
    songs: int
    shared: int
    artists: int


def per_genre(tracks: Iterable[TrackRow]) -> list[GenreCounts]:
    """Counts for every genre that a label holds, most songs first."""
    songs: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    artists: defaultdict[str, set[str]] = defaultdict(set)
    for track in tracks:
        if track.label:
            songs[track.label.top] += 1
            for genre, _ in track.label.weights:
                artists[genre].add(main_artist([track.artist]))
                shared[genre] += len(track.label.weights) > 1
    return sorted(
        (GenreCounts(genre, songs[genre], shared[genre], len(artists[genre])) for genre in artists),
        key=lambda counts: (-counts.songs, counts.genre.casefold()),
    )


def with_sound(tracks: Iterable[TrackRow], states: Mapping[int, str]) -> dict[str, Counter[str]]:
    """For each genre (the strongest of a track; '' for none) how many tracks have sound, and how far the others are.

    `states` are those of `library.collection`. Counts are by `sound`, `doubtful`, `failed` and `waiting`. Tracks set
    aside that have no sound are left out: they are not collected.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for track in tracks:
        if track.has_sound:
            state = "sound"
        elif track.set_aside:
            continue
        else:
            state = states.get(track.id, "waiting")
            state = "waiting" if state == "fetched" else state  # its file is gone
        counts[track.label.top if track.label else ""][state] += 1
    return dict(sorted(counts.items(), key=lambda one: (-sum(one[1].values()), one[0].casefold())))


def overlap(tracks: Iterable[TrackRow], genres: Sequence[str]) -> list[list[int]]:
    """(n_genres, n_genres): songs with votes for both genres; the diagonal counts the songs of each."""
    place = {genre: i for i, genre in enumerate(genres)}
    matrix = [[0] * len(genres) for _ in genres]
    for track in tracks:
        named = {place[vote.genre] for vote in track.votes if vote.genre in place}
        for i in named:
            matrix[i][i] += 1
        for i, j in combinations(sorted(named), 2):
            matrix[i][j] += 1
            matrix[j][i] += 1
    return matrix


def with_genres(tracks: Iterable[TrackRow], genres: Iterable[str]) -> list[TrackRow]:
    """Songs with votes for each of these genres."""
    wanted = set(genres)
    return [track for track in tracks if wanted <= {vote.genre for vote in track.votes}]


def several(tracks: Iterable[TrackRow]) -> list[TrackRow]:
    """Songs whose label holds two genres or more."""
    return [track for track in tracks if track.label and len(track.label.weights) > 1]


def conflicts(tracks: Iterable[TrackRow], parents: Mapping[str, str]) -> list[TrackRow]:
    """Songs that two genres claim which have nothing to do with each other, and no person has settled."""
    return [track for track in several(tracks) if _conflict(track, parents)]


def coarse(tracks: Iterable[TrackRow], parents: Mapping[str, str]) -> list[TrackRow]:
    """The same songs with every genre, in labels and votes, replaced by the topmost one above it."""
    return [
        replace(
            track,
            label=labels.coarse(track.label, parents) if track.label else None,
            votes=tuple(replace(vote, genre=labels.topmost(vote.genre, parents)) for vote in track.votes),
        )
        for track in tracks
    ]


def matching(tracks: Iterable[TrackRow], words: str) -> list[TrackRow]:
    """Tracks whose title, artist, album or genres contain each of `words`, in any case."""
    wanted = words.casefold().split()
    return [track for track in tracks if all(word in _haystack(track) for word in wanted)] if wanted else list(tracks)


def to_set_aside(tracks: Sequence[TrackRow], *, most: int, by: Balance, seed: int = 0) -> list[int]:
    """Ids of the songs to set aside so that no genre keeps more than `most` songs (by its strongest genre).

    `artists` keeps one song of every artist in turn, so that as many artists as can be stay; `random` draws.
    """
    by_genre: defaultdict[str, list[TrackRow]] = defaultdict(list)
    for track in tracks:
        if track.label:
            by_genre[track.label.top].append(track)
    aside: list[int] = []
    for songs in by_genre.values():
        rng = Random(seed)  # noqa: S311 - a fair draw, no secret
        order = sorted(songs, key=lambda track: track.id)
        rng.shuffle(order)
        if by == "artists":
            order = _in_turn(order)
        aside += [track.id for track in order[most:]]
    return sorted(aside)


def _in_turn(tracks: Sequence[TrackRow]) -> list[TrackRow]:
    """The first song of every artist, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int, TrackRow]] = []
    for track in tracks:
        artist = main_artist([track.artist])
        turns.append((seen[artist], len(turns), track))
        seen[artist] += 1
    return [track for _, _, track in sorted(turns, key=lambda turn: turn[:2])]


def _conflict(track: TrackRow, parents: Mapping[str, str]) -> bool:
    if track.label is None or any(vote.source == "hand" for vote in track.votes):
        return False
    strong = [genre for genre, share in track.label.weights if share >= CONFLICT_SHARE]
    return any(not related(a, b, parents) for a, b in combinations(strong, 2))


def _haystack(track: TrackRow) -> str:
    genres = " ".join(genre for genre, _ in track.label.weights) if track.label else ""
    return f"{track.title} {track.artist} {track.album} {genres}".casefold()
