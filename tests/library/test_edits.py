"""Edits: whatever a person changed is taken back exactly, latest first, or not at all."""

import contextlib
import random
import sqlite3
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.library import edits, mapping
from core.library.catalogue import Catalogue
from core.library.collection import Collection
from core.library.edits import KEPT, editing, latest_edit, undo
from core.library.genres import Genres
from core.library.label_reviews import LabelReviews
from core.library.playlists import PlaylistRow, Playlists
from core.library.reviews import Reviews
from core.library.store import Library
from core.music import ListedTrack, Playlist, Vote
from tests.library.found import candidate, sound
from tests.library.test_store import add, found
from tests.lists import contents, listed, playlist, undo_latest

ODD = 213.47333333333333  # lost a digit where JSON was written with 15
"""A length and a weight that only whole double precision keeps."""


Deed = Callable[[Database], Any]


def fill(database: Database) -> None:
    """A library in which every watched table has rows."""
    library, playlists = Library(database), Playlists(database)
    add(library, found(1), found(2), found(3, votes=(Vote("jazz", "tag", 1 / 3, "tag"),)))
    same = {"title": "Twin", "artists": ("Twins",)}
    twins = [listed(10, **same, duration_s=ODD), listed(11, **same, duration_s=ODD + 5)]
    urls = [listed(n, url=f"https://example.org/{n}", isrc=f"AAAAA000000{n}") for n in (4, 5)]
    playlists.take_in(playlist("one", *twins, *urls, listed(6)), {"techno": 1.0, "dnb": 0.1})
    playlists.take_in(playlist("two", *urls, listed(7), listed(8)), {"house": 2 / 3})
    playlists.take_in(playlist("three", listed(9), twins[0]), {"deep house": 1.0})
    for track_id, _ in library.not_looked_up()[:5]:
        library.looked_up(track_id, [Vote("ambient", "musicbrainz", 1 / 7, "recording")], '{"found": 1}')
    for genre in (None, "techno", "house"):
        playlists.keep_reading(
            playlist("found", listed(1), owner="<b>"), genre=genre, score=1 / 3, reasons={"title": ODD}
        )
    collection = Collection(database)
    waiting = [one.track_id for one in collection.wanted()]
    for track_id in waiting:
        collection.searched(track_id, [candidate(f"{track_id}a", 1 / 3), candidate(f"{track_id}b", 0.6)], job_id=1)
    doubtful, failed, collected = waiting[:3]
    collection.doubtful(doubtful, url(doubtful, "b"), sound(f"{doubtful}"), message="", job_id=1)
    collection.failed(failed, reason="gone", message="Gone.", job_id=1)
    collection.fetched(collected, url(collected, "b"), sound(f"{collected}"), None, job_id=1)
    with database.write() as db:  # not by `LabelReviews`: that would be an edit
        db.execute("INSERT INTO label_reviews VALUES (3, 'confirmed', 'me', '2026-01-01')")


def url(track_id: int, which: str) -> str:
    return candidate(f"{track_id}{which}", 0.0).candidate.url


def doubtful_one(database: Database) -> int:
    return Collection(database).to_review()[0]


def decide(deed: Callable[[Reviews, int], Any]) -> Deed:
    return lambda database: deed(Reviews(database), doubtful_one(database))


def reject_what_was_collected(database: Database) -> None:
    (one, *_), _ = Collection(database).collected()
    Reviews(database).reject_sound(one.track_id)


@pytest.fixture
def full(database: Database) -> Database:
    fill(database)
    assert all(contents(database).values()), "a watched table has no rows"
    return database


# -- one of each kind --------------------------------------------------------------------------------------------------


def track_id(database: Database, title: str) -> int:
    return next(row.id for row in Library(database).tracks("any") if row.title == title)


def merge_the_twins(database: Database) -> None:
    pairs, _ = Catalogue(database).pairs()
    Catalogue(database).merge([(pair.track_id, pair.other_id) for pair in pairs])


