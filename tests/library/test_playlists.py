"""Playlists: taken in whole or not at all, once; compared as they will be taken in; kept until a person decides."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.library.catalogue import Catalogue
from core.library.edits import latest_edit
from core.library.genres import Genres
from core.library.playlists import Playlists, Reading, parse_weights
from core.library.store import Library
from core.music import ListedTrack, Playlist, Vote
from core.sources.lists import read_list
from tests.library.test_catalogue import alike
from tests.library.test_store import add, found, labels
from tests.lists import AWKWARD, contents, genre_names, listed, names, playlist, undo_latest, weights

HERE = "https://open.example/playlist"


@pytest.fixture
def playlists(database: Database) -> Playlists:
    return Playlists(database)


def all_rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with database.read() as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: sorted(map(tuple, db.execute(f"SELECT * FROM {table}")), key=repr) for table in tables}


# -- taking in ---------------------------------------------------------------------------------------------------------


def test_a_playlist_comes_out_as_it_went_in(playlists: Playlists) -> None:
    told = playlist("one", listed(1), listed(2), title="<b>Öne</b>", owner="=me", url=HERE, skipped={"podcast": 2})
    taken = playlists.take_in(told, {"techno": 1.0, "house": 0.5}, job_id=7)
    assert (taken.tracks, taken.new, taken.removed, taken.skipped) == (2, 2, 0, {"podcast": 2})
    row = playlists.get(taken.playlist_id)
    assert (row.source, row.reference, row.title, row.owner, row.url) == ("spotify", "one", "<b>Öne</b>", "=me", HERE)
    assert (row.tracks, row.genres, row.skipped) == (2, {"techno": 1.0, "house": 0.5}, {"podcast": 2})
    assert row.read_at is not None
    assert playlists.all() == [row]
    assert playlists.find("spotify", "one") == row
    assert playlists.find("deezer", "one") is None
    assert playlists.tracks(row.id) == ["Artist Birch 1 – Song Birch 1", "Artist Cobalt 2 – Song Cobalt 2"]
    assert playlists.tracks(row.id, limit=1) == ["Artist Birch 1 – Song Birch 1"]


def test_a_playlist_votes_for_its_genres(playlists: Playlists, database: Database) -> None:
    playlists.take_in(playlist("one", listed(1), listed(2)), {"dnb": 1.0})
    playlists.take_in(playlist("two", listed(2), listed(3)), {"house": 3.0, "Drum & Bass": 1.0})
    playlists.take_in(playlist("three", listed(3), listed(4)))
    assert labels(Library(database)) == {
        1: {"drum and bass": 1.0},
        2: {"house": 0.6, "drum and bass": 0.4},
        3: {"house": 0.75, "drum and bass": 0.25},
        4: {},
    }
    Library(database).label_by_hand([2], {"jazz": 1.0}, who="me")
    assert labels(Library(database))[2] == {"jazz": 1.0}


def test_the_same_again_is_nothing_new(playlists: Playlists, database: Database) -> None:
    told = playlist("one", listed(1), listed(2))
    first = playlists.take_in(told, {"techno": 1.0})
    before = contents(database)
    again = playlists.take_in(told)
    assert again == replace(first, new=0)
    assert latest_edit(database) is None
    after = contents(database)
    assert {table for table in after if after[table] != before[table]} <= {"playlists"}  # when it was read


def test_a_changed_list_is_what_it_is_now(playlists: Playlists, database: Database) -> None:
    one = playlists.take_in(playlist("one", listed(1), listed(2), listed(3)), {"techno": 1.0}).playlist_id
    playlists.take_in(playlist("two", listed(3)), {"house": 1.0})
    before = contents(database)
    taken = playlists.take_in(playlist("one", listed(4), listed(1), title="New title", owner="you"))
    assert (taken.playlist_id, taken.tracks, taken.new, taken.removed) == (one, 2, 1, 2)
    row = playlists.get(one)
    assert (row.title, row.owner, row.tracks, row.genres) == ("New title", "you", 2, {"techno": 1.0})
    assert {row.title for row in Library(database).tracks("any")} == {listed(n).title for n in (1, 3, 4)}
    assert undo_latest(database) == "read New title again"
    assert contents(database) == before


def test_tracks_that_something_else_holds_stay(playlists: Playlists, database: Database) -> None:
    library = Library(database)
    song = listed(2)
    told = [listed(number) for number in range(1, 6)]
    one = playlists.take_in(playlist("one", *told), {"techno": 1.0}).playlist_id
    add(library, found(2, title=song.title, artist=song.artists[0], duration_s=song.duration_s, votes=()))
    library.label_by_hand([3], {"jazz": 1.0}, who="me")
    playlists.take_in(playlist("two", listed(4)))
    library.looked_up(5, [Vote("ambient", "musicbrainz", 1.0, "x")], "{}")
    library.looked_up(1, [], "null")
    before = contents(database)
    playlists.remove([one])
    assert [row.id for row in library.tracks("any")] == [2, 3, 4]
    assert undo_latest(database) == "removed List one"
    assert contents(database) == before


def test_a_removed_folder_leaves_its_songs(playlists: Playlists, database: Database) -> None:
    add(Library(database), found(1, votes=()), found(2))
    (folder,) = playlists.all()
    playlists.remove([folder.id])
    assert [row.state for row in Library(database).tracks("any")] == ["waiting", "waiting"]


def test_several_playlists_are_removed_as_one_edit(playlists: Playlists, database: Database) -> None:
    ids = [playlists.take_in(playlist(name, listed(1), listed(len(name)))).playlist_id for name in ("a", "bb", "ccc")]
    before = contents(database)
    playlists.remove(ids[:2])
    assert [row.id for row in playlists.all()] == ids[2:]
    assert {row.title for row in Library(database).tracks("any")} == {listed(1).title, listed(3).title}
    assert undo_latest(database) == "removed 2 playlists"
    assert contents(database) == before
    with pytest.raises(LibraryError, match="not in the library any more"):
        playlists.remove([999])


def test_what_is_listed_twice_counts_once_and_is_told(playlists: Playlists) -> None:
    told = playlist("one", listed(1), listed(1, title=listed(1).title.upper()), listed(2), listed(1), skipped={"x": 1})
    for new in (2, 0):
        taken = playlists.take_in(told)
        assert (taken.tracks, taken.new, taken.skipped) == (2, new, {"x": 1, "listed twice": 2})


def test_the_same_file_from_elsewhere_is_the_same_playlist(playlists: Playlists) -> None:
    told = playlist("/here/list.csv", listed(1), listed(2), source="csv", title="List")
    first = playlists.take_in(told, {"techno": 1.0})
    again = playlists.take_in(replace(told, reference="list.csv"))
    assert again == replace(first, new=0)
    (row,) = playlists.all()
    assert (row.reference, row.genres) == ("/here/list.csv", {"techno": 1.0})
    for other in (
        playlist("b", listed(1), source="csv", title="List"),
        playlist("c", listed(1), listed(2), source="csv", title="Another"),
        playlist("d", listed(1), listed(2), source="m3u", title="List"),
    ):
        playlists.take_in(other)
    assert len(playlists.all()) == 4


def test_empty_playlists_are_not_taken_for_each_other(playlists: Playlists) -> None:
    playlists.take_in(playlist("one", title="Same"), {"techno": 1.0})
    playlists.take_in(playlist("two", title="Same"))
    assert [row.reference for row in playlists.all()] == ["one", "two"]


def test_a_list_without_artists_or_addresses_leads_to_the_same_tracks_again(playlists: Playlists) -> None:
    told = playlist("a.m3u", *(ListedTrack("Intro", (), duration_s=60.0) for _ in range(3)), ListedTrack("", ("A",)))
    first = playlists.take_in(told)
    assert (first.tracks, first.new) == (4, 4)
    assert playlists.take_in(told) == replace(first, new=0)
    other = playlists.take_in(replace(told, reference="b.m3u", title="Another"))
    assert (other.tracks, other.new) == (4, 4)  # nobody knows whether these are the same


def test_a_list_read_again_remembers_what_a_person_merged(playlists: Playlists, database: Database) -> None:
    one, two = playlist("one", listed(1)), playlist("two", listed(1, duration_s=126.0))
    playlists.take_in(one)
    playlists.take_in(two)
    Catalogue(database).merge([(1, 2)])
    for told in (one, two):
        taken = playlists.take_in(told)
        assert (taken.new, taken.removed) == (0, 0)
    assert Catalogue(database).pairs() == ([], 0)
    assert Library(database).urls(1) == []


def test_a_playlist_is_taken_in_whole_or_not_at_all(
    playlists: Playlists, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    playlists.take_in(playlist("one", listed(1), listed(2)), {"techno": 1.0})
    before = all_rows(database)
    changed = playlist("one", listed(3), listed(4))
    for place in ("map_genres", "_remove_orphans", "row_of"):
        with monkeypatch.context() as patch:
            patch.setattr(f"core.library.playlists.{place}", fail)
            for told in (changed, replace(changed, reference="new")):
                with pytest.raises(RuntimeError):
                    playlists.take_in(told, {"house": 1.0})
                assert all_rows(database) == before
    with monkeypatch.context() as patch:
        patch.setattr("core.library.catalogue.add_track", Later(fail, after=1))
        with pytest.raises(RuntimeError):
            playlists.take_in(changed)
    assert all_rows(database) == before
    assert playlists.take_in(changed).new == 2


def fail(*_: object, **__: object) -> None:
    raise RuntimeError


class Later:
    """Does as the real `add_track` at first, then something else."""

    def __init__(self, then: Any, after: int) -> None:
        from core.library.catalogue import add_track

        self.then, self.left, self.first = then, after, add_track

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.left -= 1
        return self.first(*arguments, **named) if self.left >= 0 else self.then()


@pytest.mark.parametrize(
    "genres", [{"": 1.0}, {"techno": 0.0}, {"techno": -1}, {"a": float("nan")}, {"a": float("inf")}]
)
def test_wrong_genres_are_refused_before_anything_is_done(
    playlists: Playlists, database: Database, genres: dict[str, float]
) -> None:
    row = playlists.take_in(playlist("one", listed(1)), {"techno": 1.0}).playlist_id
    before = all_rows(database)
    for deed in (
        lambda: playlists.take_in(playlist("two", listed(2)), genres),
        lambda: playlists.take_in(playlist("one", listed(2)), genres),
        lambda: playlists.set_genres({row: genres}),
        lambda: playlists.map_unread("spotify", "x", genres),
    ):
        with pytest.raises(LibraryError, match=r"needs a name|must be a number above 0"):
            deed()
    assert all_rows(database) == before


@given(names, names, names, genre_names, weights)
def test_names_of_anything_come_out_as_they_went_in(
    fresh_library: Callable[[], Database], title: str, artist: str, reference: str, genre: str, weight: float
) -> None:
    database = fresh_library()
    playlists, track = Playlists(database), ListedTrack(title, (artist,), album=title, duration_s=1.5)
    told = Playlist("csv", reference, title, (track,), owner=artist, url=reference, skipped={title: 1})
    taken = playlists.take_in(told, {genre: weight})
    row = playlists.get(taken.playlist_id)
    assert (row.title, row.owner, row.reference, row.skipped) == (title, artist, reference, {title: 1})
    assert row.genres == {Genres(database).canonical(genre): weight}
    assert playlists.tracks(row.id) == [f"{artist} – {title}"]
    (song,) = Library(database).tracks("any")
    assert (song.title, song.artist, song.album) == (title, artist, title)
    assert playlists.take_in(told, {genre: weight}).new == 0


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_are_only_names(playlists: Playlists, database: Database, name: str) -> None:
    taken = playlists.take_in(playlist(name, listed(1, title=name, artists=(name, name)), title=name), {name: 1.0})
    assert playlists.get(taken.playlist_id).genres == {name: 1.0}
    playlists.remove([taken.playlist_id])
    undo_latest(database)
    assert playlists.find("spotify", name) == playlists.get(taken.playlist_id)


# -- comparing ---------------------------------------------------------------------------------------------------------


def test_a_comparison_tells_what_would_change(playlists: Playlists) -> None:
    playlists.take_in(playlist("one", listed(1), listed(2), listed(3)), {"techno": 1.0})
    playlists.take_in(playlist("two", listed(2), listed(4)), {"house": 1.0})
    compared = playlists.compare(playlist("one", listed(2), listed(4), listed(5), listed(5)))
    assert (compared.tracks, compared.new, compared.taken_in) == (3, 1, True)
    assert compared.genres == {"house": 2, "techno": 1}
    assert compared.added == ("Artist Ember 4 – Song Ember 4", "Artist Fjord 5 – Song Fjord 5")
    assert compared.removed == ("Artist Birch 1 – Song Birch 1", "Artist Dune 3 – Song Dune 3")
    new = playlists.compare(playlist("three", listed(1), listed(6)))
    assert (new.tracks, new.new, new.taken_in, new.added, new.removed) == (2, 1, False, (), ())


@given(st.lists(alike, max_size=6), st.lists(alike, max_size=8), st.lists(alike, max_size=8), st.data())
def test_what_a_comparison_says_is_what_taking_in_does(
    fresh_library: Callable[[], Database],
    elsewhere: list[ListedTrack],
    before: list[ListedTrack],
    now: list[ListedTrack],
    data: st.DataObject,
) -> None:
    database = fresh_library()
    playlists = Playlists(database)
    playlists.take_in(playlist("elsewhere", *elsewhere), {"techno": 1.0})
    if data.draw(st.booleans(), label="taken in before"):
        playlists.take_in(playlist("one", *before))
    told = playlist("one", *now, *data.draw(st.permutations(before))[:4])
    state = all_rows(database)
    compared = playlists.compare(told)
    assert all_rows(database) == state
    known = playlists.find("spotify", "one")
    taken = playlists.take_in(told)
    assert (compared.tracks, compared.new) == (taken.tracks, taken.new)
    assert len(compared.removed) == taken.removed
    assert compared.taken_in == (known is not None)
    assert (latest_edit(database) is not None) == (taken.removed > 0)
    assert sum(compared.genres.values()) <= taken.tracks
    again = playlists.take_in(told)
    assert (again.tracks, again.new, again.removed) == (taken.tracks, 0, 0)
    same = playlists.compare(told)
    assert (same.tracks, same.new, same.added, same.removed) == (taken.tracks, 0, (), ())


# -- genres ------------------------------------------------------------------------------------------------------------


def test_which_genres_playlists_stand_for_is_one_edit(playlists: Playlists, database: Database) -> None:
    one, two = (playlists.take_in(playlist(name, listed(1)), {"techno": 1.0}).playlist_id for name in ("one", "two"))
    playlists.set_genres({one: {"dnb": 2.0, "Drum & Bass": 1.0, "jazz": 0.5}, two: {}})
    assert playlists.get(one).genres == {"drum and bass": 2.0, "jazz": 0.5}
    assert playlists.get(two).genres == {}
    assert labels(Library(database)) == {1: {"drum and bass": 0.8, "jazz": 0.2}}
    assert undo_latest(database) == "genres of 2 playlists"
    assert [row.genres for row in playlists.all()] == [{"techno": 1.0}, {"techno": 1.0}]
    playlists.set_genres({one: {"jazz": 1.0}})
    assert undo_latest(database) == "genres of List one"
    for wrong in ({one: {"jazz": 1.0}, 999: {"jazz": 1.0}}, {999: {}}):
        with pytest.raises(LibraryError, match="not in the library any more"):
            playlists.set_genres(wrong)
    assert [row.genres for row in playlists.all()] == [{"techno": 1.0}, {"techno": 1.0}]


def test_other_genres_told_with_a_playlist_read_again_are_an_edit(playlists: Playlists, database: Database) -> None:
    told = playlist("one", listed(1))
    playlists.take_in(told, {"techno": 1.0})
    playlists.take_in(told, {"techno": 1.0})
    assert latest_edit(database) is None
    playlists.take_in(told, {"house": 1.0})
    assert labels(Library(database)) == {1: {"house": 1.0}}
    undo_latest(database)
    assert labels(Library(database)) == {1: {"techno": 1.0}}


def test_a_playlist_may_be_mapped_before_it_is_read(playlists: Playlists, database: Database) -> None:
    playlists.map_unread("spotify", "one", {"techno": 1.0})
    (row,) = playlists.all()
    assert (row.title, row.tracks, row.genres, row.read_at) == ("one", 0, {"techno": 1.0}, None)
    assert playlists.read_times() == {}
    compared = playlists.compare(playlist("one", listed(1)))
    assert (compared.taken_in, compared.added) == (False, ())
    taken = playlists.take_in(playlist("one", listed(1), title="Its title"))
    assert taken.playlist_id == row.id
    assert playlists.get(row.id).title == "Its title"
    assert labels(Library(database)) == {1: {"techno": 1.0}}


def test_mapping_a_read_playlist_unread_keeps_when_it_was_read(playlists: Playlists) -> None:
    taken = playlists.take_in(playlist("one", listed(1)))
    at = playlists.get(taken.playlist_id).read_at
    playlists.map_unread("spotify", "one", {"techno": 1.0})
    assert playlists.get(taken.playlist_id).read_at == at


@pytest.mark.parametrize(
    ("told", "genres"),
    [
        ([], {}),
        (["techno"], {"techno": 1.0}),
        (["techno", "house=0.5"], {"techno": 1.0, "house": 0.5}),
        (["a=b=2"], {"a=b": 2.0}),
        ([" techno =1e-3"], {"techno": 0.001}),
        (["r&b"], {"r&b": 1.0}),
        (["techno", "techno=2"], {"techno": 2.0}),
    ],
)
def test_weights_are_read_as_written(told: list[str], genres: dict[str, float]) -> None:
    assert parse_weights(told) == genres


@pytest.mark.parametrize(
    "told", ["techno=", "techno=much", "techno=0", "techno=-1", "techno=nan", "techno=inf", "=1", ""]
)
def test_weights_that_make_no_sense_are_refused(told: str) -> None:
    with pytest.raises(LibraryError):
        parse_weights(["house", told])


@given(st.dictionaries(genre_names.filter(lambda name: "=" not in name), weights, max_size=4))
def test_weights_written_are_read_back(genres: dict[str, float]) -> None:
    assert parse_weights([f"{name}={weight!r}" for name, weight in genres.items()]) == genres


# -- what waits --------------------------------------------------------------------------------------------------------


def only(playlists: Playlists, **asked: Any) -> Reading:
    (reading,) = playlists.readings(**asked)
    return reading


def test_a_reading_waits_as_it_was_read(playlists: Playlists, database: Database) -> None:
    track = listed(1, artists=("A", "<b>B</b>"), album="C", isrc="GBAYE0601498", source_id="x", url=HERE)
    told = playlist("one", track, listed(2, duration_s=None), owner="me", url=HERE, skipped={"podcast": 1}, n_listed=9)
    playlists.keep_reading(told, error="")
    reading = only(playlists)
    assert reading.playlist == told
    assert (reading.genre, reading.score, reading.reasons, reading.error) == (None, None, {}, "")
    assert only(playlists, searched=False) == reading
    assert playlists.readings(searched=True) == []
    assert playlists.all() == []
    assert Library(database).tracks("any") == []
    assert playlists.read_times() == {("spotify", "one"): reading.read_at}


@given(st.lists(st.builds(listed, st.integers(0, 9), title=names, album=names), max_size=4), names, names)
def test_any_reading_waits_as_it_was_read(
    fresh_library: Callable[[], Database], tracks: list[ListedTrack], title: str, owner: str
) -> None:
    playlists = Playlists(fresh_library())
    told = playlist("one", *tracks, title=title, owner=owner)
    playlists.keep_reading(told, genre="techno", score=0.1, reasons={"title": 1 / 3})
    reading = only(playlists, searched=True)
    assert (reading.playlist, reading.genre, reading.score, reading.reasons) == (told, "techno", 0.1, {"title": 1 / 3})


def test_a_newer_reading_takes_the_place_of_an_older(playlists: Playlists) -> None:
    playlists.keep_reading(playlist("one", listed(1)), error="private")
    playlists.keep_reading(playlist("one", listed(1), listed(2), title="New"))
    reading = only(playlists)
    assert (reading.playlist.title, len(reading.playlist.tracks), reading.error) == ("New", 2, "")


def test_a_rejected_reading_stays_rejected_for_its_genre(playlists: Playlists) -> None:
    told = playlist("one", listed(1))
    playlists.keep_reading(told, genre="dnb", score=0.9)
    playlists.judge([only(playlists).id], rejected=True)
    assert playlists.readings() == []
    assert playlists.rejected() == {("drum and bass", "spotify", "one")}
    playlists.keep_reading(replace(told, title="New title"), genre="Drum & Bass", score=1.0)
    assert playlists.readings() == []
    rejected = only(playlists, state="rejected")
    assert (rejected.playlist.title, rejected.score) == ("List one", 0.9)
    playlists.keep_reading(told, genre="house", score=0.2)
    playlists.keep_reading(told)
    assert [reading.genre for reading in playlists.readings()] == [None, "house"]
    playlists.judge([rejected.id], rejected=False)
    assert playlists.rejected() == set()
    assert len(playlists.readings()) == 3


def test_what_a_person_added_is_not_rejected_but_discarded(playlists: Playlists) -> None:
    playlists.keep_reading(playlist("one", listed(1)))
    reading = only(playlists)
    playlists.judge([reading.id], rejected=True)
    assert only(playlists) == reading
    playlists.discard([reading.id, 999])
    assert playlists.readings() == []


def test_what_was_found_comes_by_genre_the_best_first(playlists: Playlists) -> None:
    for reference, genre, score in (
        ("a", "techno", 0.2),
        ("b", "house", None),
        ("c", "house", 0.5),
        ("d", "house", 0.9),
    ):
        playlists.keep_reading(playlist(reference), genre=genre, score=score)
    assert [reading.playlist.reference for reading in playlists.readings()] == ["d", "c", "b", "a"]


def test_accepting_takes_in_and_clears_away(playlists: Playlists, database: Database) -> None:
    playlists.keep_reading(playlist("one", listed(1)), genre="techno", score=0.5)
    playlists.keep_reading(playlist("two", listed(2)))
    found_reading = next(reading for reading in playlists.readings() if reading.genre)
    taken = playlists.accept(found_reading, {"techno": 1.0})
    assert (taken.tracks, taken.new) == (1, 1)
    assert [reading.playlist.reference for reading in playlists.readings()] == ["two"]
    assert labels(Library(database)) == {1: {"techno": 1.0}}


def test_what_could_not_be_read_is_not_taken_in(playlists: Playlists, database: Database) -> None:
    playlists.take_in(playlist("one", listed(1)))
    playlists.keep_reading(playlist("one"), error="This playlist is private now.")
    before = all_rows(database)
    with pytest.raises(LibraryError, match="private now"):
        playlists.accept(only(playlists))
    assert all_rows(database) == before


def test_when_playlists_were_read(playlists: Playlists) -> None:
    playlists.take_in(playlist("one", listed(1)))
    playlists.keep_reading(playlist("two", listed(1)))
    playlists.keep_reading(playlist("three"), error="gone")
    playlists.map_unread("spotify", "four", {"techno": 1.0})
    first = playlists.read_times()
    assert set(first) == {("spotify", "one"), ("spotify", "two")}
    playlists.keep_reading(playlist("one", listed(1)))
    assert playlists.read_times()["spotify", "one"] >= first["spotify", "one"]


# -- real lists --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_playlists_become_votes_once(shared_data: Path, playlists: Playlists, database: Database) -> None:
    folder = shared_data / "playlists"
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as stream:
        index = list(csv.DictReader(stream))
    assert len(index) == 65
    lists = [(read_list(row["file"], (folder / row["file"]).read_bytes()), row["suggested_genre"]) for row in index]
    genres_of: dict[str, set[str]] = {}
    times: Counter[str] = Counter()
    for told, genre in lists:
        for spotify_id in {track.source_id for track in told.tracks}:
            times[spotify_id] += 1
            genres_of.setdefault(spotify_id, set()).update([genre] if genre else [])
    assert (len(times), sum(n > 1 for n in times.values())) == (8098, 814)

    taken = [playlists.take_in(told, {genre: 1.0} if genre else {}) for told, genre in lists]
    tracks = Library(database).tracks("any")
    assert len(tracks) == sum(answer.new for answer in taken) == 8055  # 43 recordings go by two Spotify ids
    assert {row.state for row in tracks} == {"no sound"}
    with_several = sum(len(row.label.weights) > 1 for row in tracks if row.label)
    at_least = sum(len(genres) > 1 for genres in genres_of.values())
    assert 50 < at_least <= with_several <= at_least + 43
    named = {Genres(database).canonical(genre) for _, genre in lists if genre}
    assert {genre for row in tracks if row.label for genre, _ in row.label.weights} == named
    with database.read() as db:
        in_several = db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM playlist_tracks GROUP BY track_id HAVING count(*) > 1)"
        ).fetchone()[0]
    assert 814 <= in_several <= 814 + 43

    pairs, n_pairs = Catalogue(database).pairs()
    assert 0 < n_pairs < 50  # a person can look at them
    before = contents(database)
    for (told, _), first in zip(lists, taken, strict=True):
        compared = playlists.compare(told)
        assert (compared.new, compared.added, compared.removed) == (0, (), ())
        again = playlists.take_in(told)
        assert (again.new, again.removed, again.tracks, again.playlist_id) == (0, 0, first.tracks, first.playlist_id)
    assert latest_edit(database) is None
    after = contents(database)
    assert {table for table in after if after[table] != before[table]} <= {"playlists"}
    assert Catalogue(database).pairs()[1] == n_pairs
    assert len(pairs) == n_pairs
