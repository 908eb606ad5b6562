"""Playlists: what was read and waits for a person, what was taken in, and which genres each stands for. Speaks SQL."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from core.database import Database, now
from core.errors import LibraryError
from core.library import catalogue
from core.library.edits import editing, free_id
from core.library.genres import Names, checked_weights
from core.music import LISTS, ListedTrack, Playlist

MAX_TITLE = 300


@dataclass(frozen=True)
class PlaylistRow:
    """A playlist of the library. `genres` are those it stands for, with weights; `read_at` is None if it never was."""

    id: int
    source: str
    reference: str
    title: str
    owner: str
    url: str
    tracks: int
    genres: dict[str, float]
    skipped: dict[str, int]
    read_at: str | None


@dataclass(frozen=True)
class Reading:
    """A playlist that was read and waits. `error` says why its tracks are not known; then there are none.

    `genre` is the one it was searched for, else None; `score` in [0, 1] and its `reasons` are then there too.
    """

    id: int
    playlist: Playlist
    genre: str | None
    state: str
    score: float | None
    reasons: dict[str, float]
    error: str
    read_at: str


@dataclass(frozen=True)
class Comparison:
    """A reading beside the library.

    `tracks` are distinct; `new` of them the library does not know; `genres` counts the known ones by the genre they have
    votes for. Of a playlist that was taken in before, `added` and `removed` name tracks; else both are empty.
    """

    tracks: int
    new: int
    genres: dict[str, int]
    taken_in: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class TakenIn:
    """What taking a playlist in came to: distinct `tracks`, `new` to the library; `removed` are not listed any more."""

    playlist_id: int
    tracks: int
    new: int
    removed: int
    skipped: dict[str, int]


class Playlists:
    """All playlists of a workspace."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    # -- those of the library --------------------------------------------------------------------------------------

    def all(self) -> list[PlaylistRow]:
        """All playlists, newest last."""
        with self._database.read() as db:
            return _rows(db)

    def get(self, playlist_id: int) -> PlaylistRow:
        """One playlist. `LibraryError` if it is not there any more."""
        with self._database.read() as db:
            rows = _rows(db, playlist_id)
        if not rows:
            raise LibraryError("This playlist is not in the library any more. Load the page again.")
        return rows[0]

    def find(self, source: str, reference: str) -> PlaylistRow | None:
        """The playlist of this identity."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT id FROM playlists WHERE source = ? AND reference = ?", (source, reference)
            ).fetchone()
            return _rows(db, row["id"])[0] if row else None

    def tracks(self, playlist_id: int, *, limit: int = 1000) -> list[str]:
        """`Artist – Title` of a playlist's tracks."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT artist, title FROM tracks JOIN playlist_tracks ON track_id = id WHERE playlist_id = ? "
                "ORDER BY id LIMIT ?",
                (playlist_id, limit),
            ).fetchall()
        return [_name(row["artist"], row["title"]) for row in rows]

    def take_in(
        self, playlist: Playlist, genres: Mapping[str, float] | None = None, *, job_id: int | None = None
    ) -> TakenIn:
        """Take a playlist in, whole or not at all: its tracks, and the genres it stands for (None: as before).

        One that is there already then holds just what is listed now; where that removes tracks or changes its genres,
        it is an edit.
        """
        weights = None if genres is None else checked_weights(genres)
        playlist = replace(playlist, tracks=_addressed(playlist))
        known = self.find(playlist.source, playlist.reference)
        with self._database.read() as db:
            names = Names(db)
            asked = weights and {names.canonical(name): weight for name, weight in weights.items()}
        if known and (asked not in (None, known.genres) or self.compare(playlist).removed):
            with editing(self._database, f"read {playlist.title} again") as db:
                return _take_in(db, playlist, weights, job_id)
        with self._database.write() as db:
            return _take_in(db, playlist, weights, job_id)

    def remove(self, playlist_ids: Sequence[int]) -> None:
        """Remove playlists, with the tracks that only they brought: no sound, no vote, in no other playlist."""
        told = self.get(playlist_ids[0]).title if len(playlist_ids) == 1 else f"{len(playlist_ids)} playlists"
        ids = json.dumps(list(playlist_ids))
        with editing(self._database, f"removed {told}") as db:
            tracks = json.dumps(
                [
                    row["track_id"]
                    for row in db.execute(
                        "SELECT DISTINCT track_id FROM playlist_tracks WHERE playlist_id IN (SELECT value FROM json_each(?))",
                        (ids,),
                    )
                ]
            )
            for table in ("playlist_tracks", "playlist_genres"):
                db.execute(
                    f"DELETE FROM {table} WHERE playlist_id IN (SELECT value FROM json_each(?))",  # noqa: S608
                    (ids,),
                )
            db.execute("DELETE FROM playlists WHERE id IN (SELECT value FROM json_each(?))", (ids,))
            _remove_orphans(db, tracks)

    def set_genres(self, genres: Mapping[int, Mapping[str, float]]) -> None:
        """Which genres playlists stand for, by playlist id: {genre: weight}, {} for none. One edit."""
        told = self.get(next(iter(genres))).title if len(genres) == 1 else f"{len(genres)} playlists"
        with editing(self._database, f"genres of {told}") as db:
            names = Names(db)
            for playlist_id, weights in genres.items():
                if not db.execute("SELECT 1 FROM playlists WHERE id = ?", (playlist_id,)).fetchone():
                    raise LibraryError("One of these playlists is not in the library any more. Load the page again.")
                map_genres(db, names, playlist_id, checked_weights(weights))

    # -- those that wait for a person ------------------------------------------------------------------------------

    def compare(self, playlist: Playlist) -> Comparison:
        """What taking `playlist` in would change. Changes nothing."""
        with self._database.read() as db:
            found = catalogue.recognise(db, _addressed(playlist))
            ids = {track_id for track_id in found if track_id < catalogue.UNKNOWN}
            genres = db.execute(
                "SELECT name, count(DISTINCT track_id) AS n FROM track_votes JOIN genres ON genres.id = genre_id "
                "WHERE track_id IN (SELECT value FROM json_each(?)) GROUP BY genre_id ORDER BY n DESC",
                (json.dumps(sorted(ids)),),
            ).fetchall()
            before = db.execute(
                "SELECT id FROM playlists WHERE source = ? AND reference = ? AND read_at IS NOT NULL",
                (playlist.source, playlist.reference),
            ).fetchone()
            listed = {
                row["track_id"]: _name(row["artist"], row["title"])
                for row in db.execute(
                    "SELECT track_id, artist, title FROM playlist_tracks JOIN tracks ON tracks.id = track_id "
                    "WHERE playlist_id = ?",
                    (before["id"] if before else 0,),
                )
            }
        added = [
            _name(catalogue.BETWEEN_ARTISTS.join(track.artists), track.title)
            for track, track_id in zip(playlist.tracks, found, strict=True)
            if before and track_id not in listed
        ]
        return Comparison(
            tracks=len(set(found)),
            new=len(set(found) - ids),
            genres={row["name"]: row["n"] for row in genres},
            taken_in=before is not None,
            added=tuple(dict.fromkeys(added)),
            removed=tuple(name for track_id, name in listed.items() if track_id not in ids),
        )

    def keep_reading(
        self,
        playlist: Playlist,
        *,
        genre: str | None = None,
        score: float | None = None,
        reasons: Mapping[str, float] | None = None,
        error: str = "",
    ) -> None:
        """A playlist was read (for `genre`, if a search found it); it waits. One that was rejected stays so."""
        with self._database.write() as db:
            values = {
                "source": playlist.source,
                "reference": playlist.reference,
                "for_genre": Names(db).id_of(genre) if genre else 0,
                "title": playlist.title[:MAX_TITLE],
                "owner": playlist.owner[:MAX_TITLE],
                "url": playlist.url,
                "n_listed": playlist.n_listed,
                "tracks": json.dumps([asdict(track) for track in playlist.tracks]),
                "skipped": json.dumps(dict(playlist.skipped)),
                "score": score,
                "reasons": json.dumps(dict(reasons or {})),
                "error": error,
                "read_at": now(),
            }
            names = ", ".join(values)
            places = ", ".join(f":{name}" for name in values)
            fresh = ", ".join(f"{name} = excluded.{name}" for name in values)
            db.execute(
                f"INSERT INTO readings ({names}) VALUES ({places}) "  # noqa: S608 - the names above
                f"ON CONFLICT (source, reference, for_genre) DO UPDATE SET {fresh} WHERE state = 'open'",
                values,
            )

    def readings(self, *, state: str = "open", searched: bool | None = None) -> Sequence[Reading]:
        """What waits (or was rejected); `searched`: only what a search found, or only what was added by hand."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT readings.*, genres.name AS genre FROM readings LEFT JOIN genres ON genres.id = for_genre "
                "WHERE state = ? AND (? IS NULL OR (for_genre <> 0) = ?) AND (for_genre = 0 OR genres.id IS NOT NULL) "
                "ORDER BY genre, score IS NULL, score DESC, readings.id",
                (state, searched, searched),
            ).fetchall()
        return [_reading(row) for row in rows]

    def rejected(self) -> set[tuple[str, str, str]]:
        """(genre, source, reference) of every playlist that a person rejected for a genre."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT name, source, reference FROM readings JOIN genres ON genres.id = for_genre WHERE state = 'rejected'"
            ).fetchall()
        return {tuple(row) for row in rows}

    def accept(self, reading: Reading, genres: Mapping[str, float] | None = None) -> TakenIn:
        """Take in what waits. `LibraryError` if its tracks could not be read."""
        if reading.error:
            raise LibraryError(f"{reading.playlist.title} cannot be taken in: {reading.error}")
        taken = self.take_in(reading.playlist, genres)
        with self._database.write() as db:
            _forget(db, [reading.id])
        return taken

    def map_unread(self, source: str, reference: str, genres: Mapping[str, float]) -> None:
        """A playlist that is not in the library gets its genres, to be read later."""
        weights = checked_weights(genres)
        with editing(self._database, f"genres of {reference}") as db:
            playlist_id = row_of(db, Playlist(source, reference, reference, ()), read_at=None)
            map_genres(db, Names(db), playlist_id, weights)

    def discard(self, reading_ids: Iterable[int]) -> None:
        """Put away what was read. An edit."""
        ids = list(reading_ids)
        with editing(self._database, f"discarded {len(ids)} playlist{'s' * (len(ids) != 1)}") as db:
            _forget(db, ids)

    def judge(self, reading_ids: Iterable[int], *, rejected: bool) -> None:
        """Reject what a search found, for good; or take that back."""
        with self._database.write() as db:
            db.execute(
                "UPDATE readings SET state = ? WHERE for_genre <> 0 AND id IN (SELECT value FROM json_each(?))",
                ("rejected" if rejected else "open", json.dumps(list(reading_ids))),
            )

    def read_times(self) -> dict[tuple[str, str], str]:
        """When each playlist was last read, by (source, reference)."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT source, reference, max(read_at) AS at FROM ("
                "SELECT source, reference, read_at FROM playlists WHERE read_at IS NOT NULL UNION ALL "
                "SELECT source, reference, read_at FROM readings WHERE error = '') GROUP BY source, reference"
            ).fetchall()
        return {(row["source"], row["reference"]): row["at"] for row in rows}


def _forget(db: sqlite3.Connection, reading_ids: Sequence[int]) -> None:
    db.execute("DELETE FROM readings WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(reading_ids)),))


def parse_weights(told: Sequence[str]) -> dict[str, float]:
    """`["techno", "house=0.5"]` as genres with weights. `LibraryError` says what is wrong with an entry."""
    genres: dict[str, float] = {}
    for entry in told:
        name, separator, weight = entry.rpartition("=")
        try:
            genres[name if separator else entry] = float(weight) if separator else 1.0
        except ValueError as error:
            raise LibraryError(f"{entry!r} is read as GENRE=WEIGHT, but {weight!r} is no number.") from error
    return checked_weights(genres)


def _rows(db: sqlite3.Connection, playlist_id: int | None = None) -> list[PlaylistRow]:
    genres: dict[int, dict[str, float]] = {}
    for row in db.execute(
        "SELECT playlist_id, name, weight FROM playlist_genres JOIN genres ON genres.id = genre_id "
        "WHERE ? IS NULL OR playlist_id = ? ORDER BY weight DESC, name",
        (playlist_id, playlist_id),
    ):
        genres.setdefault(row["playlist_id"], {})[row["name"]] = row["weight"]
    rows = db.execute(
        "SELECT id, source, reference, title, owner, url, skipped, read_at, "
        "(SELECT count(*) FROM playlist_tracks WHERE playlist_id = playlists.id) AS tracks FROM playlists "
        "WHERE ? IS NULL OR id = ? ORDER BY id",
        (playlist_id, playlist_id),
    ).fetchall()
    return [
        PlaylistRow(**{**dict(row), "skipped": json.loads(row["skipped"])}, genres=genres.get(row["id"], {}))
        for row in rows
    ]


def row_of(db: sqlite3.Connection, playlist: Playlist, *, read_at: str | None) -> int:
    """The id of a playlist's row, made or brought up to date. Within a transaction."""
    row = db.execute(
        "INSERT INTO playlists (id, source, reference, title, owner, url, skipped, read_at, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, reference) DO UPDATE SET "
        "title = iif(excluded.title = '', title, excluded.title), owner = excluded.owner, url = excluded.url, "
        "skipped = excluded.skipped, read_at = coalesce(excluded.read_at, read_at) RETURNING id",
        (
            free_id(db, "playlists"),
            playlist.source,
            playlist.reference,
            playlist.title[:MAX_TITLE],
            playlist.owner[:MAX_TITLE],
            playlist.url,
            json.dumps(dict(playlist.skipped)),
            read_at,
            now(),
        ),
    ).fetchone()
    return int(row["id"])


