"""What a person decides of what was found. Undoing is in `test_edits`, of every deed."""

import pytest

from core.collecting.steps import Search, next_step
from core.database import Database
from core.errors import LibraryError
from core.library.collection import Collection
from core.library.reviews import Reviews
from core.library.store import Library
from tests.library.found import FINGERPRINT, A, C, candidate, ids, sound, spectrogram, stands, url
from tests.lists import listed


@pytest.fixture
def doubtful(collection: Collection) -> Collection:
    """Track 1 is doubtful: `b` is in front and here, `a` and `c` are not."""
    collection.searched(1, [candidate("a", 0.55), candidate("b", 0.7), candidate("c", 0.3)], job_id=1)
    collection.doubtful(1, url("b"), sound("b"), message="", job_id=1)
    return collection


def front(reviews: Reviews, track_id: int = 1) -> list[str]:
    review = reviews.review(track_id)
    return [one.candidate.source_id for one in review.found] if review else []


def test_a_review_shows_the_one_in_front_then_the_others_by_score(doubtful: Collection, reviews: Reviews) -> None:
    assert doubtful.to_review() == [1] and front(reviews) == ["b", "a", "c"]
    review = reviews.review(1)
    assert review and review.found[0].sound == sound("b") and review.track.title == listed(1).title
    assert reviews.review(2) is None and reviews.review(99) is None


def test_what_is_accepted_and_here_is_the_tracks_sound_at_once(
    doubtful: Collection, database: Database, reviews: Reviews
) -> None:
    assert reviews.accept(1, url("b")) is True
    row = Library(database).tracks(FINGERPRINT)[0]
    assert (row.sha256, row.state) == (sound("b").sha256, "waiting") and doubtful.to_review() == []
    assert stands(doubtful) == ("fetched", "")


def test_what_is_accepted_unheard_is_fetched_and_taken(doubtful: Collection, reviews: Reviews) -> None:
    assert reviews.accept(1, url("a")) is False
    (wanted,) = doubtful.wanted(wished_only=True)
    assert (wanted.track_id, wanted.url, wanted.wish) == (1, url("a"), "take") and doubtful.to_review() == []


def test_a_sound_that_another_track_has_cannot_be_accepted(doubtful: Collection, reviews: Reviews) -> None:
    doubtful.fetched(2, C, sound("b"), None, job_id=1)
    with pytest.raises(LibraryError, match="Same song twice"):
        reviews.accept(1, url("b"))
    assert doubtful.to_review() == [1]


def test_another_candidate_comes_in_front_to_be_heard(doubtful: Collection, reviews: Reviews) -> None:
    reviews.hear(1, url("a"))
    (wanted,) = doubtful.wanted(wished_only=True)
    assert (wanted.url, wanted.wish) == (url("a"), "hear") and doubtful.to_review() == []
    doubtful.doubtful(1, url("a"), sound("a"), message="", job_id=2)
    assert front(reviews) == ["a", "b", "c"]
    reviews.hear(1, url("b"))
    assert front(reviews) == ["b", "a", "c"], "at once, since it is here"


def test_rejecting_brings_the_next_in_front_until_none_is_left(doubtful: Collection, reviews: Reviews) -> None:
    reviews.reject(1, [url("b")])
    assert front(reviews) == ["a", "c"]
    reviews.reject(1, [url("a"), url("c")])
    assert stands(doubtful) == ("failed", "rejected") and doubtful.to_review() == []
    assert reviews.retry(reasons=["rejected"]) == 1
    assert {one.state for one in doubtful.found(1)} == {"rejected"} and not doubtful.wanted(track_ids=[1])[0].searched


def test_a_collected_song_that_is_another_is_searched_for_on(
    collection: Collection, database: Database, reviews: Reviews
) -> None:
    collection.searched(1, [candidate("a", 0.95), candidate("b", 0.9)], job_id=1)
    collection.fetched(1, url("a"), sound("a", duration_s=99.0), spectrogram(), job_id=1)
    (one,), total = collection.collected()
    assert (one.track_id, one.score, total) == (1, 0.95, 1)
    reviews.reject_sound(1)
    assert not Library(database).tracks(FINGERPRINT)[0].has_sound and collection.collected() == ([], 0)
    (wanted,) = collection.wanted(track_ids=[1])
    assert wanted.url is None and wanted.track.duration_s == listed(1).duration_s, (
        "as listed, not as the wrong song was"
    )
    assert [(one.candidate.source_id, one.state) for one in collection.found(1)] == [("a", "rejected"), ("b", "open")]
    with pytest.raises(LibraryError):
        reviews.reject_sound(1)


def test_a_song_that_is_another_at_its_own_address_is_not_fetched_from_there_again(
    collection: Collection, reviews: Reviews
) -> None:
    own = "https://youtu.be/aaaaaaaaaaa"
    collection.fetched(3, own, sound("c"), spectrogram(), job_id=1)
    reviews.reject_sound(3)
    (wanted,) = collection.wanted(track_ids=[3])
    assert next_step(wanted, collection.found(3), lambda _: True) == Search()


def test_failed_tracks_are_tried_again_by_reason(collection: Collection, reviews: Reviews) -> None:
    collection.searched(1, [candidate("a", 0.9)], job_id=1)
    collection.candidate_failed(1, url("a"), reason="network", message="")
    for track_id, reason in ((1, "network"), (2, "no match"), (3, "gone")):
        collection.failed(track_id, reason=reason, message="", job_id=1)
    assert reviews.retry(reasons=["network", "no match"]) == 2 and ids(collection) == [1, 2]
    assert collection.found(1)[0].state == "open" and collection.wanted(track_ids=[1])[0].searched
    assert reviews.retry(track_ids=[1]) == 0 and reviews.retry() == 1


def test_tracks_whose_address_failed_are_searched_for_elsewhere(collection: Collection, reviews: Reviews) -> None:
    collection.candidate_failed(3, "https://youtu.be/aaaaaaaaaaa", reason="gone", message="")
    collection.failed(3, reason="gone", message="", job_id=1)
    assert reviews.search_elsewhere(reasons=["geo"]) == 0 and reviews.search_elsewhere(reasons=["gone"]) == 1
    (wanted,) = collection.wanted(track_ids=[3])
    assert not wanted.searched and [one.state for one in collection.found(3)] == ["rejected"]


def test_decisions_on_what_is_not_there_are_refused(collection: Collection, reviews: Reviews) -> None:
    for deed in (reviews.accept, reviews.hear):
        with pytest.raises(LibraryError):
            deed(1, A)
    with pytest.raises(LibraryError):
        reviews.paste(99, A)
