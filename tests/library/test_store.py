"""The library's tables: what goes in comes out, once, and hand labels can be taken back."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from core.database import Database
from core.errors import LibraryError
from core.library.edits import latest_edit, undo
from core.library.genres import Genres
from core.library.playlists import Playlists
from core.library.store import FoundFile, Library
from core.music import Vote
from tests.lists import contents, listed, playlist, undo_latest

RECIPE = "a fingerprint"
PLAYLIST = ("folder", "/music", "music")


def found(number: int, **changes: Any) -> FoundFile:
    """A file; the SHA-256 descends while the number rises."""
    file = FoundFile(
        path=f"/music/rock/{number}.mp3",
        sha256=f"{1_000 - number:064x}",
        size_bytes=1_000 + number,
        mtime_ns=number,
        copied=False,
        container="mp3",
        codec="mp3float",
        sample_rate=44_100,
        channels=2,
        duration_s=60.0 + number,
        title=f"Title {number}",
        artist=f"Artist {number % 2}",
        album="Album",
        votes=(Vote("rock", "folder", 1.0, "/music"),),
    )
    return dataclasses.replace(file, **changes)


def add(library: Library, *files: FoundFile, job_id: int | None = None) -> None:
    library.add_files(files, playlist=PLAYLIST, job_id=job_id)


def made(library: Library, track_ids: Sequence[int], *, level: float = -20.0, job_id: int | None = None) -> None:
    """Say that spectrograms of these tracks are there."""
    for todo in library.without_spectrogram(RECIPE, track_ids=track_ids):
        library.spectrogram_made(
            todo,
            RECIPE,
            n_frames=100 + todo.audio_id,
            band_mean=np.full(4, level + todo.audio_id, np.float32),
            band_std=np.full(4, 2, np.float32),
            duration_s=33.5,
            state="ok",
            reason="",
            job_id=job_id,
        )


def labels(library: Library) -> dict[int, dict[str, float]]:
    return {row.id: dict(row.label.weights) if row.label else {} for row in library.tracks(RECIPE)}


@pytest.fixture
def three(library: Library) -> Library:
    add(library, found(1), found(2), found(3))
    return library


# -- taking in ---------------------------------------------------------------------------------------------------------


def test_an_empty_library_answers_everything(library: Library) -> None:
    assert library.tracks(RECIPE) == []
    assert library.songs(RECIPE) == []
    assert library.genres() == []
    assert library.known_files() == ({}, {})
    assert library.names() == []
    assert library.without_spectrogram(RECIPE) == []
    assert library.mean_spectra(RECIPE) == {}
    assert library.labels_of([]) == []
    assert library.not_looked_up() == []
    assert set(library.counts(RECIPE).values()) == {0}


def test_a_file_comes_out_as_it_went_in(library: Library) -> None:
    add(library, found(1, title="'; DROP TABLE tracks; --", artist="Ärtist", votes=(Vote("rock", "tag", 2.0, "x"),)))
    (row,) = library.tracks(RECIPE)
    assert (row.title, row.artist, row.album) == ("'; DROP TABLE tracks; --", "Ärtist", "Album")
    assert (row.path, row.sha256) == ("/music/rock/1.mp3", found(1).sha256)
    assert (row.codec, row.sample_rate, row.duration_s) == ("mp3float", 44_100, 61.0)
    assert row.votes == (Vote("rock", "tag", 2.0, "x"),)
    assert (row.state, row.reason) == ("waiting", "")
    assert library.tracks(RECIPE, track_id=row.id) == [row]
    assert library.tracks(RECIPE, track_id=row.id + 1) == []


def test_files_are_known_by_path_and_by_content(library: Library) -> None:
    add(library, found(1), job_id=7)
    by_path, by_sha256 = library.known_files()
    known = by_path["/music/rock/1.mp3"]
    assert by_sha256 == {found(1).sha256: known}
    assert (known.size_bytes, known.mtime_ns, known.created_by_job) == (1_001, 1, 7)
    assert library.names() == [("Artist 1", "Title 1", 61.0, "/music/rock/1.mp3")]


def test_the_same_bytes_are_one_track(three: Library) -> None:
    before = three.tracks(RECIPE)
    add(three, found(1), found(2, path="/elsewhere.mp3", title="Another"))
    assert three.tracks(RECIPE) == before


def test_a_vote_said_twice_counts_once_and_other_sources_add(library: Library) -> None:
    folder, tag = Vote("rock", "folder", 1.0, "/music"), Vote("Pop", "tag")
    add(library, found(1, votes=(folder,)))
    add(library, found(1, votes=(folder,)))
    add(library, found(1, votes=(folder, tag)))
    (row,) = library.tracks(RECIPE)
    assert row.votes == (folder, tag)
    assert labels(library) == {row.id: {"Pop": 0.5, "rock": 0.5}}


def test_genres_are_one_whatever_their_case(library: Library) -> None:
    add(library, found(1, votes=(Vote("Rock", "folder"),)), found(2, votes=(Vote("ROCK", "tag"), Vote("jazz", "tag"))))
    assert library.genres() == ["jazz", "Rock"]
    assert {genre for label in labels(library).values() for genre in label} == {"Rock", "jazz"}


def test_of_one_batch_all_or_none_are_taken_in(library: Library) -> None:
    impossible = found(2, votes=(Vote("rock", "a source that is not"),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.library.store._add_votes", _fail_on(impossible.votes[0]))
        with pytest.raises(RuntimeError):
            add(library, found(1), impossible)
    assert library.tracks(RECIPE) == []
    assert library.genres() == []


def _fail_on(vote: Vote):
    def add_votes(db: object, names: object, track_id: int, given: Sequence[Vote]) -> None:
        if vote in given:
            raise RuntimeError

    return add_votes


def test_a_track_without_a_genre_is_in_the_library_but_not_to_learn_from(library: Library) -> None:
    add(library, found(1, votes=()), found(2))
    made(library, [1, 2])
    assert [row.label is None for row in library.tracks(RECIPE)] == [True, False]
    assert [song.track_id for song in library.songs(RECIPE)] == [2]


def test_counts(three: Library) -> None:
    add(three, found(4, artist="", votes=()), found(5, votes=(Vote("pop", "tag"),)))
    made(three, [1, 2])
    three.spectrogram_failed(three.without_spectrogram(RECIPE)[0], RECIPE, missing=False, reason="broken", job_id=None)
    expected = {"tracks": 5, "playlists": 0, "with_sound": 5, "labelled": 4, "genres": 2, "artists": 2}
    expected |= {"ready": 2, "failed": 1}
    assert three.counts(RECIPE) == expected
    assert three.counts("another recipe") == {**expected, "ready": 0, "failed": 0}


def test_a_file_that_moved_keeps_its_track(three: Library) -> None:
    todo = three.without_spectrogram(RECIPE)[0]
    three.spectrogram_failed(todo, RECIPE, missing=True, reason="gone", job_id=None)
    add(three, found(1, path="/new/place.mp3", size_bytes=9, mtime_ns=8, moved=True))
    row = three.tracks(RECIPE)[0]
    assert (row.id, row.path, row.reason) == (1, "/new/place.mp3", "")
    assert (three.known_files()[0]["/new/place.mp3"].size_bytes, len(three.tracks(RECIPE))) == (9, 3)


def test_moving_does_not_mend_a_broken_file(three: Library) -> None:
    todo = three.without_spectrogram(RECIPE)[0]
    three.spectrogram_failed(todo, RECIPE, missing=False, reason="broken", job_id=None)
    add(three, found(1, path="/new/place.mp3", size_bytes=9, mtime_ns=8, moved=True))
    assert three.tracks(RECIPE)[0].reason == "broken"


# -- spectrograms ------------------------------------------------------------------------------------------------------


def test_what_is_to_do_shrinks_as_it_is_done(three: Library) -> None:
    assert [todo.path for todo in three.without_spectrogram(RECIPE)] == [f"/music/rock/{n}.mp3" for n in (1, 2, 3)]
    assert [todo.audio_id for todo in three.without_spectrogram(RECIPE, track_ids=[3, 99])] == [3]
    assert three.without_spectrogram(RECIPE, track_ids=[]) == []
    made(three, [2])
    assert [todo.audio_id for todo in three.without_spectrogram(RECIPE)] == [1, 3]
    assert len(three.without_spectrogram("another recipe")) == 3


def test_failed_ones_are_tried_again_if_wanted(three: Library) -> None:
    todo = three.without_spectrogram(RECIPE)[0]
    three.spectrogram_failed(todo, RECIPE, missing=False, reason="broken", job_id=4)
    assert (three.tracks(RECIPE)[0].state, three.tracks(RECIPE)[0].reason) == ("failed", "broken")
    assert todo in three.without_spectrogram(RECIPE)
    assert todo not in three.without_spectrogram(RECIPE, retry_failed=False)
    made(three, [1])
    assert (three.tracks(RECIPE)[0].state, three.tracks(RECIPE)[0].reason) == ("ready", "")


def test_decoding_tells_the_true_length(three: Library) -> None:
    made(three, [1])
    assert [row.duration_s for row in three.tracks(RECIPE)] == [33.5, 62.0, 63.0]
    assert three.names()[0][2] == 33.5


def test_a_jobs_answer_covers_all_its_attempts(three: Library) -> None:
    made(three, [1], job_id=7)
    made(three, [2], job_id=8)
    three.spectrogram_failed(three.without_spectrogram(RECIPE)[0], RECIPE, missing=False, reason="broken", job_id=7)
    failure = {"path": "/music/rock/3.mp3", "reason": "broken"}
    assert three.spectrograms_of_job(7) == (1, 33.5, [failure])
    assert three.spectrograms_of_job(8) == (1, 33.5, [])
    assert three.spectrograms_of_job(9) == (0, 0.0, [])


def test_songs_come_in_the_order_of_their_content(three: Library) -> None:
    made(three, [1, 2, 3])
    songs = three.songs(RECIPE)
    assert [song.track_id for song in songs] == [3, 2, 1]
    assert [song.sha256 for song in songs] == sorted(song.sha256 for song in songs)
    song = songs[0]
    assert (song.title, song.artist, song.duration_s, song.n_frames) == ("Title 3", "Artist 1", 33.5, 103)
    assert song.label.weights == (("rock", 1.0),)


def test_band_statistics_are_those_of_the_songs_asked_for(three: Library) -> None:
    made(three, [1, 2, 3])
    shas = [found(1).sha256, found(3).sha256]
    statistics = three.band_statistics(shas, RECIPE)
    assert sorted(statistics.n_frames.tolist()) == [101, 103]
    assert statistics.mean.shape == statistics.std.shape == (2, 4)
    assert set(statistics.mean.ravel().tolist()) == {-19.0, -17.0}
    with pytest.raises(LibraryError, match="Make spectrograms again"):
        three.band_statistics([*shas, "f" * 64], RECIPE)


def test_mean_spectra_are_means_over_the_songs_of_a_genre(library: Library) -> None:
    add(library, found(1), found(2), found(3, votes=(Vote("pop", "tag"),)), found(4, votes=()))
    made(library, [1, 2, 3, 4])
    spectra = library.mean_spectra(RECIPE)
    assert {genre: spectrum.tolist() for genre, spectrum in spectra.items()} == {
        "pop": [-17.0] * 4,
        "rock": [-18.5] * 4,
    }


# -- what a person decides ---------------------------------------------------------------------------------------------


def test_a_hand_label_replaces_what_others_said(three: Library, database: Database) -> None:
    three.label_by_hand([1, 2], {"jazz": 1.0}, who="me")
    edit = latest_edit(database)
    assert edit is not None
    assert edit.description == "jazz for 2 tracks"
    assert labels(three) == {1: {"jazz": 1.0}, 2: {"jazz": 1.0}, 3: {"rock": 1.0}}
    assert Vote("jazz", "hand", 1.0, "me") in three.tracks(RECIPE)[0].votes
    assert three.genres() == ["jazz", "rock"]


def test_a_later_hand_label_replaces_an_earlier_one(three: Library) -> None:
    three.label_by_hand([1, 2], {"jazz": 1.0}, who="me")
    three.label_by_hand([2, 3], {"pop": 3.0, "folk": 1.0}, who="me")
    assert labels(three) == {1: {"jazz": 1.0}, 2: {"pop": 0.75, "folk": 0.25}, 3: {"pop": 0.75, "folk": 0.25}}


def test_the_same_hand_label_may_be_given_again(three: Library) -> None:
    three.label_by_hand([1], {"jazz": 1.0}, who="me")
    three.label_by_hand([1, 1], {"jazz": 1.0}, who="me")
    assert labels(three)[1] == {"jazz": 1.0}


def test_a_hand_label_by_an_alias_is_of_the_genre_it_stands_for(three: Library) -> None:
    three.label_by_hand([1], {"dnb": 1.0}, who="me")
    assert labels(three)[1] == {"drum and bass": 1.0}


def test_edits_are_undone_one_by_one_latest_first(three: Library, database: Database) -> None:
    states, edits = [labels(three)], []
    for tracks, genres in [([1, 2], {"jazz": 1.0}), ([2, 3], {"pop": 1.0}), ([1, 2, 3], {"folk": 2.0, "jazz": 2.0})]:
        three.label_by_hand(tracks, genres, who="me")
        edits.append(latest_edit(database))
        states.append(labels(three))
    with pytest.raises(LibraryError, match="Only the latest"):
        undo(database, edits[0].id)
    for edit, before in zip(reversed(edits), reversed(states[:-1]), strict=True):
        assert latest_edit(database) == edit
        undo(database, edit.id)
        assert labels(three) == before
    assert latest_edit(database) is None
    assert three.genres() == ["rock"]


def test_labels_can_be_given_after_an_undo(three: Library, database: Database) -> None:
    three.label_by_hand([1], {"jazz": 1.0}, who="me")
    three.label_by_hand([1], {"pop": 1.0}, who="me")
    undo_latest(database)
    three.label_by_hand([1], {"folk": 1.0}, who="me")
    assert labels(three)[1] == {"folk": 1.0}
    undo_latest(database)
    assert labels(three)[1] == {"jazz": 1.0}
    undo_latest(database)
    assert labels(three)[1] == {"rock": 1.0}


@pytest.mark.parametrize(
    ("tracks", "genres", "sentence"),
    [
        ([], {"jazz": 1.0}, "at least one track and one genre"),
        ([1], {}, "at least one track and one genre"),
        ([1], {"": 1.0}, "needs a name"),
        ([1], {" \n": 1.0}, "needs a name"),
        ([1], {"jazz": 0.0}, "weight of jazz"),
        ([1], {"jazz": -1.0}, "weight of jazz"),
        ([1], {"jazz": float("nan")}, "weight of jazz"),
        ([1], {"jazz": float("inf")}, "weight of jazz"),
        ([1, 2, 3, 999_999], {"jazz": 1.0}, "not in the library any more"),
    ],
)
def test_a_label_that_says_nothing_is_refused_whole(
    three: Library, database: Database, tracks: list[int], genres: dict[str, float], sentence: str
) -> None:
    before = contents(database)
    with pytest.raises(LibraryError, match=sentence):
        three.label_by_hand(tracks, genres, who="me")
    assert latest_edit(database) is None
    assert contents(database) == before


def test_a_genre_typed_by_hand_is_cleaned(three: Library) -> None:
    three.label_by_hand([1], {"  Drum\n& Bass\u202e ": 1.0, "g" * 400: 1.0}, who="me")
    assert labels(three)[1] == {"Drum & Bass": 0.5, "g" * 60: 0.5}


def test_hand_labels_survive_another_import(three: Library) -> None:
    three.label_by_hand([1], {"jazz": 1.0}, who="me")
    add(three, found(1), found(1, votes=(Vote("pop", "tag"),)))
    assert labels(three)[1] == {"jazz": 1.0}


def test_songs_set_aside_are_not_learned_from(three: Library, database: Database) -> None:
    made(three, [1, 2, 3])
    for aside in ([1, 3], [2], []):
        three.set_aside(aside)
        assert [row.id for row in three.tracks(RECIPE) if row.set_aside] == aside
        assert {song.track_id for song in three.songs(RECIPE)} == {1, 2, 3} - set(aside)
    undo_latest(database)
    assert [row.set_aside for row in three.tracks(RECIPE)] == [False, True, False]
    with pytest.raises(LibraryError, match="not in the library any more"):
        three.set_aside([1, 99])


# -- tracks of playlists -----------------------------------------------------------------------------------------------


def test_a_track_without_sound_says_so(library: Library, database: Database) -> None:
    isrc = "GBAYE0601498"
    Playlists(database).take_in(playlist("one", listed(1, isrc=isrc, artists=("A", "B"))), {"techno": 1.0})
    (row,) = library.tracks(RECIPE)
    assert (row.state, row.reason, row.path, row.sha256, row.codec, row.sample_rate) == ("no sound", "", "", "", "", 0)
    assert (row.artist, row.isrc, row.duration_s, row.set_aside) == ("A; B", isrc, 120.0, False)
    assert row.votes == (Vote("techno", "playlist", 1.0, "List one"),)
    assert library.without_spectrogram(RECIPE) == []
    assert library.songs(RECIPE) == []
    assert library.names() == []
    counted = library.counts(RECIPE)
    assert {name: counted[name] for name in ("tracks", "playlists", "with_sound", "labelled")} == {
        "tracks": 1,
        "playlists": 1,
        "with_sound": 0,
        "labelled": 1,
    }


def test_a_file_becomes_the_sound_of_the_track_it_certainly_is(library: Library, database: Database) -> None:
    Playlists(database).take_in(playlist("one", listed(1), listed(2)), {"techno": 1.0})
    song = listed(1)
    add(library, found(1, title=song.title.upper(), artist=song.artists[0], duration_s=121.5, votes=()))
    rows = library.tracks(RECIPE)
    assert [(row.title, row.state) for row in rows] == [(song.title, "waiting"), (listed(2).title, "no sound")]
    assert labels(library)[rows[0].id] == {"techno": 1.0}
    made(library, [rows[0].id])
    (learned,) = library.songs(RECIPE)
    assert learned.label.top == "techno"


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_s": 130.0},
        {"title": "Another"},
        {"artist": ""},
        {"artist": "Somebody Else"},
        {"title": f"{listed(1).title} (Live)"},
    ],
)
def test_a_file_that_only_may_be_the_track_is_another(
    library: Library, database: Database, changes: dict[str, Any]
) -> None:
    Playlists(database).take_in(playlist("one", listed(1)), {"techno": 1.0})
    told = {"title": listed(1).title, "artist": listed(1).artists[0], "duration_s": 120.0}
    add(library, found(1, **{**told, **changes}))
    assert [row.state for row in library.tracks(RECIPE)] == ["no sound", "waiting"]


def test_a_track_has_one_sound(library: Library, database: Database) -> None:
    song = listed(1)
    Playlists(database).take_in(playlist("one", song), {"techno": 1.0})
    told = {"title": song.title, "artist": song.artists[0], "duration_s": song.duration_s}
    add(library, found(1, **told), found(2, **told))
    assert [row.sha256 for row in library.tracks(RECIPE)] == [found(1).sha256, found(2).sha256]


def test_a_listed_track_finds_a_song_that_has_sound(library: Library, database: Database) -> None:
    song = listed(1)
    add(library, found(1, title=song.title, artist=song.artists[0], duration_s=song.duration_s))
    taken = Playlists(database).take_in(playlist("one", song), {"techno": 3.0})
    assert taken.new == 0
    assert labels(library) == {1: {"techno": 0.75, "rock": 0.25}}
    assert library.labels_of([song, listed(2)]) == [library.tracks(RECIPE)[0].label]


def test_where_a_track_can_be_heard(library: Library, database: Database) -> None:
    here, there = listed(1, url="https://b.example/1"), listed(1, url="https://a.example/1")
    Playlists(database).take_in(playlist("one", here, there))
    assert library.urls(1) == ["https://a.example/1", "https://b.example/1"]
    assert library.urls(99) == []


def test_genres_come_in_the_order_of_the_vocabulary(library: Library, database: Database) -> None:
    Playlists(database).take_in(playlist("one", listed(1)), {"jazz": 1.0, "Ambient": 1.0, "techno": 1.0})
    assert library.genres() == ["Ambient", "jazz", "techno"]  # "electronic", above two of them, has no vote
    Genres(database).order(["techno", "electronic"])
    assert library.genres() == ["techno", "Ambient", "jazz"]


def test_a_genre_service_is_asked_once_about_a_track(library: Library, database: Database) -> None:
    Playlists(database).take_in(playlist("one", listed(1, isrc="GBAYE0601498", album="Album"), listed(2)))
    asked = library.not_looked_up()
    assert [track for _, track in asked] == [listed(1, isrc="GBAYE0601498", album="Album"), listed(2)]
    votes = [Vote("trip hop", "musicbrainz", 0.75, "recording"), Vote("dnb", "musicbrainz", 0.25, "recording")]
    library.looked_up(asked[0][0], votes, "{}")
    library.looked_up(asked[1][0], [], "null")
    assert library.not_looked_up() == []
    assert labels(library) == {1: {"trip hop": 0.75, "drum and bass": 0.25}, 2: {}}
    library.looked_up(asked[0][0], votes, "{}")
    assert labels(library)[1] == {"trip hop": 0.75, "drum and bass": 0.25}
