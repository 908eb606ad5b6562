"""Which track of the library is this listed one? Finds it, or adds it. Speaks SQL about tracks, within a transaction.

Two listed tracks are one track where `identity.sameness` is certain; where it only may be so, both are kept and the pair
is put before a person.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.database import Database, now
from core.errors import LibraryError
from core.library.edits import editing, free_id
from core.library.identity import CERTAIN, DOUBTFUL, RULES, identity_key, sameness
from core.music import ListedTrack

BATCH = 500
"""Tracks looked up by one query."""
LISTED = "listed:"
"""Begins the address of a track that has none but its place in a list."""
UNKNOWN = 2**60
"""Ids from here on are of no track of the library."""
SPELLED_S = 2.0
"""Tracks of one artist whose lengths differ by more are not compared for another spelling, seconds."""
NO_IDENTITY = ""
"""Identity of a row that only holds a second sound of another track: no listed track is it."""
BETWEEN_ARTISTS = "; "
"""Between the artists of a track, in its `artist` column."""


@dataclass(frozen=True)
class Pair:
    """Two tracks that may be the same recording. `certainty` in [0, 1]; `reasons` say what speaks for and against."""

    track_id: int
    other_id: int
    names: tuple[str, str]
    durations_s: tuple[float | None, float | None]
    certainty: float
    reasons: tuple[str, ...]


def find_or_add(db: sqlite3.Connection, tracks: Sequence[ListedTrack], *, job_id: int | None) -> tuple[list[int], int]:
    """(the id of each of `tracks`, how many of them are new). What the library lacked of a known one is filled in."""
    identify_old(db)
    ids: list[int] = []
    new = 0
    for batch in _batches(tracks):
        shelf = _Shelf(db, batch)
        for track in batch:
            track_id = shelf.find(track)
            if track_id is None:
                track_id = shelf.add(track, job_id)
                new += 1
            shelf.remember(track_id, track)
            ids.append(track_id)
    return ids, new


def find(db: sqlite3.Connection, tracks: Sequence[ListedTrack]) -> list[int | None]:
    """The id of each of `tracks` that the library knows. Changes nothing."""
    return [track_id if track_id < UNKNOWN else None for track_id in recognise(db, tracks)]


def recognise(db: sqlite3.Connection, tracks: Sequence[ListedTrack]) -> list[int]:
    """What `find_or_add` would answer; tracks that it would add get ids from `UNKNOWN` on. Changes nothing."""
    shelf = _Shelf(db, tracks)
    ids: list[int] = []
    for track in tracks:
        track_id = shelf.find(track)
        if track_id is None:
            track_id = UNKNOWN + len(ids)
            shelf.put(track_id, track)
        shelf.fill_in(track_id, track)
        ids.append(track_id)
    return ids


class Catalogue:
    """What a person says of doubtful pairs."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def pairs(self, *, limit: int = 200) -> tuple[list[Pair], int]:
        """(the surest undecided pairs, how many there are in all)."""
        with self._database.read() as db:
            total = db.execute("SELECT count(*) FROM track_pairs WHERE NOT kept_apart").fetchone()[0]
            rows = db.execute(
                "SELECT track_id, other_id, certainty, reasons, a.artist, a.title, a.duration_s, "
                "b.artist AS other_artist, b.title AS other_title, b.duration_s AS other_duration_s FROM track_pairs "
                "JOIN tracks a ON a.id = track_id JOIN tracks b ON b.id = other_id WHERE NOT kept_apart "
                "ORDER BY certainty DESC, track_id, other_id LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            Pair(
                row["track_id"],
                row["other_id"],
                (f"{row['artist']} – {row['title']}", f"{row['other_artist']} – {row['other_title']}"),
                (row["duration_s"], row["other_duration_s"]),
                row["certainty"],
                tuple(json.loads(row["reasons"])),
            )
            for row in rows
        ], int(total)

    def kept_apart(self) -> set[tuple[int, int]]:
        """Pairs that a person keeps apart; the smaller id first."""
        with self._database.read() as db:
            rows = db.execute("SELECT track_id, other_id FROM track_pairs WHERE kept_apart").fetchall()
        return {(row["track_id"], row["other_id"]) for row in rows}

    def keep_apart(self, pairs: Iterable[tuple[int, int]]) -> None:
        """These pairs are two recordings each, whether they were in doubt here or not."""
        pairs = [(min(pair), max(pair)) for pair in pairs]
        with editing(self._database, f"kept {len(pairs)} pair{'s' * (len(pairs) != 1)} of tracks apart") as db:
            for pair in pairs:
                db.execute(
                    "INSERT INTO track_pairs SELECT one.id, other.id, 0, '[]', 1 FROM tracks one, tracks other "
                    "WHERE one.id = ? AND other.id = ? AND one.id < other.id ON CONFLICT DO UPDATE SET kept_apart = 1",
                    pair,
                )

    def merge(self, pairs: Iterable[tuple[int, int]], *, who: str = "you") -> int:
        """Each of these pairs is one track. Returns how many were merged.

        Where both have sound, the first is kept, and the other stays with its sound alone, set aside.
        """
        pairs = list(pairs)
        now_in: dict[int, int] = {}  # where a track went that an earlier pair made another
        with editing(self._database, f"merged {len(pairs)} pair{'s' * (len(pairs) != 1)} of tracks") as db:
            for pair in pairs:
                one, other = (_last(now_in, track_id) for track_id in pair)
                kept = _merge(db, one, other, who)
                if kept is not None:
                    now_in[other if kept == one else one] = kept
        if not now_in:
            raise LibraryError("Nothing was merged: these tracks were merged already, or are gone.")
        return len(now_in)


