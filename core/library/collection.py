"""How far the search for each track's sound is. Speaks SQL.

A track without sound is `waiting` (to be searched for, fetched, or tried again from `retry_at` on), `doubtful` (a person
has to listen), `failed` (with a reason), or it was `fetched`. A track that nobody has tried yet has no row: it waits.
What a job comes to cannot be undone; what a person decides is in `reviews`.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from core.database import Database, now
from core.library import candidates, catalogue
from core.library.candidates import Found, Sound
from core.music import Candidate, FloatArray, ListedTrack

_SILENT = (
    "NOT EXISTS (SELECT 1 FROM audio_files WHERE audio_files.track_id = collecting.track_id AND state <> 'missing')"
)
ANEW: dict[str, Any] = {"reason": "", "message": "", "retry_at": None, "tries": 0, "wish": None}
"""Of how a track stood before, nothing holds any more."""
SAME_SOUND = 0.8
"""How certain it is that two tracks with the very same sound are one: one of them may have been matched wrongly."""


@dataclass(frozen=True)
class Spectrogram:
    """What the library keeps of a spectrogram file: its frames, and mean and deviation per band, (n_mels,) dB."""

    fingerprint: str
    n_frames: int
    band_mean: FloatArray
    band_std: FloatArray


class WorkspaceFile(NamedTuple):
    """An audio file in the workspace; `path` is '' if it was deleted. `sha256` is the key of the recording."""

    track_id: int
    path: str
    sha256: str
    size_bytes: int
    packets_sha256: str | None


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
            return candidates.found_for(db, track_id)

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
                candidates.keep(db, track_id, one)
            put(db, track_id, state="waiting", reason="", message="", searched_at=now(), job_id=job_id)

    def candidate_failed(self, track_id: int, url: str, *, reason: str, message: str) -> None:
        """What lies at `url` could not be had; the track goes on waiting. A person's wish for it is over."""
        with self._database.write() as db:
            candidates.note(db, track_id, url, state="failed", reason=reason, message=message)
            db.execute("UPDATE collecting SET wish = NULL, tries = 0 WHERE track_id = ? AND url = ?", (track_id, url))

    def put_off(
        self, track_id: int, *, reason: str, message: str, retry_at: datetime | None, tries: int, job_id: int | None
    ) -> None:
        """It is tried again, not before `retry_at`."""
        at = retry_at.astimezone(UTC).isoformat(timespec="milliseconds") if retry_at else None
        with self._database.write() as db:
            told = {"reason": reason, "message": message, "retry_at": at, "tries": tries, "job_id": job_id}
            put(db, track_id, state="waiting", **told)

    def failed(self, track_id: int, *, reason: str, message: str, job_id: int | None) -> None:
        """Nothing can be done without a person."""
        with self._database.write() as db:
            told = {"reason": reason, "message": message, "retry_at": None, "wish": None, "job_id": job_id}
            put(db, track_id, state="failed", **told)

    def doubtful(self, track_id: int, url: str, sound: Sound | None, *, message: str, job_id: int | None) -> None:
        """A person has to listen to the candidate at `url`."""
        with self._database.write() as db:
            candidates.keep_sound(db, track_id, url, sound)
            put(db, track_id, **(ANEW | {"message": message}), state="doubtful", url=url, job_id=job_id)

    def fetched(
        self, track_id: int, url: str, sound: Sound, spectrogram: Spectrogram | None, *, job_id: int | None
    ) -> str | None:
        """`sound`, from `url`, is the track's. If another track has this very sound: that one's name, and nothing else.

        A track that was removed meanwhile is passed over.
        """
        with self._database.write() as db:
            if not _is_there(db, track_id):
                return None
            if other := candidates.owner_of_sound(db, track_id, sound):
                pair = sorted((track_id, other["id"]))
                db.execute(
                    "INSERT OR IGNORE INTO track_pairs VALUES (?, ?, ?, ?, 0)",
                    (*pair, SAME_SOUND, json.dumps(["the very same sound was fetched for both"])),
                )
                return f"{other['artist']} – {other['title']}"
            audio_id = candidates.add_sound(db, track_id, sound)
            if spectrogram:
                db.execute(
                    "INSERT OR REPLACE INTO spectrograms VALUES (?, ?, 'done', '', ?, ?, ?, ?, ?)",
                    (audio_id, *_columns_of(spectrogram), job_id, now()),
                )
            candidates.keep_sound(db, track_id, url, sound)
            put(db, track_id, **ANEW, state="fetched", url=url, job_id=job_id)
        return None

    def sound_deleted(self, track_id: int, path: str) -> bool:
        """The track's file is deleted, as its spectrogram is made. False if it has it no more: a decision was taken back."""
        with self._database.write() as db:
            asked = (track_id, path)
            return db.execute("UPDATE audio_files SET path = '' WHERE track_id = ? AND path = ?", asked).rowcount > 0

    def unfinished(self, fingerprint: str) -> list[tuple[int, str, str]]:
        """(track, path, SHA-256) of collected sounds of which no spectrogram was tried: those a person has accepted."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, path, sha256 FROM audio_files JOIN collecting USING (track_id) "
                "WHERE copied AND path <> '' AND audio_files.state <> 'missing' AND collecting.state = 'fetched' "
                "AND NOT EXISTS (SELECT 1 FROM spectrograms WHERE audio_id = audio_files.id AND fingerprint = ?)",
                (fingerprint,),
            ).fetchall()
        return [tuple(row) for row in rows]

    # -- files that lie elsewhere, or nowhere ----------------------------------------------------------------------

    def sounds(self) -> list[WorkspaceFile]:
        """Every audio file that is, or should be, in the workspace."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, path, sha256, size_bytes, packets_sha256 FROM audio_files WHERE copied"
            ).fetchall()
        return [WorkspaceFile(*row) for row in rows]

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

    def needed(self) -> set[str]:
        """Paths of all sounds that tracks have, or candidates that may still be wanted."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT path FROM audio_files UNION SELECT json_extract(sound, '$.path') FROM candidates WHERE sound IS NOT NULL"
            ).fetchall()
        return {row[0] for row in rows if row[0]} - set(self.turned_down())

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
                candidates.as_candidate(row["candidate"]),
                row["score"],
                json.loads(row["reasons"]),
            )
            for row in rows
        ], int(total)


def put(db: sqlite3.Connection, track_id: int, **values: Any) -> None:
    """Change columns of how a track stands, which is made if need be. A track that was removed meanwhile is passed over."""
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


def _columns_of(spectrogram: Spectrogram) -> tuple[Any, ...]:
    return (
        spectrogram.fingerprint,
        spectrogram.n_frames,
        spectrogram.band_mean.tobytes(),
        spectrogram.band_std.tobytes(),
    )
