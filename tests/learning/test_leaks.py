"""Leaks: each kind is planted, and must be seen; an honest split has none."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import LeakError, TrainingRefused
from core.learning import leaks
from core.learning.splits import Split, artist_groups, split_by_artist
from core.library.store import BandStatistics
from core.music import GenreDistribution, Song

GENRES = ("jazz", "rock")


def song(number: int, genre: str = "rock", **rest: object) -> Song:
    about = {"title": f"Title {number}", "artist": f"Artist {number}", "duration_s": 100.0 + 3 * number}
    label = GenreDistribution(((genre, 1.0),))
    return Song(track_id=number, sha256=f"{number:064x}", n_frames=100, label=label, **(about | rest))  # type: ignore[arg-type]


SONGS = [song(number, GENRES[number % 2]) for number in range(40)]
HONEST = Split(tuple(SONGS[:24]), tuple(SONGS[24:32]), tuple(SONGS[32:]))


def measured(songs: tuple[Song, ...]) -> BandStatistics:
    levels = np.zeros((len(songs), 4), np.float32)
    return BandStatistics(np.ones(len(songs), np.float32), levels, levels, tuple(one.sha256 for one in songs))


def planted(into: str, one: Song) -> Split:
    """The honest split, with one more song on one side."""
    return replace(HONEST, **{into: (*getattr(HONEST, into), one)})


def test_an_honest_split_has_no_leaks() -> None:
    assert leaks.find(HONEST) == []
    leaks.refuse(HONEST, measured(HONEST.train), [(SONGS[0].sha256, SONGS[1].sha256)])
    assert leaks.artists_on_both_sides(HONEST) == []


@pytest.mark.parametrize(
    ("into", "one", "told"),
    [
        ("test", song(90, artist="ARTIST 3 feat. Somebody"), 'the artist "artist 3" is in train .* and test'),
        ("test", song(90, artist="Artist-3 - Topic"), 'the artist "artist 3" is in train .* and test'),
        ("test", song(90, title="Other (feat. Artist 3)"), 'the artist "artist 3" is in train .* and test'),
        ("test", song(90, artist="Other; The Artist 3"), 'the artist "artist 3" is in train .* and test'),
        ("validation", song(90, artist="Artist 3"), "is in train .* and validation"),
        ("validation", song(90, artist="Artist 35"), "is in validation .* and test"),
        ("test", song(90, title="title 5!", duration_s=115.4), 'the recording "title 5", by title and length'),
        ("test", replace(SONGS[7], artist="Other", title="Other", duration_s=1.0), "the file 0000"),
    ],
)
def test_the_same_artist_recording_or_file_on_two_sides_is_refused(into: str, one: Song, told: str) -> None:
    with pytest.raises(LeakError, match=told):
        leaks.refuse(planted(into, one), measured(HONEST.train))


def test_the_same_sound_under_another_name_is_refused() -> None:
    pairs = [(SONGS[33].sha256, SONGS[2].sha256)]
    with pytest.raises(LeakError, match=r"sounds like Artist 2 – Title 2 is in train .* and test"):
        leaks.refuse(HONEST, measured(HONEST.train), pairs)


def test_standardisation_by_songs_that_are_not_for_training_is_refused() -> None:
    with pytest.raises(LeakError, match=r"measured on 1 songs that are not for training: Artist 39 – Title 39"):
        leaks.refuse(HONEST, measured((*HONEST.train, SONGS[39])))
    with pytest.raises(LeakError, match="ffff"):
        leaks.refuse(HONEST, replace(measured(HONEST.train), sha256s=("f" * 64,)))


def test_many_leaks_are_counted_and_some_named() -> None:
    doubled = replace(HONEST, test=tuple(replace(one, sha256="e" + one.sha256[1:]) for one in HONEST.train))
    with pytest.raises(LeakError, match="and 43 more"):  # 24 artists, and 24 recordings
        leaks.refuse(doubled, measured(HONEST.train))


def test_unknown_and_various_artists_are_no_leak() -> None:
    unknown = [song(100 + number, artist=name) for number, name in enumerate(("", "Various Artists", "unknown"))]
    split = replace(
        HONEST,
        train=(*HONEST.train, *unknown),
        test=(*HONEST.test, *(song(200 + n, artist=one.artist) for n, one in enumerate(unknown))),
    )
    assert leaks.find(split) == []


def test_a_split_keeps_what_sounds_alike_together() -> None:
    pairs = [(SONGS[n].sha256, SONGS[n + 20].sha256) for n in range(0, 20, 3)]
    groups = artist_groups(SONGS, [*pairs, ("unheard of", SONGS[0].sha256)])
    assert all(groups[n] == groups[n + 20] for n in range(0, 20, 3)) and groups[1] != groups[21]
    for seed in range(5):
        assert leaks.find(split_by_artist(SONGS, GENRES, seed=seed, pairs=pairs), pairs) == []
    assert any(leaks.find(split_by_artist(SONGS, GENRES, seed=seed), pairs) for seed in range(5)), "or they would part"


def test_a_leak_is_a_refusal_of_training() -> None:
    assert issubclass(LeakError, TrainingRefused)