class _Shelf:
    """Tracks of the library that some listed ones may be; found by address, ISRC, or identity."""

    def __init__(self, db: sqlite3.Connection, tracks: Sequence[ListedTrack]) -> None:
        self._db = db
        self._added = False
        self._keys = {track: identity_key(track.artists, track.title) for track in tracks}
        urls = json.dumps([track.url for track in tracks if track.url])
        self._by_url: dict[str, int] = {
            row["url"]: row["track_id"]
            for row in db.execute(
                "SELECT url, track_id FROM track_urls WHERE url IN (SELECT value FROM json_each(?))", (urls,)
            )
        }
        self._tracks: dict[int, ListedTrack] = {}
        self._by_isrc: dict[str, int] = {}
        self._by_key: dict[str, list[int]] = {}
        wanted = set(self._keys.values())
        for column, asked in (
            ("id", set(self._by_url.values())),
            ("isrc", {track.isrc for track in tracks if track.isrc}),
            ("identity", wanted),
        ):
            for row in db.execute(
                "SELECT id, title, artist, album, duration_s, isrc, identity FROM tracks "  # noqa: S608 - two names
                f"WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY id",
                (json.dumps(list(asked)),),
            ):
                self._put(row["id"], as_listed(row), row["identity"] or "")
        for row in _unidentified(db):
            old = as_listed(row)
            if (key := identity_key(old.artists, old.title)) in wanted:
                self._put(row["id"], old, key)

    def find(self, track: ListedTrack) -> int | None:
        if track.url and track.url in self._by_url:
            return self._by_url[track.url]
        if track.isrc and track.isrc in self._by_isrc:
            return self._by_isrc[track.isrc]
        same = [
            (sameness(track, self._tracks[track_id]).certainty, -track_id)
            for track_id in self._by_key.get(self._keys[track], ())
        ]
        certainty, negative_id = max(same, default=(0.0, 0))
        return -negative_id if certainty >= CERTAIN else None

    def add(self, track: ListedTrack, job_id: int | None) -> int:
        track_id = add_track(self._db, track, job_id=job_id, is_first=not self._added)
        self._added = True
        for other_id in self._alike(track):
            said = sameness(track, self._tracks[other_id])
            if said.certainty >= DOUBTFUL:
                self._db.execute(
                    "INSERT OR IGNORE INTO track_pairs VALUES (?, ?, ?, ?, 0)",
                    (other_id, track_id, said.certainty, json.dumps(said.reasons)),
                )
        self.put(track_id, track)
        return track_id

    def put(self, track_id: int, track: ListedTrack) -> None:
        """A track that is not in the library yet."""
        self._put(track_id, track, self._keys[track])

    def remember(self, track_id: int, track: ListedTrack) -> None:
        """Where the track can be found, and what the library lacked of it."""
        if track.url and track.url not in self._by_url:
            self._db.execute("INSERT OR IGNORE INTO track_urls VALUES (?, ?)", (track.url, track_id))
        filled = self.fill_in(track_id, track)
        if filled:
            self._db.execute(
                "UPDATE tracks SET album = ?, duration_s = ?, isrc = ? WHERE id = ?",
                (filled.album, filled.duration_s, filled.isrc, track_id),
            )

    def fill_in(self, track_id: int, track: ListedTrack) -> ListedTrack | None:
        """As `remember`, but on the shelf only; the track as it is now, if that told anything."""
        if track.url:
            self._by_url.setdefault(track.url, track_id)
        known = self._tracks.get(track_id)
        if known is None:
            return None
        filled = replace(
            known,
            album=known.album or track.album,
            duration_s=known.duration_s if known.duration_s is not None else track.duration_s,
            isrc=known.isrc or track.isrc,
        )
        if filled == known:
            return None
        self._put(track_id, filled, self._keys[track])
        return filled

    def _alike(self, track: ListedTrack) -> list[int]:
        """Tracks of the same identity, and those of the same artist that `sameness` may find spelled differently."""
        key = self._keys[track]
        alike = list(self._by_key.get(key, ()))
        if track.duration_s is None:
            return alike
        artist = key.rsplit("|", 2)[0]
        for row in self._db.execute(
            "SELECT id, title, artist, album, duration_s, isrc, identity FROM tracks "
            "WHERE identity >= ? AND identity < ? AND duration_s BETWEEN ? AND ? LIMIT 100",
            (f"{artist}|", f"{artist}}}", track.duration_s - SPELLED_S, track.duration_s + SPELLED_S),
        ):
            if row["id"] not in self._tracks:
                self._put(row["id"], as_listed(row), row["identity"])
            if row["id"] not in alike:
                alike.append(row["id"])
        return alike

    def _put(self, track_id: int, track: ListedTrack, key: str) -> None:
        self._tracks[track_id] = track
        if track.isrc:
            self._by_isrc.setdefault(track.isrc, track_id)
        ids = self._by_key.setdefault(key, [])
        if track_id not in ids:
            ids.append(track_id)