def keep_the_twins_apart(database: Database) -> None:
    pairs, _ = Catalogue(database).pairs()
    Catalogue(database).keep_apart([(pair.track_id, pair.other_id) for pair in pairs])


def import_a_mapping(database: Database) -> None:
    text = (
        "genres:\n  techno: {colour: '#112233', aliases: [tekno]}\n  new one: {parent: techno}\n  dnb: {}\n"
        "playlists:\n- {source: spotify, reference: one, genres: {new one: 0.3}}\n"
        "- {source: spotify, reference: unread, title: Unread, genres: {tekno: 1}}\n"
    )
    mapping.take_over(database, mapping.parse("a.yaml", text.encode()))


DEEDS: dict[str, Deed] = {
    "labels by hand": lambda db: Library(db).label_by_hand([1, 2, 4], {"jazz": 1 / 3, "a new genre": 1.0}, who="me"),
    "labels by hand again": lambda db: [
        Library(db).label_by_hand([1, 2], {genre: 0.1}, who="me") for genre in ("jazz", "dub techno")
    ],
    "songs set aside": lambda db: Library(db).set_aside([1, 3, 4]),
    "genres of a playlist": lambda db: Playlists(db).set_genres({2: {"trance": 0.7, "house": 1}, 3: {}}),
    "a genre added": lambda db: Genres(db).add("psytrance"),
    "a genre renamed": lambda db: Genres(db).change("techno", rename="Tekkno", aliases=["t"], colour="#abcdef"),
    "a parent": lambda db: Genres(db).change("jazz", parent="electronic"),
    "no parent": lambda db: Genres(db).change("techno", no_parent=True),
    "genres merged": lambda db: Genres(db).merge(["techno", "jazz", "electronic"], "deep house"),
    "genres merged into a new one": lambda db: Genres(db).merge(["techno", "rock"], "all of it"),
    "a genre split": lambda db: Genres(db).split("house", "minimal techno", [3]),
    "a genre removed": lambda db: Genres(db).remove("techno"),
    "a well-known genre removed": lambda db: Genres(db).remove("electronic"),
    "an order": lambda db: Genres(db).order(["techno", "jazz", "house"]),
    "tracks merged": merge_the_twins,
    "tracks kept apart": keep_the_twins_apart,
    "a playlist removed": lambda db: Playlists(db).remove([2]),
    "all playlists removed": lambda db: Playlists(db).remove([row.id for row in Playlists(db).all()]),
    "a playlist read again": lambda db: Playlists(db).take_in(playlist("one", listed(6), listed(12)), {"polka": ODD}),
    "a playlist read again, empty": lambda db: Playlists(db).take_in(playlist("two")),
    "a playlist mapped unread": lambda db: Playlists(db).map_unread("spotify", "later", {"dnb": 1, "salsa": 2}),
    "a mapping imported": import_a_mapping,
    "a match accepted": decide(lambda reviews, track: reviews.accept(track, url(track, "b"))),
    "a match accepted unheard": decide(lambda reviews, track: reviews.accept(track, url(track, "a"))),
    "another match to be heard": decide(lambda reviews, track: reviews.hear(track, url(track, "a"))),
    "a match rejected": decide(lambda reviews, track: reviews.reject(track, [url(track, "b")])),
    "all matches rejected": decide(lambda reviews, track: reviews.reject(track, [url(track, "a"), url(track, "b")])),
    "a link pasted": decide(lambda reviews, track: reviews.paste(track, "https://example.org/x.mp3")),
    "a collected song rejected": reject_what_was_collected,
    "a label confirmed": lambda db: LabelReviews(db).confirm(2, who="me"),
    "a label changed": lambda db: LabelReviews(db).change(3, {"house": ODD, "a new genre": 1}, who="me"),
    "no music": lambda db: LabelReviews(db).not_music(3, who="me"),
    "the wrong song": lambda db: LabelReviews(db).wrong_song(1, who="me"),
    "the wrong song was collected": lambda db: LabelReviews(db).wrong_song(
        Collection(db).collected()[0][0].track_id, who="x"
    ),
    "two with sound merged": lambda db: Catalogue(db).merge([(2, 1), (2, 3)]),
    "others kept apart": lambda db: Catalogue(db).keep_apart([(3, 1), (2, 5)]),
    "readings discarded": lambda db: Playlists(db).discard([reading.id for reading in Playlists(db).readings()][:2]),
}


