"""What a person says of labels that were doubted. Undoing is in `test_edits`, of every deed."""

import pytest

from core.database import Database
from core.errors import LibraryError
from core.library.collection import Collection
from core.library.label_reviews import LabelReviews
from core.library.playlists import Playlists
from core.library.store import Library, TrackRow
from core.music import Vote
from tests.library.found import candidate, sound, url
from tests.library.test_store import add, found
from tests.lists import contents, listed, playlist, undo_latest


@pytest.fixture
def reviewing(database: Database) -> LabelReviews:
    """Tracks 1 and 2 from a folder; 3, without sound, from a playlist."""
    folder = (Vote("rock", "folder", 1.0, "/music"), Vote("pop", "tag", 3.0, "tag"))
    add(Library(database), found(1, votes=folder), found(2, votes=()))
    Playlists(database).take_in(playlist("one", listed(3)), {"techno": 1.0})
    return LabelReviews(database)


def track(database: Database, track_id: int) -> TrackRow:
    (row,) = Library(database).tracks("any", track_id=track_id)
    return row


def label(database: Database, track_id: int) -> dict[str, float]:
    row = track(database, track_id)
    return dict(row.label.weights) if row.label else {}


def test_what_is_confirmed_stays_whatever_playlists_say(database: Database, reviewing: LabelReviews) -> None:
    before = label(database, 1)
    reviewing.confirm(1, who="Ada")
    assert label(database, 1) == before == {"pop": 0.75, "rock": 0.25}
    hand = {(vote.genre, vote.reference) for vote in track(database, 1).votes if vote.source == "hand"}
    assert hand == {("pop", "Ada"), ("rock", "Ada")}
    (row,) = Library(database).tracks("any", track_id=1)
    assert row.label and reviewing.all()[1].decision == "confirmed" and reviewing.all()[1].who == "Ada"
    reviewing.confirm(3, who="Ada")
    Playlists(database).set_genres(
        {row.id: {"polka": 5.0} for row in Playlists(database).all() if row.reference == "one"}
    )
    assert label(database, 3) == {"techno": 1.0}


def test_what_has_no_genre_cannot_be_confirmed(database: Database, reviewing: LabelReviews) -> None:
    before = contents(database)
    with pytest.raises(LibraryError, match="no genre yet"):
        reviewing.confirm(2, who="me")
    assert contents(database) == before


def test_another_label_decides_alone_and_replaces_what_was_said_before(
    database: Database, reviewing: LabelReviews
) -> None:
    assert reviewing.hand_votes_at(1) is None
    reviewing.change(1, {"jazz": 3, "blues": 1}, who="Ada")
    assert label(database, 1) == {"jazz": 0.75, "blues": 0.25}
    reviewing.change(1, {"dub": 1}, who="Grace")
    assert label(database, 1) == {"dub": 1.0}
    said = reviewing.all()
    assert set(said) == {1} and (said[1].decision, said[1].who) == ("changed", "Grace")
    assert reviewing.hand_votes_at(1)
    undo_latest(database)
    assert (reviewing.all()[1].who, label(database, 1)["jazz"]) == ("Ada", 0.75)


@pytest.mark.parametrize("genres", [{}, {"": 1.0}, {"jazz": 0.0}, {"jazz": float("nan")}, {"jazz": float("inf")}])
def test_a_label_that_is_none_is_refused(database: Database, reviewing: LabelReviews, genres: dict[str, float]) -> None:
    before = contents(database)
    with pytest.raises(LibraryError):
        reviewing.change(1, genres, who="me")
    assert contents(database) == before


def test_no_music_is_set_aside_for_good_until_it_is_used_again(database: Database, reviewing: LabelReviews) -> None:
    library = Library(database)
    reviewing.not_music(1, who="me")
    library.set_aside([2])
    library.set_aside([])
    assert [row.id for row in library.tracks("any") if row.set_aside] == [1]
    reviewing.confirm(3, who="me")
    reviewing.use_again([1, 3])
    assert not any(row.set_aside for row in library.tracks("any"))
    assert set(reviewing.all()) == {3}, "what was confirmed stays so"


def test_a_wrong_song_that_was_collected_is_searched_for_on(database: Database, reviewing: LabelReviews) -> None:
    collection = Collection(database)
    collection.searched(3, [candidate("a", 0.9), candidate("b", 0.8)], job_id=1)
    collection.fetched(3, url("a"), sound("a"), None, job_id=1)
    assert reviewing.wrong_song(3, who="me") is True
    assert not track(database, 3).has_sound and not track(database, 3).set_aside
    assert [one.track_id for one in collection.wanted(track_ids=[3])] == [3]
    assert {one.candidate.source_id: one.state for one in collection.found(3)} == {"a": "rejected", "b": "open"}


def test_a_wrong_song_from_a_folder_is_set_aside(database: Database, reviewing: LabelReviews) -> None:
    assert reviewing.wrong_song(1, who="me") is False
    row = track(database, 1)
    assert row.set_aside and row.has_sound and reviewing.all()[1].decision == "wrong song"


def test_decisions_on_a_track_that_is_gone_are_refused(reviewing: LabelReviews) -> None:
    for deed in (reviewing.confirm, reviewing.not_music, reviewing.wrong_song):
        with pytest.raises(LibraryError, match="not in the library any more"):
            deed(99, who="me")
