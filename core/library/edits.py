"""Edits: what a person changed in one action, and how it is taken back. Speaks SQL.

While an edit is made, temporary triggers write down every row that it inserts, changes or deletes; undoing puts the
rows back in reverse order: of a changed row only the columns that the edit changed, so that what jobs learned since
stays. So any edit can be undone, without code of its own for it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.database import Database, now
from core.errors import LibraryError

KEYS = {
    "genres": ("id",),
    "genre_aliases": ("key",),
    "tracks": ("id",),
    "track_urls": ("url",),
    "track_pairs": ("track_id", "other_id"),
    "audio_files": ("id",),
    "playlists": ("id",),
    "playlist_tracks": ("playlist_id", "track_id"),
    "playlist_genres": ("playlist_id", "genre_id"),
    "votes": ("id",),
    "genre_lookups": ("track_id",),
    "readings": ("id",),
    "collecting": ("track_id",),
    "candidates": ("track_id", "url"),
    "label_reviews": ("track_id",),
}
"""Tables that edits change, and what tells their rows apart."""
DERIVED = {"audio_files": ("spectrograms", "audio_id")}
"""Rows that are made again from those they hang on: undoing an edit may take them away."""
KEPT = 200
"""Edits that can be undone; older ones lose their changes, so that the library does not grow with them."""

IN_THE_WAY = "This edit cannot be undone any more: what was imported or read since is in its way."


@dataclass(frozen=True)
class Edit:
    """One action of a person, which can be undone as one."""

    id: int
    description: str


@contextmanager
def editing(database: Database, description: str) -> Iterator[sqlite3.Connection]:
    """A connection as `Database.write` gives it; what is done with it becomes one edit."""
    with database.write() as db:
        edit_id = db.execute(
            "INSERT INTO edits (description, created_at) VALUES (?, ?)", (description, now())
        ).lastrowid
        db.execute("DELETE FROM edit_changes WHERE edit_id <= ?", ((edit_id or 0) - KEPT,))
        for table in KEYS:
            _watch(db, table, edit_id or 0)
        yield db


def latest_edit(database: Database) -> Edit | None:
    """The edit that `undo` would take back."""
    with database.read() as db:
        row = db.execute(
            "SELECT id, description FROM edits WHERE undone_at IS NULL "
            "AND EXISTS (SELECT 1 FROM edit_changes WHERE edit_id = edits.id) ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return Edit(row["id"], row["description"]) if row else None


def undo(database: Database, edit_id: int) -> None:
    """Take back the latest edit; undoing an older one first is refused, since later ones build on it."""
    with database.write() as db:
        latest = db.execute(
            "SELECT max(id) FROM edits WHERE undone_at IS NULL "
            "AND EXISTS (SELECT 1 FROM edit_changes WHERE edit_id = edits.id)"
        ).fetchone()[0]
        if latest != edit_id:
            raise LibraryError("Only the latest edit can be undone. It was undone already, or another came after.")
        db.execute("PRAGMA defer_foreign_keys = ON")
        try:
            for change in db.execute(
                "SELECT * FROM edit_changes WHERE edit_id = ? ORDER BY id DESC", (edit_id,)
            ).fetchall():
                _take_back(db, change)
            db.execute("DELETE FROM edit_changes WHERE edit_id = ?", (edit_id,))
            db.execute("UPDATE edits SET undone_at = ? WHERE id = ?", (now(), edit_id))
            db.commit()  # deferred references are checked here
        except sqlite3.IntegrityError as error:
            raise LibraryError(IN_THE_WAY) from error


def sounds_to_come_back(database: Database) -> set[str]:
    """Paths of audio files whose rows an edit has removed or changed, and undoing it would bring back."""
    with database.read() as db:
        rows = db.execute(
            "SELECT json_extract(row, '$.path') AS path FROM edit_changes WHERE table_name = 'audio_files' UNION "
            "SELECT json_extract(json_extract(row, '$.sound'), '$.path') FROM edit_changes WHERE table_name = 'candidates'"
        ).fetchall()
    return {row["path"] for row in rows if row["path"]}


def recordings_to_come_back(database: Database) -> set[str]:
    """SHA-256 of audio files whose rows undoing an edit would bring back."""
    with database.read() as db:
        rows = db.execute(
            "SELECT json_extract(row, '$.sha256') AS sha256 FROM edit_changes WHERE table_name = 'audio_files'"
        ).fetchall()
    return {row["sha256"] for row in rows if row["sha256"]}


def free_id(db: sqlite3.Connection, table: str) -> int:
    """An id for a new row of `table`: of no row there, nor of one that an edit removed, which could then not come back."""
    row = db.execute(
        f"SELECT 1 + max(coalesce((SELECT max(id) FROM {table}), 0), coalesce((SELECT max(json_extract(row, '$.id')) "  # noqa: S608
        "FROM edit_changes WHERE operation = 'deleted' AND table_name = ?), 0))",
        (table,),
    ).fetchone()
    return int(row[0])


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row["name"] for row in db.execute(f"PRAGMA table_info({table})")]


def _watch(db: sqlite3.Connection, table: str, edit_id: int) -> None:
    """Triggers that live as long as the connection. All names come from `KEYS` and from the schema."""
    columns = _columns(db, table)
    row = "json_object(" + ", ".join(f"'{name}', {_exact(f'OLD.{name}')}" for name in columns) + ")"
    same = ", ".join(f"iif(OLD.{name} IS NEW.{name}, '$.{name}', '$._')" for name in columns)
    key = "json_object(" + ", ".join(f"'{name}', NEW.{name}" for name in KEYS[table]) + ")"
    for event, operation, at, before in (
        ("INSERT", "inserted", key, "'{}'"),
        ("UPDATE", "updated", key, f"json_remove({row}, {same})"),
        ("DELETE", "deleted", "'{}'", row),
    ):
        db.execute(
            f"CREATE TEMP TRIGGER watch_{table}_{operation} AFTER {event} ON main.{table} BEGIN "  # noqa: S608
            "INSERT INTO edit_changes (edit_id, table_name, operation, key, row) "
            f"VALUES ({edit_id:d}, '{table}', '{operation}', {at}, {before}); END"
        )


def _exact(column: str) -> str:
    """A value within `json_object`, which by itself would round numbers to 15 digits."""
    return f"iif(typeof({column}) = 'real', json(printf('%!.17g', {column})), {column})"


def _take_back(db: sqlite3.Connection, change: sqlite3.Row) -> None:
    table, key, row = change["table_name"], json.loads(change["key"]), json.loads(change["row"])
    known = set(_columns(db, table)) if table in KEYS else set()
    if not known or not {*key, *row} <= known:
        raise LibraryError("This edit was made by another version of Genrescope and cannot be undone.")
    here = " AND ".join(f"{name} = ?" for name in key)
    if change["operation"] == "inserted":
        if table in DERIVED:
            derived, column = DERIVED[table]
            db.execute(f"DELETE FROM {derived} WHERE {column} = ?", (key["id"],))  # noqa: S608
        before = db.total_changes
        db.execute(f"DELETE FROM {table} WHERE {here}", tuple(key.values()))  # noqa: S608
        if db.total_changes > before + 1:  # rows that hang on it and came later would go with it
            raise LibraryError(IN_THE_WAY)
    elif change["operation"] == "updated" and row:
        values = ", ".join(f"{name} = ?" for name in row)
        db.execute(f"UPDATE {table} SET {values} WHERE {here}", (*row.values(), *key.values()))  # noqa: S608
    elif change["operation"] == "deleted":
        names, places = ", ".join(row), ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values()))  # noqa: S608