@pytest.mark.parametrize("name", DEEDS)
def test_an_edit_changes_something_and_is_taken_back_exactly(full: Database, name: str) -> None:
    before = contents(full)
    DEEDS[name](full)
    assert contents(full) != before
    assert latest_edit(full) is not None
    while latest_edit(full):
        undo_latest(full)
    assert contents(full) == before


@given(st.lists(st.sampled_from(sorted(DEEDS)), min_size=2, max_size=6, unique=True), st.data())
def test_any_edits_are_taken_back_in_reverse_order(
    fresh_library: Callable[[], Database], names: list[str], data: st.DataObject
) -> None:
    database = fresh_library()
    fill(database)
    states: list[tuple[int, Any]] = []
    for name in names:
        before, latest = contents(database), latest_edit(database)
        try:
            DEEDS[name](database)
        except (LibraryError, StopIteration, IndexError, ValueError):  # such as a genre that an earlier edit removed
            if latest_edit(database) == latest:  # of several edits in one deed, some may have been made
                assert contents(database) == before
        if latest_edit(database) != latest:
            states.append((latest.id if latest else 0, before))
        elif contents(database) != before:  # a playlist that an edit had removed was read anew: that is no edit
            states.clear()
        if states and data.draw(st.booleans(), label="undo now"):
            go_back(database, *states.pop())
    while states:
        go_back(database, *states.pop())


def go_back(database: Database, to: int, state: Any) -> None:
    """Undo until the edit `to` is the latest again."""
    while (edit := latest_edit(database)) and edit.id != to:
        undo(database, edit.id)
    assert contents(database) == state


class Chance:
    """Random edits with random arguments, on whatever the library holds just then."""

    def __init__(self, database: Database, rng: random.Random) -> None:
        self.database, self.rng = database, rng

    def some(self, there: list[Any], most: int = 3) -> list[Any]:
        return self.rng.sample(there, min(len(there), self.rng.randint(1, most)))

    def weights(self) -> dict[str, float]:
        named = ["jazz", "dnb", "techno", "House", "folk", "New " + "x" * self.rng.randint(1, 3), "<b>é</b>"]
        return {name: self.rng.choice([1.0, 1 / 3, ODD]) for name in self.some(named)}

    def tracks(self) -> list[ListedTrack]:
        numbers = [self.rng.randint(4, 14) for _ in range(self.rng.randint(0, 6))]
        close = [self.rng.choice([0, 5]) for _ in numbers]
        return [listed(n, duration_s=200 + n + s, isrc=None) for n, s in zip(numbers, close, strict=True)]

    def read_again(self, row: PlaylistRow) -> Playlist:
        return playlist(row.reference, *self.tracks(), source=row.source, title=row.title + "!")

    def step(self) -> None:
        db, rng = self.database, self.rng
        genres = [genre.name for genre in Genres(db).all()]
        tracks = [row.id for row in Library(db).tracks("any")]
        lists = Playlists(db).all()
        pairs = [(pair.track_id, pair.other_id) for pair in Catalogue(db).pairs()[0]]
        deeds: list[Callable[[], Any]] = [
            lambda: Library(db).label_by_hand(self.some(tracks), self.weights(), who=rng.choice("ab")),
            lambda: Library(db).set_aside(self.some(tracks)),
            lambda: Playlists(db).set_genres({row.id: self.weights() for row in self.some(lists)}),
            lambda: Playlists(db).remove([row.id for row in self.some(lists)]),
            lambda: Playlists(db).take_in(self.read_again(rng.choice(lists)), {"told anew": 1 + rng.random()}),
            lambda: Genres(db).merge(self.some(genres), rng.choice([*genres, "merged"])),
            lambda: Genres(db).change(rng.choice(genres), rename=rng.choice(genres) + "s", aliases=["x", "y"]),
            lambda: Genres(db).change(rng.choice(genres), parent=rng.choice(genres), colour="#010203"),
            lambda: Genres(db).remove(rng.choice(genres)),
            lambda: Genres(db).split(rng.choice(genres), "split off", [row.id for row in lists]),
            lambda: Genres(db).order(self.some(genres, 9)),
            lambda: Catalogue(db).merge(self.some(pairs)),
            lambda: Catalogue(db).keep_apart(self.some(pairs)),
            lambda: mapping.take_over(
                db,
                mapping.GenreMapping.model_validate(
                    {
                        "genres": {name: {"aliases": [name + "!", "z"][: rng.randint(0, 2)]} for name in self.some(genres)},
                        "playlists": [{"source": "csv", "reference": rng.choice("pq"), "genres": self.weights()}],
                    }
                ),
            ),
        ]  # fmt: skip
        rng.choice(deeds)()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_edits_are_taken_back_in_reverse_order(full: Database, seed: int) -> None:
    chance = Chance(full, random.Random(seed))
    states: list[Any] = []
    for _ in range(30):
        before, latest = contents(full), latest_edit(full)
        with contextlib.suppress(LibraryError, IndexError):  # such as a name that is taken, or no playlist left
            chance.step()
        if latest_edit(full) != latest:
            states.append(before)
        else:
            assert contents(full) == before
    assert len(states) > 5
    while states:
        undo_latest(full)
        assert contents(full) == states.pop()


