"""How far the sound of each track is: what jobs come to, what a person decides. Undoing is in `test_edits`, of every deed."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core.collecting import matching
from core.collecting.steps import Search, next_step
from core.database import Database
from core.errors import LibraryError
from core.library.catalogue import Catalogue
from core.library.collection import Collection, Found, Sound, Spectrogram
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import Candidate, Playlist
from core.recipes import SpectrogramRecipe
from tests.lists import listed, playlist

FINGERPRINT = SpectrogramRecipe().fingerprint
A, B, C = (f"https://www.youtube.com/watch?v=video00000{name}" for name in "abc")


def candidate(name: str, score: float | None, **changes: Any) -> Found:
    url = f"https://www.youtube.com/watch?v={name:0>11}"
    told = {"title": name, "channel": "A channel", "artists": ("An artist",), "duration_s": 200.5, "views": 7}
    return Found(Candidate(url, name, **(told | changes)), score, {"title": score or 0.0}, matching.VERSION)


def sound(name: str, *, duration_s: float = 201.25, size_bytes: int = 1000) -> Sound:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Sound(__file__, sha256, size_bytes, 5, "matroska", "opus", 48_000, 2, duration_s)


def spectrogram() -> Spectrogram:
    bands = np.arange(128, dtype=np.float32)
    return Spectrogram(FINGERPRINT, 100, bands, bands + 1)


@pytest.fixture
def collection(database: Database) -> Collection:
    """Three tracks without sound: 1 and 2 are found by search, 3 has an address."""
    tracks = [listed(1), listed(2), listed(3, url="https://youtu.be/aaaaaaaaaaa")]
    Playlists(database).take_in(playlist("one", *tracks), {"techno": 1.0})
    return Collection(database)


def ids(collection: Collection, **asked: Any) -> list[int]:
    return [one.track_id for one in collection.wanted(**asked)]


def stands(collection: Collection, track_id: int = 1) -> tuple[str, str]:
    standing = collection.standings()[track_id]
    return standing.state, standing.reason


# -- what is wanted ----------------------------------------------------------------------------------------------------


def test_every_track_without_sound_is_wanted_with_what_is_known_of_it(collection: Collection) -> None:
    first, _, third = collection.wanted()
    assert (first.track.title, first.track.artists, first.urls, first.searched, first.tries) == (
        listed(1).title, listed(1).artists, (), False, 0,
    )  # fmt: skip
    assert third.urls == ("https://youtu.be/aaaaaaaaaaa",) and third.retry_at is None and third.wish is None
    assert ids(collection, track_ids=[2, 99]) == [2] and ids(collection, track_ids=[]) == []


def test_tracks_set_aside_or_with_sound_are_not_wanted_unless_wished_for(
    collection: Collection, database: Database
) -> None:
    Library(database).set_aside([1])
    collection.fetched(2, B, sound("b"), None, job_id=1)
    assert ids(collection) == [3]
    collection.paste(1, A)
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


def test_searching_again_forgets_no_decision(collection: Collection) -> None:
    collection.searched(1, [candidate("a", 0.6), candidate("b", 0.9)], job_id=1)
    collection.candidate_failed(1, candidate("b", 0.9).candidate.url, reason="gone", message="Gone.")
    collection.doubtful(1, candidate("a", 0.6).candidate.url, None, message="", job_id=1)
    collection.reject(1, [candidate("a", 0.6).candidate.url])
    collection.searched(1, [candidate("a", 0.7), candidate("b", 0.8), candidate("c", 0.5)], job_id=2)
    assert {one.candidate.source_id: (one.state, one.score) for one in collection.found(1)} == {
        "a": ("rejected", 0.7), "b": ("failed", 0.8), "c": ("open", 0.5),
    }  # fmt: skip


def test_an_address_that_failed_is_remembered_and_a_wish_for_it_is_over(collection: Collection) -> None:
    collection.paste(3, "https://youtu.be/aaaaaaaaaaa")
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


def test_the_very_same_sound_is_no_second_tracks(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), None, job_id=1)
    before = collection.standings()
    told = collection.fetched(2, B, sound("a"), spectrogram(), job_id=1)
    assert told == f"{listed(1).artists[0]} – {listed(1).title}" and collection.standings() == before
    assert [(pair.track_id, pair.other_id) for pair in Catalogue(database).pairs()[0]] == [(1, 2)]
    assert ids(collection) == [2, 3]


def test_sound_that_was_deleted_is_still_sound(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), spectrogram(), job_id=1)
    collection.sound_deleted(1)
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


# -- what a person decides ---------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(collection: Collection) -> Collection:
    """Track 1 is doubtful: `b` is in front and here, `a` and `c` are not."""
    collection.searched(1, [candidate("a", 0.55), candidate("b", 0.7), candidate("c", 0.3)], job_id=1)
    collection.doubtful(1, url("b"), sound("b"), message="", job_id=1)
    return collection


def url(name: str) -> str:
    return candidate(name, 0.0).candidate.url


def front(collection: Collection, track_id: int = 1) -> list[str]:
    review = collection.review(track_id)
    return [one.candidate.source_id for one in review.found] if review else []


def test_a_review_shows_the_one_in_front_then_the_others_by_score(doubtful: Collection) -> None:
    assert doubtful.to_review() == [1] and front(doubtful) == ["b", "a", "c"]
    review = doubtful.review(1)
    assert review and review.found[0].sound == sound("b") and review.track.title == listed(1).title
    assert doubtful.review(2) is None and doubtful.review(99) is None


def test_what_is_accepted_and_here_is_the_tracks_sound_at_once(doubtful: Collection, database: Database) -> None:
    assert doubtful.accept(1, url("b")) is True
    row = Library(database).tracks(FINGERPRINT)[0]
    assert (row.sha256, row.state) == (sound("b").sha256, "waiting") and doubtful.to_review() == []
    assert stands(doubtful) == ("fetched", "")


def test_what_is_accepted_unheard_is_fetched_and_taken(doubtful: Collection) -> None:
    assert doubtful.accept(1, url("a")) is False
    (wanted,) = doubtful.wanted(wished_only=True)
    assert (wanted.track_id, wanted.url, wanted.wish) == (1, url("a"), "take") and doubtful.to_review() == []


def test_a_sound_that_another_track_has_cannot_be_accepted(doubtful: Collection) -> None:
    doubtful.fetched(2, C, sound("b"), None, job_id=1)
    with pytest.raises(LibraryError, match="Same song twice"):
        doubtful.accept(1, url("b"))
    assert doubtful.to_review() == [1]


def test_another_candidate_comes_in_front_to_be_heard(doubtful: Collection) -> None:
    doubtful.hear(1, url("a"))
    (wanted,) = doubtful.wanted(wished_only=True)
    assert (wanted.url, wanted.wish) == (url("a"), "hear") and doubtful.to_review() == []
    doubtful.doubtful(1, url("a"), sound("a"), message="", job_id=2)
    assert front(doubtful) == ["a", "b", "c"]
    doubtful.hear(1, url("b"))
    assert front(doubtful) == ["b", "a", "c"], "at once, since it is here"


def test_rejecting_brings_the_next_in_front_until_none_is_left(doubtful: Collection) -> None:
    doubtful.reject(1, [url("b")])
    assert front(doubtful) == ["a", "c"]
    doubtful.reject(1, [url("a"), url("c")])
    assert stands(doubtful) == ("failed", "rejected") and doubtful.to_review() == []
    assert doubtful.retry(reasons=["rejected"]) == 1
    assert {one.state for one in doubtful.found(1)} == {"rejected"} and not doubtful.wanted(track_ids=[1])[0].searched


def test_a_collected_song_that_is_another_is_searched_for_on(collection: Collection, database: Database) -> None:
    collection.searched(1, [candidate("a", 0.95), candidate("b", 0.9)], job_id=1)
    collection.fetched(1, url("a"), sound("a", duration_s=99.0), spectrogram(), job_id=1)
    (one,), total = collection.collected()
    assert (one.track_id, one.score, total) == (1, 0.95, 1)
    collection.reject_sound(1)
    assert not Library(database).tracks(FINGERPRINT)[0].has_sound and collection.collected() == ([], 0)
    (wanted,) = collection.wanted(track_ids=[1])
    assert wanted.url is None and wanted.track.duration_s == listed(1).duration_s, (
        "as listed, not as the wrong song was"
    )
    assert [(one.candidate.source_id, one.state) for one in collection.found(1)] == [("a", "rejected"), ("b", "open")]
    with pytest.raises(LibraryError):
        collection.reject_sound(1)


def test_a_song_that_is_another_at_its_own_address_is_not_fetched_from_there_again(collection: Collection) -> None:
    own = "https://youtu.be/aaaaaaaaaaa"
    collection.fetched(3, own, sound("c"), spectrogram(), job_id=1)
    collection.reject_sound(3)
    (wanted,) = collection.wanted(track_ids=[3])
    assert next_step(wanted, collection.found(3), lambda _: True) == Search()


def test_what_is_collected_is_listed_with_the_least_sure_first(collection: Collection) -> None:
    for track_id, name, score in ((1, "a", 0.9), (2, "b", 0.82)):
        collection.searched(track_id, [candidate(name, score)], job_id=1)
        collection.fetched(track_id, url(name), sound(name), None, job_id=1)
    collection.fetched(3, "https://youtu.be/aaaaaaaaaaa", sound("c"), None, job_id=1)
    found, total = collection.collected()
    assert [one.track_id for one in found] == [2, 1, 3] and total == 3 and found[2].score is None
    assert [one.track_id for one in collection.collected(limit=1)[0]] == [2] and collection.collected(limit=1)[1] == 3


def test_failed_tracks_are_tried_again_by_reason(collection: Collection) -> None:
    collection.searched(1, [candidate("a", 0.9)], job_id=1)
    collection.candidate_failed(1, url("a"), reason="network", message="")
    for track_id, reason in ((1, "network"), (2, "no match"), (3, "gone")):
        collection.failed(track_id, reason=reason, message="", job_id=1)
    assert collection.retry(reasons=["network", "no match"]) == 2 and ids(collection) == [1, 2]
    assert collection.found(1)[0].state == "open" and collection.wanted(track_ids=[1])[0].searched
    assert collection.retry(track_ids=[1]) == 0 and collection.retry() == 1


def test_tracks_whose_address_failed_are_searched_for_elsewhere(collection: Collection) -> None:
    collection.candidate_failed(3, "https://youtu.be/aaaaaaaaaaa", reason="gone", message="")
    collection.failed(3, reason="gone", message="", job_id=1)
    assert collection.search_elsewhere(reasons=["geo"]) == 0 and collection.search_elsewhere(reasons=["gone"]) == 1
    (wanted,) = collection.wanted(track_ids=[3])
    assert not wanted.searched and [one.state for one in collection.found(3)] == ["rejected"]


def test_decisions_on_what_is_not_there_are_refused(collection: Collection) -> None:
    for deed in (collection.accept, collection.hear):
        with pytest.raises(LibraryError):
            deed(1, A)
    with pytest.raises(LibraryError):
        collection.paste(99, A)


def test_an_import_in_the_middle_settles_a_doubtful_track(doubtful: Collection, database: Database) -> None:
    with database.write() as db:
        db.execute(
            "INSERT INTO audio_files (track_id, sha256, path, copied, container, codec, sample_rate, channels, size_bytes, "
            "mtime_ns, state) VALUES (1, 'x', '/x', 0, 'mp3', 'mp3', 44100, 2, 1, 1, 'ok')"
        )
    assert doubtful.to_review() == []


def test_playlists_from_elsewhere_leave_what_was_collected(collection: Collection, database: Database) -> None:
    collection.fetched(1, A, sound("a"), None, job_id=1)
    tracks = tuple(itertools.chain([listed(1)], [listed(n) for n in range(5, 8)]))
    Playlists(database).take_in(Playlist("csv", "/two", "two", tracks), {"house": 1.0})
    assert ids(collection) == [2, 3, 4, 5, 6] and stands(collection) == ("fetched", "")
