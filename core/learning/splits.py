"""Splits: no artist and no recording on two sides. Pure, seeded, stratified by genre (scikit-learn's splitters)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from core.errors import TrainingRefused
from core.library.identity import shared_artist_keys
from core.library.names import artist_key, artists, comparable
from core.music import GenreDistribution, Song

MIN_SONGS = 10
"""Songs a genre needs: with fewer, a fifth of them for testing is one song or none."""
PARTS = 5
"""One part in five is for testing, and one in five of the rest for validation."""


@dataclass(frozen=True)
class Split:
    """Songs by side. `left_out` share an artist or a recording with a held-out one, and are used nowhere."""

    train: tuple[Song, ...]
    validation: tuple[Song, ...]
    test: tuple[Song, ...]
    left_out: tuple[Song, ...] = ()


def choose(songs: Sequence[Song], genres: Sequence[str] | None) -> tuple[list[Song], tuple[str, ...]]:
    """Songs of the wanted genres (all, if None), their labels narrowed to these; and the genre vocabulary.

    The vocabulary is ordered by name: its order is the class index.
    """
    present = {genre for song in songs for genre, _ in song.label.weights}
    vocabulary = tuple(sorted(present if genres is None else set(genres), key=str.casefold))
    if absent := [genre for genre in vocabulary if genre not in present]:
        raise TrainingRefused(f"No song with a spectrogram is labelled {', '.join(absent)}. Choose other genres.")
    narrowed = []
    for song in songs:
        kept = tuple((genre, weight) for genre, weight in song.label.weights if genre in vocabulary)
        total = sum(weight for _, weight in kept)
        if total:
            label = GenreDistribution(tuple((genre, weight / total) for genre, weight in kept))
            narrowed.append(Song(**{**vars(song), "label": label}))
    return narrowed, vocabulary


def split_by_artist(
    songs: Sequence[Song],
    genres: tuple[str, ...],
    *,
    seed: int,
    holdout_artists: Sequence[str] | None = None,
    pairs: Iterable[tuple[str, str]] = (),
) -> Split:
    """Split songs for training, validation and testing.

    With `holdout_artists`, exactly their songs are the test side. `pairs` as in `artist_groups`. Raises
    `TrainingRefused`, in a plain sentence, where an honest split is impossible.
    """
    check_size(songs, genres)
    groups = artist_groups(songs, pairs)
    if holdout_artists is None:
        rest, test = carve(list(range(len(songs))), songs, groups, genres, seed, "test")
    else:
        wanted = {artist_key(artist) for artist in holdout_artists} - {""}
        test = [i for i, song in enumerate(songs) if artist_key(song.artist) in wanted]
        if not test:
            raise TrainingRefused("None of the artists to hold out is in the library. Check their spelling.")
        touched = {groups[i] for i in test}
        rest = [i for i in range(len(songs)) if groups[i] not in touched]
    train, validation = carve(rest, songs, groups, genres, seed, "validation")
    used = {*train, *validation, *test}

    def pick(indices: Sequence[int]) -> tuple[Song, ...]:
        return tuple(songs[i] for i in sorted(indices))

    return Split(pick(train), pick(validation), pick(test), pick([i for i in range(len(songs)) if i not in used]))


def artist_groups(songs: Sequence[Song], pairs: Iterable[tuple[str, str]] = ()) -> npt.NDArray[np.int64]:
    """A group number for each song, (n_songs,): two songs share one if any chain of artists or recordings joins them.

    The same title at the same length (within a second) counts as the same recording, whoever is named; so do `pairs`,
    the SHA-256 of two songs that sound the same. A song whose artist is unknown is a group of its own.
    """
    keys: dict[object, int] = {}
    rows, columns = [], []

    def join(row: int, key: object) -> None:
        rows.append(row)
        columns.append(len(songs) + keys.setdefault(key, len(keys)))

    for row, song in enumerate(songs):
        for key in {*shared_artist_keys(song.artist, song.title), *recording_keys(song)}:
            join(row, key)
    place = {song.sha256: row for row, song in enumerate(songs)}
    for pair in pairs:
        for sha256 in pair:
            if sha256 in place:
                join(place[sha256], frozenset(pair))
    size = len(songs) + len(keys)
    edges = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels[: len(songs)], np.int64)


def recording_keys(song: Song) -> set[tuple[str, str, float]]:
    """Two songs of one title whose lengths differ by less than a second share one of these.

    The keys are cells of two overlapping grids of two seconds.
    """
    title = comparable(song.title)
    return {(title, "even", song.duration_s // 2), (title, "odd", (song.duration_s + 1) // 2)}


def unknown_artists(songs: Sequence[Song]) -> int:
    """Songs whose artist is not known: each counts as an artist of its own, so results may flatter."""
    return sum(not artists(song.artist) for song in songs)


def check_size(songs: Sequence[Song], genres: tuple[str, ...]) -> None:
    """Raise `TrainingRefused` for fewer than two genres, or one with too few songs."""
    count = Counter(song.label.top for song in songs)
    if len(genres) < 2:
        raise TrainingRefused(
            f"To tell genres apart, at least two are needed; here {'is one' if genres else 'is none'}. "
            "Import songs of another genre, or label some by hand on the Library page."
        )
    if few := [f"{genre} ({count[genre]})" for genre in genres if count[genre] < MIN_SONGS]:
        raise TrainingRefused(
            f"Each genre needs at least {MIN_SONGS} songs with spectrograms. Too few: {', '.join(few)}. "
            "Add songs, give them another genre, or leave these genres out of the training."
        )


def carve(
    indices: list[int],
    songs: Sequence[Song],
    groups: npt.NDArray[np.int64],
    genres: tuple[str, ...],
    seed: int,
    side: str,
) -> tuple[list[int], list[int]]:
    """Split `indices` into (rest, about one in PARTS) by group; both hold every genre, in about the same shares.

    `side` names the part that is carved off, for the sentence of a refusal.
    """
    class_index = {genre: number for number, genre in enumerate(genres)}
    classes = np.array([class_index[songs[i].label.top] for i in indices])
    members = groups[indices]
    for number, genre in enumerate(genres):
        artists = len(set(members[classes == number])) if indices else 0
        if artists < 2:
            raise TrainingRefused(
                f"The genre {genre} has {artists or 'no'} artist{'s' if artists != 1 else ''} left for "
                f"training and {side}: an artist is never on both sides, so at least two are needed there (three in "
                "all). Add songs by other artists."
            )
    counts = np.bincount(classes, minlength=len(genres))
    parts = min(PARTS, *(len(set(members[classes == number])) for number in range(len(genres))), int(counts.min()))
    splitter = StratifiedGroupKFold(n_splits=max(2, parts), shuffle=True, random_state=seed)
    choices = []
    for rest, carved in splitter.split(np.zeros(len(indices)), classes, members):
        shares = np.bincount(classes[carved], minlength=len(genres)) / counts
        if shares.min() > 0 and shares.max() < 1:
            choices.append(
                (float(np.abs(shares - 1 / PARTS).sum()), [indices[i] for i in rest], [indices[i] for i in carved])
            )
    if not choices:
        raise TrainingRefused(
            f"The artists cannot be divided so that every genre is present in both training and {side}: too few artists, "
            "or one artist has most of a genre. Add songs by other artists."
        )
    _, rest_songs, carved_songs = min(choices, key=lambda choice: choice[0])
    return rest_songs, carved_songs
