"""Taking tracks out of the library for good, with all that hangs on them. Speaks SQL.

This is no edit: it cannot be undone, and edits lose what they noted of the tracks, so that older ones can still be undone.
"""

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from core.database import Database

_OF_PLACE = (
    "SELECT track_id FROM playlist_tracks JOIN playlists ON playlists.id = playlist_id "
    "WHERE source = :source AND reference = :reference "
    "UNION SELECT track_id FROM audio_files WHERE substr(path, 1, length(:below)) = :below"
)
_IDS = "(SELECT value FROM json_each(:ids))"
_ROWS = (  # where an edit names a row by another key than the track's: table, column, and which rows
    ("tracks", "id", "SELECT value FROM json_each(:ids)"),
    ("playlists", "id", "SELECT value FROM json_each(:playlists)"),
    ("votes", "id", f"SELECT id FROM votes WHERE track_id IN {_IDS}"),  # noqa: S608
    ("audio_files", "id", f"SELECT id FROM audio_files WHERE track_id IN {_IDS}"),  # noqa: S608
    ("track_urls", "url", f"SELECT url FROM track_urls WHERE track_id IN {_IDS}"),  # noqa: S608
)


@dataclass(frozen=True)
class Place:
    """Where tracks are from: a playlist, and a folder in which (or below which) their sound lies."""

    source: str
    reference: str
    folder: Path


@dataclass(frozen=True)
class Removed:
    """What was taken out: `sha256s` of the sounds, and names of the `genres` that went with them."""

    tracks: int
    sha256s: tuple[str, ...]
    genres: tuple[str, ...]


def tracks_of(database: Database, place: Place) -> list[int]:
    """Ids of the tracks that are listed in the playlist of `place`, or whose sound lies in its folder; in rising order."""
    with database.read() as db:
        return _ids(db, place)


def remove(database: Database, place: Place) -> Removed:
    """Take the tracks of `place` out, with votes, sounds, spectrograms, embeddings and decisions, and its playlist. All or none.

    Genres that its folders named go too, where nothing else speaks for them. What was answered about the songs in
    evaluations stays, as it is history. Files are not touched.
    """
    with database.write() as db:
        ids = _ids(db, place)
        asked = {"ids": json.dumps(ids)}
        sounds = db.execute(f"SELECT sha256 FROM audio_files WHERE track_id IN {_IDS} ORDER BY sha256", asked)  # noqa: S608
        sha256s = tuple(row["sha256"] for row in sounds)
        named = db.execute(
            f"SELECT DISTINCT genre_id FROM votes WHERE source = 'folder' AND track_id IN {_IDS}",  # noqa: S608
            asked,
        )
        genre_ids = [row["genre_id"] for row in named]
        _forget(db, place, asked["ids"])
        db.execute(f"DELETE FROM tracks WHERE id IN {_IDS}", asked)  # noqa: S608 - what hangs on them goes with them
        db.execute("DELETE FROM playlists WHERE source = ? AND reference = ?", (place.source, place.reference))
        genres = [_remove_genre(db, genre_id) for genre_id in genre_ids]
    return Removed(len(ids), sha256s, tuple(sorted(name for name in genres if name)))


def _ids(db: sqlite3.Connection, place: Place) -> list[int]:
    where = {"source": place.source, "reference": place.reference, "below": f"{place.folder}{os.sep}"}
    return sorted(row["track_id"] for row in db.execute(_OF_PLACE, where))


def _forget(db: sqlite3.Connection, place: Place, ids: str) -> None:
    """Edits no longer know of these tracks: rows of them could be put back no more, which would stop all older undoing."""
    noted = db.execute(
        "SELECT id FROM playlists WHERE source = :source AND reference = :reference UNION "
        "SELECT json_extract(row, '$.id') FROM edit_changes WHERE table_name = 'playlists' AND operation = 'deleted' "
        "AND json_extract(row, '$.source') = :source AND json_extract(row, '$.reference') = :reference",
        {"source": place.source, "reference": place.reference},
    )
    asked = {"ids": ids, "playlists": json.dumps([row[0] for row in noted])}
    named = [
        f"json_extract({told}, '$.{column}') IN (SELECT value FROM json_each(:{those}))"  # noqa: S608
        for told in ("key", "row")
        for column, those in (("track_id", "ids"), ("other_id", "ids"), ("playlist_id", "playlists"))
    ]
    named += [
        f"(table_name = '{table}' AND json_extract({told}, '$.{column}') IN ({rows}))"
        for table, column, rows in _ROWS
        for told in ("key", "row")
    ]
    db.execute(f"DELETE FROM edit_changes WHERE {' OR '.join(named)}", asked)  # noqa: S608 - all named in this module


def _remove_genre(db: sqlite3.Connection, genre_id: int) -> str | None:
    """The name of the genre that went; None if something still speaks for it, or an edit could bring that back."""
    row = db.execute(
        "DELETE FROM genres WHERE id = :id "
        "AND NOT EXISTS (SELECT 1 FROM track_votes WHERE genre_id = :id) "
        "AND NOT EXISTS (SELECT 1 FROM playlist_genres WHERE genre_id = :id) "
        "AND NOT EXISTS (SELECT 1 FROM readings WHERE for_genre = :id) "
        "AND NOT EXISTS (SELECT 1 FROM genres AS below WHERE below.parent_id = :id) "
        "AND NOT EXISTS (SELECT 1 FROM edit_changes WHERE json_extract(row, '$.genre_id') = :id) RETURNING name",
        {"id": genre_id},
    ).fetchone()
    if row is None:
        return None
    db.execute("DELETE FROM edit_changes WHERE table_name = 'genres' AND json_extract(key, '$.id') = ?", (genre_id,))
    return str(row["name"])
