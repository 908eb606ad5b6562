"""Folds: every song is tested once, by a network that knows neither its artist nor its recording."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LibraryError, TrainingRefused
from core.learning import given as lists
from core.learning import leaks
from core.learning.folds import artist_folds, given_folds, random_folds
from core.learning.splits import Split
from tests.learning.test_leaks import GENRES, SONGS, song


def assert_each_is_tested_once(splits: list[Split], n_songs: int) -> None:
    tested = Counter(one.sha256 for split in splits for one in split.test)
    assert len(tested) == n_songs and set(tested.values()) == {1}
    for split in splits:
        sides = [{one.sha256 for one in side} for side in (split.train, split.validation, split.test)]
        assert all(sides) and sum(map(len, sides)) == n_songs == len(set.union(*sides))


@given(seed=st.integers(0, 2**32 - 1), artists=st.integers(6, 30), folds=st.integers(2, 5))
def test_artist_folds_never_leak_and_test_every_song_once(seed: int, artists: int, folds: int) -> None:
    songs = [song(n, GENRES[n % 2], artist=f"{GENRES[n % 2]} {n % (2 * artists)}") for n in range(120)]
    pairs = [(songs[4].sha256, songs[90].sha256)]
    splits = artist_folds(songs, GENRES, folds=folds, seed=seed, pairs=pairs)
    assert len(splits) == folds
    assert_each_is_tested_once(splits, len(songs))
    for split in splits:
        assert leaks.find(split, pairs) == []
        assert {one.label.top for one in split.train} == {one.label.top for one in split.validation} == set(GENRES)
    assert splits == artist_folds(songs, GENRES, folds=folds, seed=seed, pairs=pairs)


def test_random_folds_are_stratified_and_leak() -> None:
    songs = [song(n, GENRES[n % 4 == 0], artist=f"Artist {n % 10}") for n in range(200)]
    splits = random_folds(songs, GENRES, folds=4, seed=0)
    assert_each_is_tested_once(splits, 200)
    for split in splits:
        assert abs(sum(one.label.top == "rock" for one in split.test) - 12.5) <= 0.5
        assert abs(sum(one.label.top == "rock" for one in split.validation) - 7.5) <= 0.5
        assert leaks.artists_on_both_sides(split)
    assert splits != random_folds(songs, GENRES, folds=4, seed=1)


def test_too_few_artists_or_songs_for_so_many_folds_are_refused() -> None:
    songs = [song(n, GENRES[n % 2], artist=f"{GENRES[n % 2]} {n % 6}") for n in range(60)]
    with pytest.raises(TrainingRefused, match=r"4 folds need at least 4 artists of each genre.* has 3"):
        artist_folds(songs, GENRES, folds=4, seed=0)
    with pytest.raises(TrainingRefused, match="40 folds need 40 songs"):
        random_folds(songs, GENRES, folds=40, seed=0)


def test_a_given_split_is_kept_and_its_validation_carved_by_artist_if_it_has_none() -> None:
    sides = {one.sha256: "test" if n >= 30 else "train" for n, one in enumerate(SONGS) if n != 5}
    (split,) = given_folds(SONGS, GENRES, sides, seed=0)
    assert {one.track_id for one in split.test} == set(range(30, 40))
    assert {one.track_id for one in (*split.train, *split.validation)} == set(range(30)) - {5}
    assert leaks.find(Split(split.train, split.validation, ())) == []
    whole = sides | {one.sha256: "valid" for one in SONGS[20:30]}
    (split,) = given_folds(SONGS, GENRES, whole, seed=0)
    assert {one.track_id for one in split.validation} == set(range(20, 30))


def test_given_folds_each_test_once() -> None:
    splits = given_folds(SONGS, GENRES, {one.sha256: str(n // 2 % 4) for n, one in enumerate(SONGS)}, seed=0)
    assert_each_is_tested_once(splits, 40)
    assert [one.track_id // 2 % 4 for one in splits[3].test] == [3] * 10


def test_a_list_that_cannot_be_trained_on_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="no song of jazz"):
        given_folds(
            SONGS, GENRES, {one.sha256: "test" if n % 2 == 0 else "train" for n, one in enumerate(SONGS)}, seed=0
        )
    with pytest.raises(TrainingRefused, match="no song of the library to test"):
        given_folds(SONGS, GENRES, {one.sha256: "train" for one in SONGS}, seed=0)
    with pytest.raises(TrainingRefused, match="one fold only"):
        given_folds(SONGS, GENRES, {one.sha256: "7" for one in SONGS}, seed=0)


# -- lists -------------------------------------------------------------------------------------------------------------


def write(path: Path, *rows: tuple[str, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_a_list_is_read_by_path_wherever_it_lies(tmp_path: Path) -> None:
    files = {str(tmp_path / "music" / "rock" / f"{n}.ogg"): f"sha {n}" for n in range(4)}
    files[str(tmp_path / "elsewhere" / "rock" / "3.ogg")] = "another"
    rows = [("Path", "Split"), ("rock/0.ogg", "TRAIN"), ("rock/1.ogg", "val"), ("rock/9.ogg", "test"), ("", "test")]
    rows += [(str(tmp_path / "music" / "rock" / "2.ogg"), "testing"), ("rock/2.ogg", "")]
    told = lists.read(write(tmp_path / "music" / "list.csv", *rows), files)
    assert told.sides == {"sha 0": "train", "sha 1": "validation", "sha 2": "test"}
    assert told.unknown == ("rock/9.ogg",)
    far = lists.read(write(tmp_path / "downloads" / "list.csv", *rows, ("rock/3.ogg", "test")), files)
    assert far.sides == told.sides and far.unknown == ("rock/9.ogg", "rock/3.ogg"), "two files end so: neither is meant"


def test_folds_are_read_as_they_are_called(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", ("file", "genre", "fold"), ("a.mp3", "rock", "0"), ("b.mp3", "rock", "1"))
    assert lists.read(path, {str(tmp_path / "a.mp3"): "a", str(tmp_path / "b.mp3"): "b"}).sides == {"a": "0", "b": "1"}


def test_a_copied_song_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    from core.files import sha256_of

    (tmp_path / "a.mp3").write_bytes(b"sound")
    path = write(tmp_path / "list.csv", ("path", "fold"), ("a.mp3", "0"))
    sha256 = sha256_of(tmp_path / "a.mp3")
    assert lists.read(path, {"/copies/x.mp3": sha256}).sides == {sha256: "0"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("path", "genre"), ("a.mp3", "rock")], "column `split` or `fold`"),
        ([("path", "split"), ("a.mp3", "sometimes")], "'sometimes' where a split may be"),
        ([("path", "split"), ("a.mp3", "train"), ("a.mp3", "test")], "both 'train' and 'test'"),
        ([("path", "split"), ("z.mp3", "train")], "None of the 1 files"),
    ],
)
def test_what_is_no_such_list_is_refused(tmp_path: Path, rows: list[tuple[str, ...]], told: str) -> None:
    with pytest.raises(LibraryError, match=told):
        lists.read(write(tmp_path / "list.csv", *rows), {str(tmp_path / "a.mp3"): "a"})
    with pytest.raises(LibraryError, match="cannot be read"):
        lists.read(tmp_path / "absent.csv", {})