def as_listed(row: sqlite3.Row) -> ListedTrack:
    """A row of `tracks` as a listed track."""
    artists = tuple(name for name in row["artist"].split(BETWEEN_ARTISTS) if name)
    return ListedTrack(row["title"], artists, row["album"], row["duration_s"], row["isrc"])


def add_track(db: sqlite3.Connection, track: ListedTrack, *, job_id: int | None, is_first: bool = True) -> int:
    """A new row of `tracks`; once the first of many has a free id, the next ones have, too."""
    row = db.execute(
        "INSERT INTO tracks (id, title, artist, album, duration_s, isrc, identity, created_by_job, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            free_id(db, "tracks") if is_first else None,
            track.title,
            BETWEEN_ARTISTS.join(track.artists),
            track.album,
            track.duration_s,
            track.isrc,
            identity_key(track.artists, track.title),
            job_id,
            now(),
        ),
    )
    return int(row.lastrowid or 0)


def _batches(tracks: Sequence[ListedTrack]) -> Iterable[Sequence[ListedTrack]]:
    for start in range(0, len(tracks), BATCH):
        yield tracks[start : start + BATCH]


def identify_old(db: sqlite3.Connection) -> None:
    """Work out the identity of tracks that have none, or one made by earlier rules."""
    for row in _unidentified(db).fetchall():
        track = as_listed(row)
        db.execute("UPDATE tracks SET identity = ? WHERE id = ?", (identity_key(track.artists, track.title), row["id"]))


