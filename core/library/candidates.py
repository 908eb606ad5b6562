"""What was found for a track: its candidates as they are kept, and the sounds that were fetched of them. Speaks SQL.

Functions on a connection, for the rooms that write more at once: `collection` and `reviews`.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import LibraryError
from core.library.edits import free_id
from core.music import Candidate


@dataclass(frozen=True)
class Sound:
    """A file in the workspace that was fetched and decoded without fault. `duration_s` is what decoding gave.

    `sha256` is the key of the recording, its `packets_sha256`; where that is None, of before, the SHA-256 of the file.
    """

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float
    packets_sha256: str | None = None


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


def found_for(db: sqlite3.Connection, track_id: int) -> list[Found]:
    """What was found for a track, best first; what has no score comes before."""
    rows = db.execute(
        "SELECT * FROM candidates WHERE track_id = ? ORDER BY score IS NOT NULL, score DESC, url", (track_id,)
    ).fetchall()
    return [
        Found(
            as_candidate(row["candidate"]),
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


def found_at(db: sqlite3.Connection, track_id: int, url: str) -> Found:
    """The candidate of a track at an address. `LibraryError` if there is none."""
    found = next((one for one in found_for(db, track_id) if one.candidate.url == url), None)
    if found is None:
        raise LibraryError("This candidate is not there any more. Load the page again.")
    return found


def keep(db: sqlite3.Connection, track_id: int, found: Found) -> None:
    """A candidate was found; one that was found before, and failed or was rejected, stays so."""
    db.execute(
        "INSERT INTO candidates (track_id, url, candidate, score, reasons, rules) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET candidate = excluded.candidate, score = excluded.score, "
        "reasons = excluded.reasons, rules = excluded.rules",
        (
            track_id,
            found.candidate.url,
            json.dumps(asdict(found.candidate)),
            found.score,
            json.dumps(dict(found.reasons)),
            found.rules,
        ),
    )


def note(db: sqlite3.Connection, track_id: int, url: str, *, state: str, reason: str = "", message: str = "") -> None:
    """How a candidate stands, which may be a mere address. A track that was removed meanwhile is passed over."""
    db.execute(
        "INSERT INTO candidates (track_id, url, candidate, state, reason, message) "
        "SELECT id, ?, ?, ?, ?, ? FROM tracks WHERE id = ? ON CONFLICT DO UPDATE SET "
        "state = excluded.state, reason = excluded.reason, message = excluded.message",
        (url, _bare(url), state, reason, message, track_id),
    )


def keep_sound(db: sqlite3.Connection, track_id: int, url: str, sound: Sound | None) -> None:
    """Note which sound lies at an address of a track."""
    if sound:
        db.execute(
            "INSERT INTO candidates (track_id, url, candidate, sound) SELECT id, ?, ?, ? FROM tracks WHERE id = ? "
            "ON CONFLICT DO UPDATE SET sound = excluded.sound",
            (url, _bare(url), json.dumps(asdict(sound)), track_id),
        )


def reject(db: sqlite3.Connection, track_id: int, url: str | None) -> None:
    """A candidate is not the track; nor is its sound, if the track has it."""
    db.execute(
        "DELETE FROM audio_files WHERE track_id = ?1 AND sha256 = (SELECT json_extract(sound, '$.sha256') "
        "FROM candidates WHERE track_id = ?1 AND url = ?2)",
        (track_id, url),
    )
    db.execute("UPDATE candidates SET state = 'rejected' WHERE track_id = ? AND url = ?", (track_id, url))


def owner_of_sound(db: sqlite3.Connection, track_id: int, sound: Sound) -> sqlite3.Row | None:
    """Another track that has this very sound: its id, artist and title."""
    row: sqlite3.Row | None = db.execute(
        "SELECT tracks.id, artist, title FROM audio_files JOIN tracks ON tracks.id = track_id "
        "WHERE (sha256 = ? OR packets_sha256 = ?) AND track_id <> ?",
        (sound.sha256, sound.packets_sha256, track_id),
    ).fetchone()
    return row


def add_sound(db: sqlite3.Connection, track_id: int, sound: Sound) -> int:
    """The row of a track's audio file; the one of a file that went missing makes room."""
    db.execute(
        "DELETE FROM audio_files WHERE track_id = ? AND (state = 'missing' OR sha256 = ?)", (track_id, sound.sha256)
    )
    audio_id = free_id(db, "audio_files")
    values = asdict(sound) | {"id": audio_id, "track_id": track_id, "copied": 1, "state": "ok"}
    names, places = ", ".join(values), ", ".join("?" * len(values))
    db.execute(f"INSERT INTO audio_files ({names}) VALUES ({places})", tuple(values.values()))  # noqa: S608
    return audio_id


def as_candidate(text: str) -> Candidate:
    """A candidate from its column."""
    said = json.loads(text)
    return Candidate(**{**said, "artists": tuple(said["artists"])})


def _sound(text: str | None) -> Sound | None:
    sound = Sound(**json.loads(text)) if text else None
    return sound if sound and Path(sound.path).exists() else None


def _bare(url: str) -> str:
    """A candidate of which nothing is known but where it lies."""
    return json.dumps(asdict(Candidate(url, "", "")))