# -- only the latest, once ---------------------------------------------------------------------------------------------


def test_only_the_latest_edit_can_be_undone_and_only_once(full: Database) -> None:
    Genres(full).add("first")
    first = latest_edit(full)
    Genres(full).add("second")
    second = latest_edit(full)
    assert first is not None
    assert second is not None
    before = contents(full)
    for wrong in (first.id, 0, 999):
        with pytest.raises(LibraryError, match="Only the latest"):
            undo(full, wrong)
    assert contents(full) == before
    undo(full, second.id)
    with pytest.raises(LibraryError, match="Only the latest"):
        undo(full, second.id)
    assert latest_edit(full) == first


def test_what_changed_nothing_is_no_edit(full: Database) -> None:
    Library(full).set_aside([])
    Playlists(full).remove([])
    Playlists(full).discard([])
    Catalogue(full).keep_apart([])
    assert latest_edit(full) is None


def test_an_edit_that_fails_leaves_no_trace(full: Database) -> None:
    before = contents(full)
    with pytest.raises(ZeroDivisionError), editing(full, "half an edit") as db:
        db.execute("DELETE FROM playlist_genres")
        db.execute("INSERT INTO genres (name) VALUES ('half')")
        raise ZeroDivisionError
    assert contents(full) == before
    assert latest_edit(full) is None
    with full.read() as db:
        assert db.execute("SELECT count(*) FROM edits").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM edit_changes").fetchone()[0] == 0


def test_edits_are_told_in_words(full: Database) -> None:
    Library(full).label_by_hand([1], {"jazz": 1.0, "pop": 1.0}, who="me")
    assert undo_latest(full) == "jazz + pop for 1 track"
    Genres(full).merge(["jazz"], "house")
    assert undo_latest(full) == "merged jazz into house"
    Playlists(full).remove([2])
    assert undo_latest(full) == "removed List one"


def test_old_edits_lose_their_changes_and_the_rest_can_still_be_undone(
    full: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "KEPT", 3)
    states = []
    for number in range(5):
        states.append(contents(full))
        Genres(full).add(f"genre number {number}")
    with full.read() as db:
        assert db.execute("SELECT count(DISTINCT edit_id) FROM edit_changes").fetchone()[0] == 3
    for state in reversed(states[2:]):
        undo_latest(full)
        assert contents(full) == state
    assert latest_edit(full) is None