def _addressed(playlist: Playlist) -> tuple[ListedTrack, ...]:
    """The tracks; one without an address gets its place in this list as one.

    So the list read again leads to the same tracks, be it that nobody can tell who plays them, or that a person merged
    them with others.
    """
    told: Counter[ListedTrack] = Counter()
    tracks = []
    for track in playlist.tracks:
        told[track] += 1
        words = json.dumps([playlist.source, playlist.reference, *asdict(track).values(), told[track]])
        digest = sha256(words.encode()).hexdigest()
        tracks.append(track if track.url else replace(track, url=f"{catalogue.LISTED}{digest}"))
    return tuple(tracks)


def _take_in(
    db: sqlite3.Connection, playlist: Playlist, weights: Mapping[str, float] | None, job_id: int | None
) -> TakenIn:
    listed, new = catalogue.find_or_add(db, playlist.tracks, job_id=job_id)
    ids = set(listed)
    skipped = dict(playlist.skipped)
    if len(listed) > len(ids):
        skipped["listed twice"] = len(listed) - len(ids)
    playlist = _as_known(db, replace(playlist, skipped=skipped), ids)
    playlist_id = row_of(db, playlist, read_at=now())
    before = {
        row["track_id"]
        for row in db.execute("SELECT track_id FROM playlist_tracks WHERE playlist_id = ?", (playlist_id,))
    }
    db.executemany(
        "INSERT INTO playlist_tracks (playlist_id, track_id) VALUES (?, ?)",
        [(playlist_id, track_id) for track_id in sorted(ids - before)],
    )
    gone = json.dumps(sorted(before - ids))
    db.execute(
        "DELETE FROM playlist_tracks WHERE playlist_id = ? AND track_id IN (SELECT value FROM json_each(?))",
        (playlist_id, gone),
    )
    _remove_orphans(db, gone)
    if weights is not None:
        map_genres(db, Names(db), playlist_id, weights)
    return TakenIn(playlist_id, len(ids), new, len(before - ids), skipped)


