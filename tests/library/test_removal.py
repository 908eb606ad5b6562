"""Tracks taken out for good: all that hangs on them goes, nothing else does, and older edits can still be undone."""

from pathlib import Path

import numpy as np
import pytest

from core.database import Database
from core.library import removal
from core.library.edits import latest_edit, undo
from core.library.embeddings import Embeddings
from core.library.genres import Genres
from core.library.playlists import Playlists
from core.library.removal import Place
from core.library.store import Library
from core.music import Vote
from tests.library.test_edits import DEEDS, Deed, fill
from tests.library.test_store import PLAYLIST, RECIPE, found, made
from tests.lists import listed, playlist

SAMPLES = ("folder", "samples", "Samples")
PLACE = Place("folder", "samples", Path("/samples"))
TABLES = (
    "genres", "genre_aliases", "tracks", "track_urls", "track_pairs", "audio_files", "spectrograms", "playlists",
    "playlist_tracks", "playlist_genres", "votes", "genre_lookups", "readings", "collecting", "candidates", "label_reviews",
    "embeddings", "map_places",
)  # fmt: skip


def rows(database: Database) -> dict[str, list[str]]:
    """All that is in the library, beside jobs and the history of edits and evaluations."""
    with database.read() as db:
        return {table: sorted(repr(tuple(row)) for row in db.execute(f"SELECT * FROM {table}")) for table in TABLES}


def is_sound(database: Database) -> bool:
    with database.read() as db:
        return not db.execute("PRAGMA foreign_key_check").fetchall()


def add_samples(database: Database) -> list[int]:
    """Three songs of `made-up`, one of `jazz`; with spectrograms and places on a map."""
    library = Library(database)
    files = [
        found(
            number, path=f"/samples/made-up/{number}.flac", votes=(Vote("made-up", "folder", 1.0, "/samples"),),
            artist="Synthesiser",
        )
        for number in (101, 102, 103)
    ]  # fmt: skip
    files.append(found(104, path="/samples/jazz/104.flac", votes=(Vote("jazz", "folder", 1.0, "/samples"),)))
    library.add_files(files, playlist=SAMPLES, job_id=None)
    ids = removal.tracks_of(database, PLACE)
    made(library, ids)
    embeddings = Embeddings(database, "a network")
    embeddings.add([(audio_id, np.ones(3, np.float32)) for audio_id, _ in embeddings.missing(RECIPE)])
    embeddings.put_on_map(np.zeros((len(ids), 2), np.float32), ids)
    library.looked_up(ids[0], [Vote("ambient", "musicbrainz", 1.0, "recording")], "{}")
    return ids


@pytest.fixture
def full(database: Database) -> Database:
    fill(database)
    return database


def test_what_was_there_before_is_there_after_and_nothing_else(full: Database) -> None:
    before = rows(full)
    ids = add_samples(full)
    assert len(ids) == 4
    assert rows(full) != before
    removed = removal.remove(full, PLACE)
    assert (removed.tracks, removed.genres) == (4, ("made-up",))  # others speak for jazz
    assert len(removed.sha256s) == 4
    assert rows(full) == before
    assert is_sound(full)


def test_nothing_there_is_nothing_removed(full: Database) -> None:
    before = rows(full)
    assert removal.remove(full, PLACE) == removal.Removed(0, (), ())
    assert rows(full) == before


def test_tracks_are_known_by_their_folder_where_their_playlist_is_gone(full: Database) -> None:
    ids = add_samples(full)
    Library(full).add_files([found(200, path="/samples-of-mine/200.flac")], playlist=PLAYLIST, job_id=None)
    with full.write() as db:
        db.execute("DELETE FROM playlists WHERE reference = 'samples'")
    assert removal.tracks_of(full, PLACE) == ids


def test_a_genre_stays_while_something_speaks_for_it(full: Database) -> None:
    add_samples(full)
    own = next(row.id for row in Library(full).tracks(RECIPE) if row.title == "Title 1")
    Library(full).label_by_hand([own], {"made-up": 1.0}, who="me")
    assert removal.remove(full, PLACE).genres == ()
    assert "made-up" in Library(full).genres()


def test_a_genre_that_an_undo_could_ask_for_stays(full: Database) -> None:
    """Else the undo would be refused, and so would all before it."""
    add_samples(full)
    own = next(row.id for row in Library(full).tracks(RECIPE) if row.title == "Title 1")
    Library(full).label_by_hand([own], {"made-up": 1.0}, who="me")
    Library(full).label_by_hand([own], {"rock": 1.0}, who="me")
    assert removal.remove(full, PLACE).genres == ()
    undo_all(full)
    assert is_sound(full)


def test_a_genre_stays_for_a_playlist_and_for_a_genre_below_it(full: Database) -> None:
    add_samples(full)
    Genres(full).change("techno", parent="made-up")
    assert removal.remove(full, PLACE).genres == ()
    add_samples(full)
    Genres(full).change("techno", no_parent=True)
    Playlists(full).take_in(playlist("made up", listed(50)), {"made-up": 1.0})
    assert removal.remove(full, PLACE).genres == ()


def test_what_an_edit_did_to_others_can_still_be_taken_back(full: Database) -> None:
    before = rows(full)
    ids = add_samples(full)
    own = next(row.id for row in Library(full).tracks(RECIPE) if row.title == "Title 1")
    Library(full).label_by_hand([own, *ids], {"rock": 1.0}, who="me")
    Library(full).label_by_hand([ids[0]], {"techno": 1.0}, who="me")
    Genres(full).change("made-up", rename="invented", colour="#112233")
    assert removal.remove(full, PLACE).genres == ("invented",)
    edit = latest_edit(full)
    assert edit is not None
    assert edit.description == "rock for 5 tracks"  # the later ones were about these tracks alone
    undo_all(full)
    assert rows(full) == before


@pytest.mark.slow
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_after_a_removal_every_edit_can_be_undone(deed: Deed, full: Database) -> None:
    ids = add_samples(full)
    Library(full).label_by_hand([1, ids[1]], {"house": 1.0}, who="me")
    deed(full)
    Library(full).set_aside([1, ids[2]])
    removal.remove(full, PLACE)
    assert removal.tracks_of(full, PLACE) == []
    undo_all(full)
    assert is_sound(full)
    assert Playlists(full).find("folder", "samples") is None


def undo_all(database: Database) -> None:
    while edit := latest_edit(database):
        undo(database, edit.id)
    with database.read() as db:
        left = db.execute("SELECT count(*) FROM edit_changes").fetchone()[0]
    assert left == 0