def test_many_edits_are_kept() -> None:
    assert KEPT >= 100


# -- what happened since -----------------------------------------------------------------------------------------------


def refused_whole(database: Database) -> None:
    before, edit = contents(database), latest_edit(database)
    assert edit is not None
    with pytest.raises(
        LibraryError, match=r"cannot be undone any more: what was imported or read since is in its way\."
    ):
        undo(database, edit.id)
    assert contents(database) == before
    assert latest_edit(database) == edit


def test_an_edit_is_refused_where_a_later_playlist_holds_what_it_brought(full: Database) -> None:
    new = listed(20)
    Playlists(full).take_in(playlist("one", new))
    Playlists(full).take_in(playlist("four", new))
    refused_whole(full)


def test_an_edit_is_refused_where_a_song_was_imported_for_a_track_it_brought(full: Database) -> None:
    Playlists(full).take_in(playlist("one", listed(20)))
    new = listed(20)
    add(Library(full), found(20, title=new.title, artist=new.artists[0], duration_s=new.duration_s))
    refused_whole(full)


def test_an_edit_is_refused_where_later_votes_are_for_its_genre(full: Database) -> None:
    Genres(full).add("brand new")
    add(Library(full), found(20, votes=(Vote("brand new", "tag"),)))
    refused_whole(full)


def test_an_edit_is_refused_where_its_playlist_was_read_since(full: Database) -> None:
    Playlists(full).map_unread("spotify", "later", {"techno": 1.0})
    Playlists(full).take_in(playlist("later", listed(20)))
    refused_whole(full)


def test_an_edit_is_refused_where_the_name_it_took_away_was_taken(full: Database) -> None:
    Genres(full).remove("techno")
    add(Library(full), found(20, votes=(Vote("techno", "tag"),)))
    refused_whole(full)


def test_an_edit_is_refused_where_what_it_removed_was_read_again(full: Database) -> None:
    Playlists(full).remove([2])
    Playlists(full).take_in(playlist("one", listed(4, url="https://example.org/4")))
    refused_whole(full)


def test_an_edit_can_be_undone_although_other_things_came_since(full: Database) -> None:
    """What came since has not taken the ids of what the edit removed, nor anything else of it."""
    library, playlists = Library(full), Playlists(full)
    deeds: list[Callable[[], Any]] = [
        lambda: playlists.remove([row.id for row in playlists.all() if row.source != "folder"]),
        lambda: Genres(full).remove(max(Genres(full).all(), key=lambda genre: genre.id).name),
        lambda: playlists.discard([reading.id for reading in playlists.readings()]),
        lambda: library.label_by_hand([1, 2], {"brand new": 1.0}, who="me"),
    ]
    for number, deed in enumerate(deeds, start=40):
        before = contents(full)
        deed()
        then = contents(full)
        playlists.take_in(playlist(f"since {number}", listed(number)), {f"genre {number}": 1.0})
        playlists.keep_reading(playlist(f"since {number}"), genre=f"genre {number}")
        add(library, found(number, title=f"since {number}", votes=(Vote(f"vote {number}", "tag"),)))
        since = [(table, row) for table, rows in contents(full).items() for row in rows if row not in then[table]]
        assert {"tracks", "playlists", "genres", "readings", "votes"} <= {table for table, _ in since}
        undo_latest(full)
        now = contents(full)
        for table, row in [*since, *((table, row) for table, rows in before.items() for row in rows)]:
            assert row in now[table]


def test_after_a_refusal_a_newer_edit_can_be_undone(full: Database) -> None:
    Genres(full).add("brand new")
    add(Library(full), found(20, votes=(Vote("brand new", "tag"),)))
    before = contents(full)
    Genres(full).add("another")
    undo_latest(full)
    assert contents(full) == before