def _as_known(db: sqlite3.Connection, playlist: Playlist, track_ids: set[int]) -> Playlist:
    """`playlist`; a list under the reference of one with the same title and tracks: the same file from elsewhere."""
    if playlist.source not in LISTS:
        return playlist
    for row in db.execute(
        "SELECT id, reference FROM playlists WHERE source = ? AND title = ? AND reference <> ? AND NOT EXISTS "
        "(SELECT 1 FROM playlists AS exact WHERE exact.source = playlists.source AND exact.reference = ?)",
        (playlist.source, playlist.title, playlist.reference, playlist.reference),
    ).fetchall():
        there = db.execute("SELECT track_id FROM playlist_tracks WHERE playlist_id = ?", (row["id"],))
        if track_ids and {track["track_id"] for track in there} == track_ids:
            return replace(playlist, reference=row["reference"])
    return playlist


def map_genres(db: sqlite3.Connection, names: Names, playlist_id: int, weights: Mapping[str, float]) -> None:
    """A playlist stands for these genres, and no others. Within a transaction."""
    by_id: dict[int, float] = {}
    for name, weight in weights.items():  # two spellings of one genre: the larger weight
        genre_id = names.id_of(name)
        by_id[genre_id] = max(weight, by_id.get(genre_id, 0.0))
    db.execute("DELETE FROM playlist_genres WHERE playlist_id = ?", (playlist_id,))
    db.executemany(
        "INSERT INTO playlist_genres VALUES (?, ?, ?)", [(playlist_id, *mapping) for mapping in by_id.items()]
    )


