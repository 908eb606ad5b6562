"""How far the sound of each track is: what jobs come to. A person's decisions are in `test_reviews`."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from core.database import Database
from core.library.catalogue import Catalogue
from core.library.collection import Collection
from core.library.playlists import Playlists
from core.library.reviews import Reviews
from core.library.store import Library
from core.music import Playlist
from tests.library.found import FINGERPRINT, A, B, candidate, ids, sound, spectrogram, stands, url
from tests.lists import listed

# -- what is wanted ----------------------------------------------------------------------------------------------------


def test_every_track_without_sound_is_wanted_with_what_is_known_of_it(collection: Collection) -> None:
    first, _, third = collection.wanted()
    assert (first.track.title, first.track.artists, first.urls, first.searched, first.tries) == (
        listed(1).title, listed(1).artists, (), False, 0,
    )  # fmt: skip
    assert third.urls == ("https://youtu.be/aaaaaaaaaaa",) and third.retry_at is None and third.wish is None
    assert ids(collection, track_ids=[2, 99]) == [2] and ids(collection, track_ids=[]) == []


def test_tracks_set_aside_or_with_sound_are_not_wanted_unless_wished_for(
    collection: Collection, database: Database, reviews: Reviews
) -> None:
    Library(database).set_aside([1])
    collection.fetched(2, B, sound("b"), None, job_id=1)
    assert ids(collection) == [3]
    reviews.paste(1, A)
    assert ids(collection) == [1, 3] and ids(collection, wished_only=True) == [1]


def test_what_failed_or_is_doubtful_is_left_to_a_person(collection: Collection) -> None:
    collection.failed(1, reason="gone", message="Gone.", job_id=1)
    collection.searched(2, [candidate("a", 0.6)], job_id=1)
    collection.doubtful(2, candidate("a", 0.6).candidate.url, None, message="", job_id=1)
    assert ids(collection) == [3] and collection.to_review() == [2]


def test_a_track_whose_file_went_missing_is_wanted_from_where_it_came(collection: Collection) -> None:
    collection.fetched(1, A, sound("a"), None, job_id=1)
    collection.moved({}, [sound("a").sha256])
    assert collection.wanted(track_ids=[1])[0].url == A
    collection.moved({sound("a").sha256: "/there"}, [])
    assert ids(collection) == [2, 3] and collection.sounds()[0][1] == "/there"


# -- what jobs come to -------------------------------------------------------------------------------------------------


def test_candidates_are_kept_whole_best_first(collection: Collection) -> None:
    some = [candidate("a", 0.3), candidate("b", 0.9, is_song=True, has_isrc=True, views=None, duration_s=1 / 3)]
    collection.searched(1, some, job_id=1)
    assert collection.found(1) == [some[1], some[0]] and collection.wanted()[0].searched


def test_searching_again_forgets_no_decision(collection: Collection, reviews: Reviews) -> None:
    collection.searched(1, [candidate("a", 0.6), candidate("b", 0.9)], job_id=1)
    collection.candidate_failed(1, candidate("b", 0.9).candidate.url, reason="gone", message="Gone.")
    collection.doubtful(1, candidate("a", 0.6).candidate.url, None, message="", job_id=1)
    reviews.reject(1, [candidate("a", 0.6).candidate.url])
    collection.searched(1, [candidate("a", 0.7), candidate("b", 0.8), candidate("c", 0.5)], job_id=2)
    assert {one.candidate.source_id: (one.state, one.score) for one in collection.found(1)} == {
        "a": ("rejected", 0.7), "b": ("failed", 0.8), "c": ("open", 0.5),
    }  # fmt: skip


def test_an_address_that_failed_is_remembered_and_a_wish_for_it_is_over(
    collection: Collection, reviews: Reviews
) -> None:
    reviews.paste(3, "https://youtu.be/aaaaaaaaaaa")
    collection.candidate_failed(3, "https://youtu.be/aaaaaaaaaaa", reason="gone", message="Gone.")
    (wanted,) = collection.wanted(track_ids=[3])
    (one,) = collection.found(3)
    assert wanted.wish is None and (one.state, one.reason, one.message) == ("failed", "gone", "Gone.")


def test_what_is_put_off_is_tried_again_later(collection: Collection) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    collection.put_off(1, reason="network", message="Lost.", retry_at=at, tries=2, job_id=1)
    (wanted,) = collection.wanted(track_ids=[1])
    assert wanted.tries == 2 and abs(datetime.fromisoformat(wanted.retry_at or "") - at) < timedelta(seconds=1)
    assert stands(collection) == ("waiting", "network")


def test_what_is_fetched_is_the_tracks_sound(collection: Collection, database: Database) -> None:
    assert collection.fetched(1, A, sound("a"), spectrogram(), job_id=7) is None
    row = Library(database).tracks(FINGERPRINT)[0]
    assert (row.path, row.sha256, row.codec, row.state, row.has_sound) == (
        sound("a").path,
        sound("a").sha256,
        "opus",
        "ready",
        True,
    )
    assert row.duration_s == 201.25 and ids(collection) == [2, 3], "as decoded, where there is sound"
    assert collection.came_to(7) == {"fetched": 1} and collection.came_to(8) == {}
    assert collection.fetched_within(60) == 1 and collection.fetched_within(-60) == 0
    assert (
        collection.size_bytes() == 1000 and collection.owner_of(A, besides=2) and not collection.owner_of(A, besides=1)
    )
    statistics = Library(database).band_statistics([sound("a").sha256], FINGERPRINT)
    assert statistics.mean.tolist() == [list(range(128))] and statistics.n_frames.tolist() == [100]


def test_collected_sound_without_a_spectrogram_is_unfinished(collection: Collection) -> None:
    collection.fetched(1, A, sound("a"), spectrogram(), job_id=1)
    collection.fetched(2, B, sound("b"), None, job_id=1)
    assert collection.unfinished(FINGERPRINT) == [(2, sound("b").path, sound("b").sha256)]
    assert [track_id for track_id, _, _ in collection.unfinished("another")] == [1, 2]
    assert collection.sound_deleted(2, sound("b").path)
    assert collection.unfinished(FINGERPRINT) == []


def test_the_very_same_sound_is_no_second_tracks(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), None, job_id=1)
    before = collection.standings()
    told = collection.fetched(2, B, sound("a"), spectrogram(), job_id=1)
    assert told == f"{listed(1).artists[0]} – {listed(1).title}" and collection.standings() == before
    assert [(pair.track_id, pair.other_id) for pair in Catalogue(database).pairs()[0]] == [(1, 2)]
    assert ids(collection) == [2, 3]


def test_sound_that_was_deleted_is_still_sound(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), spectrogram(), job_id=1)
    assert not collection.sound_deleted(1, "elsewhere"), "it has another now"
    assert collection.sound_deleted(1, sound("a").path)
    row = Library(database).tracks(FINGERPRINT)[0]
    assert (row.path, row.state, row.has_sound) == ("", "ready", True)
    assert ids(collection) == [2, 3] and collection.size_bytes() == 0
    assert Library(database).without_spectrogram("another recipe") == []


def test_a_track_removed_meanwhile_is_passed_over(collection: Collection, database: Database) -> None:
    Playlists(database).remove([1])
    collection.put_off(1, reason="network", message="", retry_at=None, tries=1, job_id=1)
    collection.failed(1, reason="gone", message="", job_id=1)
    collection.candidate_failed(1, A, reason="gone", message="")
    assert collection.standings() == {} and collection.found(1) == []


@pytest.mark.parametrize("deed", ["searched", "doubtful", "fetched"])
def test_what_comes_for_a_track_removed_meanwhile_changes_nothing(
    collection: Collection, database: Database, deed: str
) -> None:
    Playlists(database).remove([1])
    if deed == "searched":
        collection.searched(1, [candidate("a", 0.9)], job_id=1)
    elif deed == "doubtful":
        collection.doubtful(1, A, sound("a"), message="", job_id=1)
    else:
        collection.fetched(1, A, sound("a"), spectrogram(), job_id=1)
    assert collection.standings() == {} and collection.sounds() == []


def test_failures_are_counted_by_reason_and_not_where_sound_came_otherwise(collection: Collection) -> None:
    for track_id, reason in ((1, "gone"), (2, "gone"), (3, "geo")):
        collection.failed(track_id, reason=reason, message="", job_id=1)
    assert collection.failures() == {"gone": 2, "geo": 1} and collection.failures(track_ids=[3]) == {"geo": 1}
    with collection._database.write() as db:
        db.execute(
            "INSERT INTO audio_files (track_id, sha256, path, copied, container, codec, sample_rate, channels, size_bytes, "
            "mtime_ns, state) VALUES (3, 'x', '/x', 0, 'mp3', 'mp3', 44100, 2, 1, 1, 'ok')"
        )
    assert collection.failures() == {"gone": 2}


def test_what_is_collected_is_listed_with_the_least_sure_first(collection: Collection) -> None:
    for track_id, name, score in ((1, "a", 0.9), (2, "b", 0.82)):
        collection.searched(track_id, [candidate(name, score)], job_id=1)
        collection.fetched(track_id, url(name), sound(name), None, job_id=1)
    collection.fetched(3, "https://youtu.be/aaaaaaaaaaa", sound("c"), None, job_id=1)
    found, total = collection.collected()
    assert [one.track_id for one in found] == [2, 1, 3] and total == 3 and found[2].score is None
    assert [one.track_id for one in collection.collected(limit=1)[0]] == [2] and collection.collected(limit=1)[1] == 3


def test_an_import_in_the_middle_settles_a_doubtful_track(collection: Collection, database: Database) -> None:
    collection.doubtful(1, A, sound("a"), message="", job_id=1)
    assert collection.to_review() == [1]
    with database.write() as db:
        db.execute(
            "INSERT INTO audio_files (track_id, sha256, path, copied, container, codec, sample_rate, channels, size_bytes, "
            "mtime_ns, state) VALUES (1, 'x', '/x', 0, 'mp3', 'mp3', 44100, 2, 1, 1, 'ok')"
        )
    assert collection.to_review() == []


def test_playlists_from_elsewhere_leave_what_was_collected(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), None, job_id=1)
    tracks = tuple(itertools.chain([listed(1)], [listed(n) for n in range(5, 8)]))
    Playlists(database).take_in(Playlist("csv", "/two", "two", tracks), {"house": 1.0})
    assert ids(collection) == [2, 3, 4, 5, 6] and stands(collection) == ("fetched", "")