def test_undoing_leaves_what_was_learned_since(full: Database) -> None:
    library, (first, *_) = Library(full), Library(full).tracks("any")
    library.set_aside([first.id])
    todo = library.without_spectrogram("any", track_ids=[first.id])[0]
    blob = np.zeros(4, np.float32)
    library.spectrogram_made(
        todo, "any", n_frames=3, band_mean=blob, band_std=blob, duration_s=77.7, state="ok", reason="", job_id=None
    )
    undo_latest(full)
    (row,) = library.tracks("any", track_id=first.id)
    assert (row.set_aside, row.duration_s, row.state) == (False, 77.7, "ready")


def test_undoing_leaves_other_rows_of_its_tables(full: Database) -> None:
    Library(full).label_by_hand([1], {"jazz": 1.0}, who="me")
    add(Library(full), found(20, votes=(Vote("jazz", "tag"),)))
    Playlists(full).take_in(playlist("four", listed(21)), {"jazz": 1.0})
    after = contents(full)
    undo_latest(full)
    now = contents(full)
    assert {table for table in now if now[table] != after[table]} == {"votes"}
    assert [row for row in after["votes"] if row not in now["votes"]] == [
        row for row in after["votes"] if "hand" in row
    ]


def test_an_edit_by_another_version_is_refused_whole(full: Database) -> None:
    before = contents(full)
    Genres(full).add("new")
    for table, key in (("sqlite_schema", "name"), ("tracks", "a column that is not")):
        with full.write() as db:
            db.execute("UPDATE edit_changes SET table_name = ?, key = json_object(?, 1)", (table, key))
        edit = latest_edit(full)
        assert edit is not None
        with pytest.raises(LibraryError, match="another version"):
            undo(full, edit.id)
    assert len(contents(full)["genres"]) == len(before["genres"]) + 1


# -- the triggers ------------------------------------------------------------------------------------------------------


def changes(database: Database) -> int:
    with database.read() as db:
        return int(db.execute("SELECT count(*) FROM edit_changes").fetchone()[0])


def test_ordinary_writes_are_not_written_down(full: Database) -> None:
    assert changes(full) == 0  # `fill` made no edit
    Genres(full).add("an edit")
    n = changes(full)
    add(Library(full), found(30, votes=(Vote("dubstep", "tag"),)))
    Playlists(full).take_in(playlist("five", listed(31)), {"salsa": 1.0})
    assert changes(full) == n


def test_another_connection_writes_nothing_down_while_an_edit_is_open(full: Database) -> None:
    other = sqlite3.connect(full.path, isolation_level=None)
    try:
        with editing(full, "open") as db:
            db.execute("INSERT INTO genres (name) VALUES ('mine')")
            assert not other.execute("SELECT 1 FROM sqlite_temp_schema").fetchall()
        other.execute("INSERT INTO genres (name) VALUES ('theirs')")
        told = [row[0] for row in other.execute("SELECT key FROM edit_changes")]
    finally:
        other.close()
    assert len(told) == 1
    with full.read() as db:
        assert not db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'trigger'").fetchall()


def test_every_table_that_hangs_on_a_watched_one_is_watched_or_left_alone(full: Database) -> None:
    """A row deleted along with another is written down too: so tables that cascade are watched, but for what is made again."""
    with full.read() as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        hanging = {
            table
            for table in tables
            for key in db.execute(f"PRAGMA foreign_key_list({table})")
            if key["on_delete"] == "CASCADE" and key["table"] in edits.KEYS
        }
    assert hanging - set(edits.KEYS) == {"spectrograms", "embeddings"}


def test_the_keys_tell_rows_apart(full: Database) -> None:
    with full.read() as db:
        for table, keys in edits.KEYS.items():
            primary = [row["name"] for row in db.execute(f"PRAGMA table_info({table})") if row["pk"]]
            assert sorted(primary) == sorted(keys)