def _remove_orphans(db: sqlite3.Connection, track_ids: str) -> None:
    """Remove those of these tracks (a JSON list) that nothing holds any more."""
    orphans = [
        row["id"]
        for row in db.execute(
            "SELECT id FROM tracks WHERE id IN (SELECT value FROM json_each(?)) "
            "AND NOT EXISTS (SELECT 1 FROM playlist_tracks WHERE track_id = tracks.id) "
            "AND NOT EXISTS (SELECT 1 FROM audio_files WHERE track_id = tracks.id) "
            "AND NOT EXISTS (SELECT 1 FROM votes WHERE track_id = tracks.id AND source <> 'musicbrainz')",
            (track_ids,),
        )
    ]
    ids = json.dumps(orphans)
    for table in ("votes", "track_urls", "genre_lookups"):  # before the track itself, so that undoing finds it there
        db.execute(f"DELETE FROM {table} WHERE track_id IN (SELECT value FROM json_each(?))", (ids,))  # noqa: S608
    db.execute(
        "DELETE FROM track_pairs WHERE track_id IN (SELECT value FROM json_each(:ids)) "
        "OR other_id IN (SELECT value FROM json_each(:ids))",
        {"ids": ids},
    )
    db.execute("DELETE FROM tracks WHERE id IN (SELECT value FROM json_each(?))", (ids,))


def _reading(row: sqlite3.Row) -> Reading:
    tracks: list[dict[str, Any]] = json.loads(row["tracks"])
    playlist = Playlist(
        source=row["source"],
        reference=row["reference"],
        title=row["title"],
        tracks=tuple(ListedTrack(**{**track, "artists": tuple(track["artists"])}) for track in tracks),
        owner=row["owner"],
        url=row["url"],
        skipped=json.loads(row["skipped"]),
        n_listed=row["n_listed"],
    )
    reasons = json.loads(row["reasons"])
    return Reading(row["id"], playlist, row["genre"], row["state"], row["score"], reasons, row["error"], row["read_at"])


def _name(artist: str, title: str) -> str:
    return f"{artist} – {title}" if artist else title
