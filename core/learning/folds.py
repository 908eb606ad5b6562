"""Folds: how a library is divided for cross-validation, so that every song is answered by a network that never saw it.

Pure and seeded. Each fold is a split: its test songs, validation songs carved from the rest (by artist, but for
`random`), and the others to train with.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from core.errors import TrainingRefused
from core.learning.splits import PARTS, Split, artist_groups, carve, check_size
from core.music import Song

Protocol = Literal["artist-folds", "random", "given"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
"""`artist-folds`: no artist and no recording on two sides. `random`: songs dealt without regard to artists, which
flatters, and is there to show by how much. `given`: as a list says."""
VALIDATION_NAMES = ("validation", "valid", "val")
SIDES = ("train", "test", *VALIDATION_NAMES)

Pairs = Iterable[tuple[str, str]]
"""SHA-256 of songs that sound the same, as in `splits.artist_groups`."""


def artist_folds(
    songs: Sequence[Song], genres: tuple[str, ...], *, folds: int, seed: int, pairs: Pairs = ()
) -> list[Split]:
    """`folds` splits with every song in one test side, and no artist or recording on two sides of any.

    `TrainingRefused` where a genre has too few songs or artists.
    """
    check_size(songs, genres)
    groups, classes = artist_groups(songs, pairs), _classes(songs, genres)
    for number, genre in enumerate(genres):
        artists = len(set(groups[classes == number]))
        if artists < folds:
            raise TrainingRefused(
                f"{folds} folds need at least {folds} artists of each genre, for an artist is in one fold only; "
                f"{genre} has {artists}. Ask for fewer folds (at least 2), or add songs by other artists."
            )
    dealt = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    return [
        _with_validation(rest.tolist(), test.tolist(), songs, groups, genres, seed)
        for rest, test in dealt.split(np.zeros(len(songs)), classes, groups)
    ]


def random_folds(songs: Sequence[Song], genres: tuple[str, ...], *, folds: int, seed: int) -> list[Split]:
    """`folds` splits by genre alone: artists, albums and even recordings are on all sides. Its figures flatter."""
    check_size(songs, genres)
    classes = _classes(songs, genres)
    if (fewest := int(np.bincount(classes, minlength=len(genres)).min())) < folds:
        raise TrainingRefused(f"{folds} folds need {folds} songs of each genre; one has {fewest}. Ask for fewer folds.")
    splits = []
    for rest, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(classes, classes):
        inner = StratifiedKFold(PARTS, shuffle=True, random_state=seed)
        train, validation = next(iter(inner.split(rest, classes[rest])))
        splits.append(_split(songs, rest[train], rest[validation], test))
    return splits


def given_folds(
    songs: Sequence[Song], genres: tuple[str, ...], given: Mapping[str, str], *, seed: int, pairs: Pairs = ()
) -> list[Split]:
    """Splits as a list gives them. `given`: for each SHA-256 a side (SIDES), or the number of the fold it is tested in.

    Songs that are not in it are left out. Validation songs that it does not name are carved from the training songs.
    `TrainingRefused` where what it says cannot be trained on.
    """
    listed = [song for song in songs if song.sha256 in given]
    said = [given[song.sha256] for song in listed]
    groups = artist_groups(listed, pairs)
    if all(one in SIDES for one in said):
        sides = [one if one in ("train", "test") else "validation" for one in said]
        train, validation, test = (
            [i for i, side in enumerate(sides) if side == wanted] for wanted in ("train", "validation", "test")
        )
        _check_sides(listed, genres, train, test)
        if validation:
            return [_split(listed, train, validation, test)]
        return [_with_validation(train, test, listed, groups, genres, seed)]
    numbers = sorted(set(said), key=lambda one: (len(one), one))
    if len(numbers) < 2:
        raise TrainingRefused(
            "The list names one fold only; at least two are needed, to train on the one and test on the other."
        )
    splits = []
    for number in numbers:
        test = [i for i, one in enumerate(said) if one == number]
        rest = [i for i, one in enumerate(said) if one != number]
        _check_sides(listed, genres, rest, test)
        splits.append(_with_validation(rest, test, listed, groups, genres, seed))
    return splits


def _with_validation(
    rest: list[int],
    test: list[int],
    songs: Sequence[Song],
    groups: npt.NDArray[np.int64],
    genres: tuple[str, ...],
    seed: int,
) -> Split:
    train, validation = carve(rest, songs, groups, genres, seed, "validation")
    return _split(songs, train, validation, test)


def _split(songs: Sequence[Song], train: Iterable[int], validation: Iterable[int], test: Iterable[int]) -> Split:
    return Split(*(tuple(songs[i] for i in sorted(side)) for side in (train, validation, test)))


def _check_sides(songs: Sequence[Song], genres: tuple[str, ...], train: Sequence[int], test: Sequence[int]) -> None:
    trained = {songs[i].label.top for i in train}
    if absent := [genre for genre in genres if genre not in trained]:
        raise TrainingRefused(f"The list leaves no song of {', '.join(absent)} to train with.")
    if not test:
        raise TrainingRefused("The list leaves no song of the library to test with. Check its paths and its sides.")


def _classes(songs: Sequence[Song], genres: tuple[str, ...]) -> npt.NDArray[np.int64]:
    index = {genre: number for number, genre in enumerate(genres)}
    return np.array([index[song.label.top] for song in songs], np.int64)
