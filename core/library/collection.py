"""How far the search for each track's sound is, what was found for it, and what a person decided. Speaks SQL.

A track without sound is `waiting` (to be searched for, fetched, or tried again from `retry_at` on), `doubtful` (a person
has to listen), `failed` (with a reason), or it was `fetched`. A track that nobody has tried yet has no row: it waits.
A person's decisions are edits, and can be undone; what a job comes to is not.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.database import Database, now
from core.errors import LibraryError
from core.library import catalogue
from core.library.edits import editing, free_id
from core.music import Candidate, FloatArray, ListedTrack

_SILENT = (
    "NOT EXISTS (SELECT 1 FROM audio_files WHERE audio_files.track_id = collecting.track_id AND state <> 'missing')"
)
SAME_SOUND = 0.8
"""How certain it is that two tracks with the very same sound are one: one of them may have been matched wrongly."""


@dataclass(frozen=True)
class Sound:
    """A file in the workspace that was fetched and decoded without fault. `duration_s` is what decoding gave."""

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float


@dataclass(frozen=True)
class Spectrogram:
    """What the library keeps of a spectrogram file: its frames, and mean and deviation per band, (n_mels,) dB."""

    fingerprint: str
    n_frames: int
    band_mean: FloatArray
    band_std: FloatArray


@dataclass(frozen=True)
class Wanted:
    """A track that needs sound. `track.duration_s` is as listed: collecting never changes it.

    `urls` are where sources say that it is. `url` is where it was fetched before, or, with a `wish`, what a person wants
    to `take` or to `hear`. `retry_at` (UTC, ISO 8601) may lie ahead. `tries` failed for a reason that may pass.
    """

    track_id: int
    track: ListedTrack
    urls: tuple[str, ...]
    searched: bool
    url: str | None
    wish: str | None
    tries: int
    retry_at: str | None


@dataclass(frozen=True)
class Found:
    """A candidate as it is kept: `score` and `reasons` are those of `matching`; None and {} if a person pasted it.

    `state` is `open`, `failed` (see `reason`, `message`) or `rejected`. `sound` is there once it was fetched, as long as
    its file is.
    """

    candidate: Candidate
    score: float | None
    reasons: Mapping[str, float]
    rules: int | None
    state: str = "open"
    reason: str = ""
    message: str = ""
    sound: Sound | None = None


@dataclass(frozen=True)
class Review:
    """A doubtful track with what was found for it: the one in front first, then by score."""

    track_id: int
    track: ListedTrack
    message: str
    found: tuple[Found, ...]


@dataclass(frozen=True)
class Standing:
    """How far a track is: `state` as in the head of this module; `url` is where its sound is from, once fetched."""

    state: str
    reason: str
    message: str
    retry_at: str | None
    url: str | None


@dataclass(frozen=True)
class Collected:
    """A track whose sound was fetched from `url`. Where that is its own address, or was pasted, `score` is None."""

    track_id: int
    title: str
    artist: str
    listed_s: float | None
    duration_s: float
    url: str
    candidate: Candidate
    score: float | None
    reasons: Mapping[str, float]


class Collection:
    """The collecting of sound for the tracks of a library."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    # -- what is to be done ----------------------------------------------------------------------------------------

    def wanted(self, *, track_ids: Iterable[int] | None = None, wished_only: bool = False) -> list[Wanted]:
        """Tracks that need sound and may be tried, oldest first: all, some, or just those that a person wishes for.

        Tracks that are doubtful or failed, and tracks set aside, are left out.
        """
        with self._database.read() as db:
            rows = db.execute(
                "SELECT tracks.id, title, artist, album, isrc, tracks.duration_s, "
                "searched_at, url, wish, tries, retry_at, "
                "(SELECT json_group_array(track_urls.url) FROM track_urls WHERE track_urls.track_id = tracks.id) AS urls "
                "FROM tracks LEFT JOIN collecting ON collecting.track_id = tracks.id "
                "WHERE NOT EXISTS (SELECT 1 FROM audio_files WHERE track_id = tracks.id AND state <> 'missing') "
                "AND coalesce(collecting.state, 'waiting') IN ('waiting', 'fetched') AND (NOT set_aside OR wish IS NOT NULL) "
                "AND (NOT :wished OR (wish IS NOT NULL AND collecting.state = 'waiting')) "
                "AND (:ids IS NULL OR tracks.id IN (SELECT value FROM json_each(:ids))) ORDER BY tracks.id",
                {"wished": wished_only, "ids": None if track_ids is None else json.dumps(list(track_ids))},
            ).fetchall()
        return [
            Wanted(
                row["id"],
                catalogue.as_listed(row),
                tuple(sorted(url for url in json.loads(row["urls"]) if not url.startswith(catalogue.LISTED))),
                row["searched_at"] is not None,
                row["url"],
                row["wish"],
                row["tries"] or 0,
                row["retry_at"],
            )
            for row in rows
        ]

    def found(self, track_id: int) -> list[Found]:
        """What was found for a track, best first; what a person pasted comes before."""
        with self._database.read() as db:
            return _found(db, track_id)

    def owner_of(self, url: str, *, besides: int) -> str | None:
        """Another track, as `artist – title`, whose sound was fetched from `url`."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT artist, title FROM collecting JOIN tracks ON tracks.id = collecting.track_id "
                "WHERE url = ? AND collecting.state = 'fetched' AND tracks.id <> ? "
                "AND EXISTS (SELECT 1 FROM audio_files WHERE track_id = tracks.id)",
                (url, besides),
            ).fetchone()
        return f"{row['artist']} – {row['title']}" if row else None

    # -- what a job comes to ---------------------------------------------------------------------------------------

    def searched(self, track_id: int, found: Sequence[Found], *, job_id: int | None) -> None:
        """These candidates were found; those that were found before, failed or rejected, stay so."""
        with self._database.write() as db:
            for one in found if _is_there(db, track_id) else ():
                db.execute(
                    "INSERT INTO candidates (track_id, url, candidate, score, reasons, rules) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET candidate = excluded.candidate, score = excluded.score, "
                    "reasons = excluded.reasons, rules = excluded.rules",
                    (track_id, one.candidate.url, *_scored(one)),
                )
            _put(db, track_id, state="waiting", reason="", message="", searched_at=now(), job_id=job_id)

    def candidate_failed(self, track_id: int, url: str, *, reason: str, message: str) -> None:
        """What lies at `url` could not be had; the track goes on waiting. A person's wish for it is over."""
        with self._database.write() as db:
            db.execute(
                "INSERT INTO candidates (track_id, url, candidate, state, reason, message) "
                "SELECT id, ?, ?, 'failed', ?, ? FROM tracks WHERE id = ? ON CONFLICT DO UPDATE SET "
                "state = 'failed', reason = excluded.reason, message = excluded.message",
                (url, _bare(url), reason, message, track_id),
            )
            db.execute("UPDATE collecting SET wish = NULL, tries = 0 WHERE track_id = ? AND url = ?", (track_id, url))

    def put_off(
        self, track_id: int, *, reason: str, message: str, retry_at: datetime | None, tries: int, job_id: int | None
    ) -> None:
        """It is tried again, not before `retry_at`."""
        at = retry_at.astimezone(UTC).isoformat(timespec="milliseconds") if retry_at else None
        with self._database.write() as db:
            told = {"reason": reason, "message": message, "retry_at": at, "tries": tries, "job_id": job_id}
            _put(db, track_id, state="waiting", **told)

    def failed(self, track_id: int, *, reason: str, message: str, job_id: int | None) -> None:
        """Nothing can be done without a person."""
        with self._database.write() as db:
            told = {"reason": reason, "message": message, "retry_at": None, "wish": None, "job_id": job_id}
            _put(db, track_id, state="failed", **told)

    def doubtful(self, track_id: int, url: str, sound: Sound | None, *, message: str, job_id: int | None) -> None:
        """A person has to listen to the candidate at `url`."""
        with self._database.write() as db:
            _keep_sound(db, track_id, url, sound)
            told = {"reason": "", "message": message, "retry_at": None, "tries": 0, "url": url, "wish": None}
            _put(db, track_id, state="doubtful", **told, job_id=job_id)

    def fetched(
        self, track_id: int, url: str, sound: Sound, spectrogram: Spectrogram | None, *, job_id: int | None
    ) -> str | None:
        """`sound`, from `url`, is the track's. If another track has this very sound: that one's name, and nothing else.

        A track that was removed meanwhile is passed over.
        """
        with self._database.write() as db:
            if not _is_there(db, track_id):
                return None
            if other := _owner_of_sound(db, track_id, sound.sha256):
                pair = sorted((track_id, other["id"]))
                db.execute(
                    "INSERT OR IGNORE INTO track_pairs VALUES (?, ?, ?, ?, 0)",
                    (*pair, SAME_SOUND, json.dumps(["the very same sound was fetched for both"])),
                )
                return f"{other['artist']} – {other['title']}"
            audio_id = _add_sound(db, track_id, sound)
            if spectrogram:
                db.execute(
                    "INSERT OR REPLACE INTO spectrograms VALUES (?, ?, 'done', '', ?, ?, ?, ?, ?)",
                    (audio_id, *_columns_of(spectrogram), job_id, now()),
                )
            _keep_sound(db, track_id, url, sound)
            told = {"reason": "", "message": "", "retry_at": None, "tries": 0, "url": url, "wish": None}
            _put(db, track_id, state="fetched", **told, job_id=job_id)
        return None

    def sound_deleted(self, track_id: int) -> None:
        """The track's file was deleted after its spectrogram was made."""
        with self._database.write() as db:
            db.execute("UPDATE audio_files SET path = '' WHERE track_id = ?", (track_id,))

    # -- files that lie elsewhere, or nowhere ----------------------------------------------------------------------

    def sounds(self) -> list[tuple[int, str, str, int]]:
        """(track, path, SHA-256, bytes) of every audio file that lies in the workspace, or should; '' if it was deleted."""
        with self._database.read() as db:
            rows = db.execute("SELECT track_id, path, sha256, size_bytes FROM audio_files WHERE copied").fetchall()
        return [tuple(row) for row in rows]

    def size_bytes(self) -> int:
        """How much the audio files in the workspace take, with those that wait to be heard."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT coalesce(sum(size_bytes), 0) FROM (SELECT sha256, size_bytes FROM audio_files "
                "WHERE copied AND path <> '' UNION SELECT json_extract(sound, '$.sha256'), json_extract(sound, '$.size_bytes') "
                "FROM candidates JOIN collecting USING (track_id) WHERE sound IS NOT NULL AND candidates.state = 'open' "
                "AND collecting.state <> 'fetched')"
            ).fetchone()
        return int(row[0])

    def turned_down(self) -> list[str]:
        """Paths of sounds that were fetched to be heard, and were rejected, or another was taken: nobody needs them."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT json_extract(sound, '$.path') FROM candidates JOIN collecting USING (track_id) "
                "WHERE sound IS NOT NULL AND (candidates.state = 'rejected' OR collecting.state = 'fetched') "
                "AND json_extract(sound, '$.sha256') NOT IN (SELECT sha256 FROM audio_files) "
                "EXCEPT SELECT json_extract(sound, '$.path') FROM candidates JOIN collecting USING (track_id) "
                "WHERE sound IS NOT NULL AND candidates.state <> 'rejected' AND collecting.state <> 'fetched'"
            ).fetchall()
        return [row[0] for row in rows]

    def moved(self, paths: Mapping[str, str], gone: Iterable[str]) -> None:
        """Files (by SHA-256) lie at these `paths` now; those `gone` lie nowhere."""
        with self._database.write() as db:
            for sha256, path in paths.items():
                db.execute(
                    "UPDATE audio_files SET path = ?, state = iif(state = 'missing', 'ok', state), "
                    "reason = iif(state = 'missing', '', reason) WHERE sha256 = ?",
                    (path, sha256),
                )
            for sha256 in gone:
                db.execute(
                    "UPDATE audio_files SET state = 'missing', reason = 'The file is not where it was.' WHERE sha256 = ?",
                    (sha256,),
                )

    # -- how far it is ---------------------------------------------------------------------------------------------

    def standings(self) -> dict[int, Standing]:
        """How far each track is that was tried at all."""
        with self._database.read() as db:
            rows = db.execute("SELECT track_id, state, reason, message, retry_at, url FROM collecting").fetchall()
        return {row[0]: Standing(*row[1:]) for row in rows}

    def came_to(self, job_id: int) -> dict[str, int]:
        """How many tracks a job brought to each state."""
        with self._database.read() as db:
            rows = db.execute("SELECT state, count(*) FROM collecting WHERE job_id = ? GROUP BY state", (job_id,))
            return {row[0]: row[1] for row in rows}

    def failures(self, *, track_ids: Iterable[int] | None = None) -> dict[str, int]:
        """How many tracks failed for each reason, most first."""
        with self._database.read() as db:
            rows = db.execute(
                f"SELECT reason, count(*) FROM collecting WHERE state = 'failed' AND {_SILENT} "  # noqa: S608
                "AND (:ids IS NULL OR track_id IN (SELECT value FROM json_each(:ids))) GROUP BY reason ORDER BY 2 DESC, 1",
                {"ids": None if track_ids is None else json.dumps(list(track_ids))},
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def fetched_within(self, seconds: float) -> int:
        """How many tracks were fetched in the last `seconds`."""
        since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        with self._database.read() as db:
            row = db.execute("SELECT count(*) FROM collecting WHERE state = 'fetched' AND updated_at > ?", (since,))
            return int(row.fetchone()[0])

    def to_review(self) -> list[int]:
        """Doubtful tracks, in an order that decisions do not change."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id FROM collecting WHERE state = 'doubtful' AND NOT EXISTS (SELECT 1 FROM audio_files "
                "WHERE audio_files.track_id = collecting.track_id AND sha256 IS NOT "
                "(SELECT json_extract(sound, '$.sha256') FROM candidates WHERE candidates.track_id = collecting.track_id "
                "AND candidates.url = collecting.url)) ORDER BY track_id"
            )
            return [row[0] for row in rows]

    def review(self, track_id: int) -> Review | None:
        """A doubtful track with what was found for it; None if it is not doubtful (any more)."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT title, artist, album, isrc, tracks.duration_s, "
                "message, url FROM collecting JOIN tracks ON tracks.id = track_id "
                "WHERE track_id = ? AND collecting.state = 'doubtful'",
                (track_id,),
            ).fetchone()
            if row is None:
                return None
            found = [one for one in _found(db, track_id) if one.state != "rejected"]
        found.sort(key=lambda one: one.candidate.url != row["url"])
        return Review(track_id, catalogue.as_listed(row), row["message"], tuple(found))

    def collected(self, *, limit: int = 500) -> tuple[list[Collected], int]:
        """(tracks whose sound was fetched, those with the lowest scores first; how many there are)."""
        fetched = (
            "FROM collecting JOIN tracks ON tracks.id = collecting.track_id JOIN audio_files USING (track_id) "
            "JOIN candidates ON candidates.track_id = tracks.id AND candidates.url = collecting.url "
            "WHERE collecting.state = 'fetched' AND audio_files.state <> 'missing'"
        )
        with self._database.read() as db:
            total = db.execute(f"SELECT count(*) {fetched}").fetchone()[0]
            rows = db.execute(
                "SELECT tracks.id, title, artist, tracks.duration_s AS listed_s, audio_files.duration_s, "
                f"collecting.url, candidate, score, reasons {fetched} ORDER BY score IS NULL, score, tracks.id LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            Collected(
                row["id"],
                row["title"],
                row["artist"],
                row["listed_s"],
                row["duration_s"],
                row["url"],
                _candidate(row["candidate"]),
                row["score"],
                json.loads(row["reasons"]),
            )
            for row in rows
        ], int(total)

    # -- what a person decides -------------------------------------------------------------------------------------

    def accept(self, track_id: int, url: str) -> bool:
        """The candidate at `url` is the track. True if its sound is here already, else it is to be fetched and taken."""
        with editing(self._database, f"accepted a match for {self._name(track_id)}") as db:
            one = _one(db, track_id, url)
            if one.sound is None:
                _put(db, track_id, state="waiting", reason="", message="", retry_at=None, tries=0, url=url, wish="take")
                return False
            if other := _owner_of_sound(db, track_id, one.sound.sha256):
                raise LibraryError(
                    f"{other['artist']} – {other['title']} has this very sound already. If both are the same song, make "
                    "them one under Genres, Same song twice?; else choose another candidate."
                )
            _add_sound(db, track_id, one.sound)
            _put(db, track_id, state="fetched", reason="", message="", retry_at=None, tries=0, url=url, wish=None)
        return True

    def hear(self, track_id: int, url: str) -> None:
        """The candidate at `url` is to be heard: put in front, and fetched if it is not here yet. One edit."""
        with editing(self._database, f"put another match for {self._name(track_id)} in front") as db:
            here = _one(db, track_id, url).sound is not None
            state = {"state": "doubtful", "wish": None} if here else {"state": "waiting", "wish": "hear"}
            _put(db, track_id, **state, reason="", message="", retry_at=None, tries=0, url=url)
            db.execute(
                "UPDATE candidates SET state = 'open', reason = '', message = '' WHERE track_id = ? AND url = ?",
                (track_id, url),
            )

    def paste(self, track_id: int, url: str) -> None:
        """A person says that the track is at `url`: it is fetched and taken. One edit."""
        with editing(self._database, f"pasted a link for {self._name(track_id)}") as db:
            db.execute(
                "INSERT INTO candidates (track_id, url, candidate) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET state = 'open', reason = '', message = ''",
                (track_id, url, _bare(url)),
            )
            _put(db, track_id, state="waiting", reason="", message="", retry_at=None, tries=0, url=url, wish="take")

    def reject(self, track_id: int, urls: Iterable[str]) -> None:
        """These candidates are not the track. The next one comes in front; if none is left, the track failed. One edit."""
        with editing(self._database, f"rejected matches for {self._name(track_id)}") as db:
            for url in urls:
                _reject(db, track_id, url)
            left = [one for one in _found(db, track_id) if one.state == "open"]
            if left:
                _put(db, track_id, state="doubtful", url=left[0].candidate.url)
            else:
                told = {"reason": "rejected", "message": "You have rejected what was found."}
                _put(db, track_id, state="failed", **told, url=None, wish=None, retry_at=None)

    def reject_sound(self, track_id: int) -> None:
        """The sound that was fetched for a track is another song: it loses it, and is searched for on. One edit."""
        with editing(self._database, f"rejected the sound of {self._name(track_id)}") as db:
            row = db.execute(
                "SELECT url FROM collecting WHERE track_id = ? AND state = 'fetched'", (track_id,)
            ).fetchone()
            if row is None:
                raise LibraryError("Only sound that was collected can be rejected here.")
            _reject(db, track_id, row["url"])
            _put(db, track_id, state="waiting", reason="", message="", url=None, wish=None, retry_at=None, tries=0)

    def retry(self, *, reasons: Iterable[str] | None = None, track_ids: Iterable[int] | None = None) -> int:
        """Try failed tracks again: of all reasons, or of some. Returns how many. What a person rejected stays so."""
        asked = {
            "reasons": None if reasons is None else json.dumps(list(reasons)),
            "ids": None if track_ids is None else json.dumps(list(track_ids)),
        }
        with self._database.write() as db:
            ids = [
                row[0]
                for row in db.execute(
                    "SELECT track_id FROM collecting WHERE state = 'failed' "
                    "AND (:reasons IS NULL OR reason IN (SELECT value FROM json_each(:reasons))) "
                    "AND (:ids IS NULL OR track_id IN (SELECT value FROM json_each(:ids)))",
                    asked,
                )
            ]
            chosen = json.dumps(ids)
            db.execute(
                "UPDATE candidates SET state = 'open', reason = '', message = '' WHERE state = 'failed' "
                "AND track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
            db.execute(
                "UPDATE collecting SET state = 'waiting', tries = 0, retry_at = NULL, message = '', "
                "searched_at = iif(reason IN ('no match', 'rejected'), NULL, searched_at), reason = '' "
                "WHERE track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
        return len(ids)

    def search_elsewhere(self, *, reasons: Iterable[str]) -> int:
        """Tracks that failed where their own address leads are searched for as if they had none. Returns how many."""
        with self._database.write() as db:
            asked = (json.dumps(list(reasons)),)
            some = (
                "SELECT track_id FROM collecting WHERE state = 'failed' AND reason IN (SELECT value FROM json_each(?))"
            )
            ids = [row[0] for row in db.execute(some, asked)]
            chosen = json.dumps(ids)
            db.execute(
                "INSERT INTO candidates (track_id, url, candidate, state) "  # also those that were never asked
                "SELECT track_id, url, json_object('url', url, 'source_id', '', 'title', '', 'artists', json_array()), "
                "'rejected' FROM track_urls WHERE track_id IN (SELECT value FROM json_each(?)) "
                "ON CONFLICT DO UPDATE SET state = 'rejected'",
                (chosen,),
            )
            db.execute(
                "UPDATE collecting SET state = 'waiting', tries = 0, retry_at = NULL, message = '', reason = '', "
                "searched_at = NULL, url = NULL, wish = NULL WHERE track_id IN (SELECT value FROM json_each(?))",
                (chosen,),
            )
        return len(ids)

    def _name(self, track_id: int) -> str:
        with self._database.read() as db:
            row = db.execute("SELECT title FROM tracks WHERE id = ?", (track_id,)).fetchone()
        if row is None:
            raise LibraryError("This track is not in the library any more. Load the page again.")
        return str(row["title"])


def _put(db: sqlite3.Connection, track_id: int, **values: Any) -> None:
    """Change columns of a track's row, which is made if need be. A track that was removed meanwhile is passed over."""
    values["updated_at"] = now()
    db.execute(
        "INSERT OR IGNORE INTO collecting (track_id, state, updated_at) SELECT id, 'waiting', ? FROM tracks WHERE id = ?",
        (values["updated_at"], track_id),
    )
    columns = ", ".join(f"{name} = ?" for name in values)  # names written in this room
    db.execute(f"UPDATE collecting SET {columns} WHERE track_id = ?", (*values.values(), track_id))  # noqa: S608


def _is_there(db: sqlite3.Connection, track_id: int) -> bool:
    """Whether a track is still in the library: it may have been removed with its playlist while a job was at it."""
    return db.execute("SELECT 1 FROM tracks WHERE id = ?", (track_id,)).fetchone() is not None


def _found(db: sqlite3.Connection, track_id: int) -> list[Found]:
    rows = db.execute(
        "SELECT * FROM candidates WHERE track_id = ? ORDER BY score IS NOT NULL, score DESC, url", (track_id,)
    ).fetchall()
    return [
        Found(
            _candidate(row["candidate"]),
            row["score"],
            json.loads(row["reasons"]),
            row["rules"],
            row["state"],
            row["reason"],
            row["message"],
            _sound(row["sound"]),
        )
        for row in rows
    ]


def _one(db: sqlite3.Connection, track_id: int, url: str) -> Found:
    found = next((one for one in _found(db, track_id) if one.candidate.url == url), None)
    if found is None:
        raise LibraryError("This candidate is not there any more. Load the page again.")
    return found


def _candidate(text: str) -> Candidate:
    said = json.loads(text)
    return Candidate(**{**said, "artists": tuple(said["artists"])})


def _sound(text: str | None) -> Sound | None:
    sound = Sound(**json.loads(text)) if text else None
    return sound if sound and Path(sound.path).exists() else None


def _bare(url: str) -> str:
    """A candidate of which nothing is known but where it lies."""
    return json.dumps(asdict(Candidate(url, "", "")))


def _scored(found: Found) -> tuple[Any, ...]:
    return json.dumps(asdict(found.candidate)), found.score, json.dumps(dict(found.reasons)), found.rules


def _keep_sound(db: sqlite3.Connection, track_id: int, url: str, sound: Sound | None) -> None:
    """Note which sound lies at an address of a track."""
    if sound:
        db.execute(
            "INSERT INTO candidates (track_id, url, candidate, sound) SELECT id, ?, ?, ? FROM tracks WHERE id = ? "
            "ON CONFLICT DO UPDATE SET sound = excluded.sound",
            (url, _bare(url), json.dumps(asdict(sound)), track_id),
        )


def _reject(db: sqlite3.Connection, track_id: int, url: str | None) -> None:
    """A candidate is not the track; nor is its sound, if the track has it."""
    db.execute(
        "DELETE FROM audio_files WHERE track_id = ?1 AND sha256 = (SELECT json_extract(sound, '$.sha256') "
        "FROM candidates WHERE track_id = ?1 AND url = ?2)",
        (track_id, url),
    )
    db.execute("UPDATE candidates SET state = 'rejected' WHERE track_id = ? AND url = ?", (track_id, url))


def _owner_of_sound(db: sqlite3.Connection, track_id: int, sha256: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT tracks.id, artist, title FROM audio_files JOIN tracks ON tracks.id = track_id "
        "WHERE sha256 = ? AND track_id <> ?",
        (sha256, track_id),
    ).fetchone()
    return row


def _add_sound(db: sqlite3.Connection, track_id: int, sound: Sound) -> int:
    """The row of a track's audio file; the one of a file that went missing makes room."""
    db.execute(
        "DELETE FROM audio_files WHERE track_id = ? AND (state = 'missing' OR sha256 = ?)", (track_id, sound.sha256)
    )
    audio_id = free_id(db, "audio_files")
    values = asdict(sound) | {"id": audio_id, "track_id": track_id, "copied": 1, "state": "ok"}
    names, places = ", ".join(values), ", ".join("?" * len(values))
    db.execute(f"INSERT INTO audio_files ({names}) VALUES ({places})", tuple(values.values()))  # noqa: S608
    return audio_id


def _columns_of(spectrogram: Spectrogram) -> tuple[Any, ...]:
    return (
        spectrogram.fingerprint,
        spectrogram.n_frames,
        spectrogram.band_mean.tobytes(),
        spectrogram.band_std.tobytes(),
    )