def _unidentified(db: sqlite3.Connection) -> sqlite3.Cursor:
    """Tracks without an identity by today's `RULES`, but for those that have `NO_IDENTITY`."""
    return db.execute(
        "SELECT id, title, artist, album, duration_s, isrc FROM tracks "
        "WHERE identity IS NULL OR identity > '' AND identity < ? OR identity > ?",
        (f"{RULES}|", f"{RULES}}}"),
    )


def _last(now_in: Mapping[int, int], track_id: int) -> int:
    while track_id in now_in:
        track_id = now_in[track_id]
    return track_id


def _merge(db: sqlite3.Connection, kept: int, gone: int, who: str) -> int | None:
    """Everything known of one track becomes known of another, whose id is returned: the one with sound, else `kept`.

    Where both have sound, the row of the one that goes stays, to hold its sound: set aside, with no votes, and under no
    name by which a listed track would be found. None, and nothing done, if one is not there, or is such a row.
    """
    there = db.execute(
        "SELECT count(*) FROM tracks WHERE id IN (?, ?) "
        "AND id NOT IN (SELECT track_id FROM label_reviews WHERE decision = 'duplicate')",
        (kept, gone),
    ).fetchone()[0]
    with_sound = {
        row["track_id"]
        for row in db.execute("SELECT DISTINCT track_id FROM audio_files WHERE track_id IN (?, ?)", (kept, gone))
    }
    if there < 2:
        return None
    if with_sound == {gone}:
        kept, gone = gone, kept
    for table, same in (
        ("playlist_tracks", "other.playlist_id = playlist_tracks.playlist_id"),
        (
            "votes",
            "other.genre_id = votes.genre_id AND other.source = votes.source AND other.reference = votes.reference",
        ),
    ):
        db.execute(
            f"DELETE FROM {table} WHERE track_id = ? AND EXISTS "  # noqa: S608 - two names, written above
            f"(SELECT 1 FROM {table} AS other WHERE other.track_id = ? AND {same})",
            (gone, kept),
        )
        db.execute(f"UPDATE {table} SET track_id = ? WHERE track_id = ?", (kept, gone))  # noqa: S608
    db.execute("UPDATE track_urls SET track_id = ? WHERE track_id = ?", (kept, gone))
    db.execute(
        "UPDATE tracks SET isrc = coalesce(isrc, (SELECT isrc FROM tracks WHERE id = ?)), "
        "duration_s = coalesce(duration_s, (SELECT duration_s FROM tracks WHERE id = ?)), "
        "album = iif(album = '', (SELECT album FROM tracks WHERE id = ?), album) WHERE id = ?",
        (gone, gone, gone, kept),
    )
    db.execute(
        "INSERT OR IGNORE INTO track_pairs SELECT min(other, :kept), max(other, :kept), certainty, reasons, kept_apart "
        "FROM (SELECT iif(track_id = :gone, other_id, track_id) AS other, * FROM track_pairs "
        "WHERE :gone IN (track_id, other_id)) WHERE other <> :kept",
        {"kept": kept, "gone": gone},
    )
    db.execute("DELETE FROM track_pairs WHERE track_id = ? OR other_id = ?", (gone, gone))
    db.execute("DELETE FROM genre_lookups WHERE track_id = ?", (gone,))
    if gone not in with_sound:
        db.execute("UPDATE OR IGNORE label_reviews SET track_id = ? WHERE track_id = ?", (kept, gone))
        db.execute("DELETE FROM tracks WHERE id = ?", (gone,))
        return kept
    db.execute("UPDATE tracks SET set_aside = 1, identity = ?, isrc = NULL WHERE id = ?", (NO_IDENTITY, gone))
    db.execute(
        "INSERT INTO label_reviews VALUES (?, 'duplicate', ?, ?) ON CONFLICT DO UPDATE SET "
        "decision = excluded.decision, who = excluded.who, decided_at = excluded.decided_at",
        (gone, who, now()),
    )
    return kept
