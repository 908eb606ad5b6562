"""The room that speaks SQL about music: tracks, votes, audio files, spectrograms, edits."""

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.database import Database, now
from core.errors import LibraryError
from core.library import labels
from core.library.names import MAX_GENRE, clean
from core.music import FloatArray, GenreDistribution, Song, Vote


@dataclass(frozen=True)
class FoundFile:
    """A readable audio file, ready to be put into the library."""

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    copied: bool
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float | None
    title: str
    artist: str
    album: str
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class KnownFile:
    """An audio file of the library, as far as an import needs it."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    created_by_job: int | None


@dataclass(frozen=True)
class AudioToDo:
    """An audio file that wants a spectrogram."""

    audio_id: int
    path: str
    sha256: str


@dataclass(frozen=True)
class TrackRow:
    """A track as the library page and the command line show it.

    `state` is that of its spectrogram under one recipe: `ready`, `waiting`, `failed`; `reason` says why it failed,
    or what is wrong with the file.
    """

    id: int
    title: str
    artist: str
    album: str
    duration_s: float | None
    path: str
    sha256: str
    codec: str
    sample_rate: int
    votes: tuple[Vote, ...]
    label: GenreDistribution | None
    state: str
    reason: str


@dataclass(frozen=True)
class BandStatistics:
    """Sums over songs: what a mean and deviation per mel band are made of. Arrays (n_songs, n_mels), dB."""

    n_frames: FloatArray
    mean: FloatArray
    std: FloatArray


@dataclass(frozen=True)
class Edit:
    """One action of a person on labels, which can be undone as one."""

    id: int
    description: str
    undone: bool


class Library:
    """Everything the library knows. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    # -- importing -------------------------------------------------------------------------------------------------

    def known_files(self) -> tuple[dict[str, KnownFile], dict[str, KnownFile]]:
        """All audio files, by path and by SHA-256."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT path, size_bytes, mtime_ns, sha256, created_by_job FROM audio_files "
                "JOIN tracks ON tracks.id = track_id"
            ).fetchall()
        files = [KnownFile(**dict(row)) for row in rows]
        return {file.path: file for file in files}, {file.sha256: file for file in files}

    def add_files(self, files: Sequence[FoundFile], *, playlist: tuple[str, str, str], job_id: int | None) -> None:
        """Take `files` in, all or none: a track for each new SHA-256; votes and place in `playlist` for all.

        `playlist` is (source, reference, title). A file known under a path that is gone takes the new path.
        """
        with self._database.write() as db:
            playlist_id = _playlist_id(db, *playlist)
            for file in files:
                row = db.execute("SELECT track_id FROM audio_files WHERE sha256 = ?", (file.sha256,)).fetchone()
                track_id = int(row["track_id"]) if row else _add_track(db, file, job_id)
                db.execute("INSERT OR IGNORE INTO playlist_tracks VALUES (?, ?)", (playlist_id, track_id))
                for vote in file.votes:
                    _add_vote(db, track_id, vote)

    def relocate(self, file: FoundFile) -> None:
        """A known audio file lies elsewhere now."""
        with self._database.write() as db:
            db.execute(
                "UPDATE audio_files SET path = ?, size_bytes = ?, mtime_ns = ?, copied = ?, "
                "state = iif(state = 'missing', 'ok', state), reason = iif(state = 'missing', '', reason) "
                "WHERE sha256 = ?",
                (file.path, file.size_bytes, file.mtime_ns, file.copied, file.sha256),
            )

    def names(self) -> list[tuple[str, str, float | None, str]]:
        """(artist, title, duration_s, path) of every file, oldest first."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT artist, title, tracks.duration_s, path FROM tracks "
                "JOIN audio_files ON track_id = tracks.id ORDER BY tracks.id"
            ).fetchall()
        return [tuple(row) for row in rows]

    # -- spectrograms ----------------------------------------------------------------------------------------------

    def without_spectrogram(
        self,
        fingerprint: str,
        *,
        track_ids: Iterable[int] | None = None,
        retry_failed: bool = True,
        is_there: Callable[[str], bool] = lambda sha256: True,
    ) -> list[AudioToDo]:
        """Audio files (of `track_ids`, or all) whose spectrogram is not there; failed ones if `retry_failed`.

        `is_there` says of a SHA-256 whether the file that was made of it still lies in its place.
        """
        with self._database.read() as db:
            rows = db.execute(
                "SELECT audio_files.id AS audio_id, path, sha256, spectrograms.state FROM audio_files "
                "LEFT JOIN spectrograms ON audio_id = audio_files.id AND fingerprint = :fingerprint "
                "WHERE (spectrograms.state IS NOT 'failed' OR :retry) "
                "AND (:ids IS NULL OR track_id IN (SELECT value FROM json_each(:ids))) ORDER BY audio_files.id",
                {
                    "fingerprint": fingerprint,
                    "retry": retry_failed,
                    "ids": None if track_ids is None else json.dumps(list(track_ids)),
                },
            ).fetchall()
        return [
            AudioToDo(row["audio_id"], row["path"], row["sha256"])
            for row in rows
            if row["state"] != "done" or not is_there(row["sha256"])
        ]

    def spectrogram_made(
        self,
        todo: AudioToDo,
        fingerprint: str,
        *,
        n_frames: int,
        band_mean: FloatArray,
        band_std: FloatArray,
        duration_s: float,
        state: str,
        reason: str,
        job_id: int | None,
    ) -> None:
        """A spectrogram file is in its place; `state` and `reason` are what decoding said of the audio."""
        with self._database.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO spectrograms VALUES (?, ?, 'done', '', ?, ?, ?, ?, ?)",
                (todo.audio_id, fingerprint, n_frames, band_mean.tobytes(), band_std.tobytes(), job_id, now()),
            )
            db.execute(
                "UPDATE audio_files SET state = ?, reason = ?, duration_s = ? WHERE id = ?",
                (state, reason, duration_s, todo.audio_id),
            )
            db.execute(
                "UPDATE tracks SET duration_s = ? WHERE id = (SELECT track_id FROM audio_files WHERE id = ?)",
                (duration_s, todo.audio_id),
            )

    def spectrogram_failed(
        self, todo: AudioToDo, fingerprint: str, *, missing: bool, reason: str, job_id: int | None
    ) -> None:
        """No spectrogram could be made of an audio file."""
        with self._database.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO spectrograms VALUES (?, ?, 'failed', ?, NULL, NULL, NULL, ?, ?)",
                (todo.audio_id, fingerprint, reason, job_id, now()),
            )
            db.execute(
                "UPDATE audio_files SET state = ?, reason = ? WHERE id = ?",
                ("missing" if missing else "unusable", reason, todo.audio_id),
            )

    def spectrograms_of_job(self, job_id: int) -> tuple[int, float, list[dict[str, str]]]:
        """(made, seconds of audio in them, failures with path and reason) of one job, over all its attempts."""
        with self._database.read() as db:
            made, audio_s = db.execute(
                "SELECT count(*), coalesce(sum(duration_s), 0) FROM spectrograms "
                "JOIN audio_files ON id = audio_id WHERE made_by_job = ? AND spectrograms.state = 'done'",
                (job_id,),
            ).fetchone()
            failed = db.execute(
                "SELECT path, spectrograms.reason FROM spectrograms JOIN audio_files ON id = audio_id "
                "WHERE made_by_job = ? AND spectrograms.state = 'failed' ORDER BY path",
                (job_id,),
            ).fetchall()
        return int(made), float(audio_s), [dict(row) for row in failed]

    def band_statistics(self, sha256s: Sequence[str], fingerprint: str) -> BandStatistics:
        """Frames, mean and deviation per band of each of these songs, in any order."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT n_frames, band_mean, band_std FROM spectrograms JOIN audio_files ON id = audio_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done' "
                "AND sha256 IN (SELECT value FROM json_each(?)) ORDER BY sha256",
                (fingerprint, json.dumps(list(sha256s))),
            ).fetchall()
        if len(rows) != len(set(sha256s)):
            raise LibraryError("Some spectrograms are gone from the library. Make spectrograms again.")
        return BandStatistics(
            np.array([row["n_frames"] for row in rows], np.float32),
            np.stack([np.frombuffer(row["band_mean"], np.float32) for row in rows]),
            np.stack([np.frombuffer(row["band_std"], np.float32) for row in rows]),
        )

    def mean_spectra(self, fingerprint: str) -> dict[str, FloatArray]:
        """For each genre (a song counts for its top genre) the mean over songs of the band means, (n_mels,) dB."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT sha256, band_mean FROM spectrograms JOIN audio_files ON id = audio_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done'",
                (fingerprint,),
            ).fetchall()
        means = {row["sha256"]: np.frombuffer(row["band_mean"], np.float32) for row in rows}
        by_genre: dict[str, list[FloatArray]] = {}
        for song in self.songs(fingerprint):
            by_genre.setdefault(song.label.top, []).append(means[song.sha256])
        return {genre: np.mean(spectra, axis=0, dtype=np.float32) for genre, spectra in sorted(by_genre.items())}

    # -- reading ---------------------------------------------------------------------------------------------------

    def tracks(self, fingerprint: str, *, track_id: int | None = None) -> list[TrackRow]:
        """All tracks (or one), newest last, with the state of their spectrogram under one recipe."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT tracks.id, title, artist, album, tracks.duration_s, path, sha256, codec, sample_rate, "
                "CASE spectrograms.state WHEN 'done' THEN 'ready' WHEN 'failed' THEN 'failed' ELSE 'waiting' END state, "
                "audio_files.reason AS reason "
                "FROM tracks JOIN audio_files ON track_id = tracks.id "
                "LEFT JOIN spectrograms ON audio_id = audio_files.id AND fingerprint = ? "
                "WHERE ? IS NULL OR tracks.id = ? ORDER BY tracks.id",
                (fingerprint, track_id, track_id),
            ).fetchall()
            votes = _votes(db, track_id)
        return [
            TrackRow(
                **dict(row),
                votes=tuple(votes.get(row["id"], ())),
                label=labels.resolve(votes.get(row["id"], ())),
            )
            for row in rows
        ]

    def songs(self, fingerprint: str) -> list[Song]:
        """Every song that can be learned from: it has a label and a spectrogram. In the order of its SHA-256."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, title, artist, audio_files.duration_s, sha256, n_frames FROM spectrograms "
                "JOIN audio_files ON audio_files.id = audio_id JOIN tracks ON tracks.id = track_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done' ORDER BY sha256",
                (fingerprint,),
            ).fetchall()
            votes = _votes(db, None)
        labelled = ((row, labels.resolve(votes.get(row["track_id"], ()))) for row in rows)
        return [Song(**dict(row), label=label) for row, label in labelled if label is not None]

    def genres(self) -> list[str]:
        """Genres that any counted vote names, by name."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT DISTINCT name FROM genres JOIN votes ON genre_id = genres.id WHERE withdrawn_by IS NULL "
                "ORDER BY name COLLATE NOCASE"
            ).fetchall()
        return [row["name"] for row in rows]

    def counts(self, fingerprint: str) -> dict[str, int]:
        """How much there is: tracks, labelled, genres, artists, ready, failed."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT (SELECT count(*) FROM tracks) tracks, "
                "(SELECT count(DISTINCT track_id) FROM votes WHERE withdrawn_by IS NULL) labelled, "
                "(SELECT count(DISTINCT genre_id) FROM votes WHERE withdrawn_by IS NULL) genres, "
                "(SELECT count(DISTINCT artist) FROM tracks WHERE artist <> '') artists, "
                "(SELECT count(*) FROM spectrograms WHERE fingerprint = :f AND state = 'done') ready, "
                "(SELECT count(*) FROM spectrograms WHERE fingerprint = :f AND state = 'failed') failed",
                {"f": fingerprint},
            ).fetchone()
        return dict(row)

    # -- labelling by hand -----------------------------------------------------------------------------------------

    def label_by_hand(self, track_ids: Sequence[int], genres: dict[str, float], *, who: str) -> Edit:
        """Give tracks these genres (with weights); earlier hand votes on them are replaced. One `Edit`, undoable."""
        genres = {clean(genre, limit=MAX_GENRE): weight for genre, weight in genres.items()}
        weights = genres.values()
        if not track_ids or not all(genres) or not weights or not all(0 < weight < math.inf for weight in weights):
            raise LibraryError("Choose at least one track and one genre, each with a weight above 0.")
        description = f"{' + '.join(genres)} for {len(track_ids)} track{'s' * (len(track_ids) > 1)}"
        with self._database.write() as db:
            edit_id = int(
                db.execute("INSERT INTO edits (description, created_at) VALUES (?, ?)", (description, now())).lastrowid
                or 0
            )
            asked = json.dumps(list(track_ids))
            known = db.execute("SELECT count(*) FROM tracks WHERE id IN (SELECT value FROM json_each(?))", (asked,))
            if known.fetchone()[0] != len(set(track_ids)):
                raise LibraryError("Some of these tracks are not in the library any more. Load the page again.")
            db.execute(
                "UPDATE votes SET withdrawn_by = ? WHERE source = 'hand' AND withdrawn_by IS NULL "
                "AND track_id IN (SELECT value FROM json_each(?))",
                (edit_id, asked),
            )
            for track_id in track_ids:
                for genre, weight in genres.items():
                    _add_vote(db, track_id, Vote(genre, "hand", weight, who), edit_id)
        return Edit(edit_id, description, undone=False)

    def undo(self, edit_id: int) -> None:
        """Take back the latest edit; undoing an older one first is refused, since later ones build on it."""
        with self._database.write() as db:
            latest = db.execute("SELECT max(id) FROM edits WHERE undone_at IS NULL").fetchone()[0]
            if latest != edit_id:
                raise LibraryError("Only the latest edit can be undone. It was undone already, or another came after.")
            db.execute("UPDATE votes SET withdrawn_by = edit_id WHERE edit_id = ?", (edit_id,))
            db.execute(
                "UPDATE votes SET withdrawn_by = NULL WHERE withdrawn_by = ? AND edit_id IS NOT ?", (edit_id, edit_id)
            )
            db.execute("UPDATE edits SET undone_at = ? WHERE id = ?", (now(), edit_id))

    def latest_edit(self) -> Edit | None:
        """The edit that `undo` would take back."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT id, description FROM edits WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return Edit(row["id"], row["description"], undone=False) if row else None


def _playlist_id(db: sqlite3.Connection, source: str, reference: str, title: str) -> int:
    db.execute(
        "INSERT OR IGNORE INTO playlists (source, reference, title, created_at) VALUES (?, ?, ?, ?)",
        (source, reference, title, now()),
    )
    row = db.execute("SELECT id FROM playlists WHERE source = ? AND reference = ?", (source, reference)).fetchone()
    return int(row["id"])


def _add_track(db: sqlite3.Connection, file: FoundFile, job_id: int | None) -> int:
    track_id = db.execute(
        "INSERT INTO tracks (title, artist, album, duration_s, created_by_job, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (file.title, file.artist, file.album, file.duration_s, job_id, now()),
    ).lastrowid
    db.execute(
        "INSERT INTO audio_files (track_id, sha256, path, copied, container, codec, sample_rate, channels, duration_s, "
        "size_bytes, mtime_ns, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ok')",
        (
            track_id,
            file.sha256,
            file.path,
            file.copied,
            file.container,
            file.codec,
            file.sample_rate,
            file.channels,
            file.duration_s,
            file.size_bytes,
            file.mtime_ns,
        ),
    )
    return int(track_id or 0)


def _add_vote(db: sqlite3.Connection, track_id: int, vote: Vote, edit_id: int | None = None) -> None:
    """Add a vote; what the same folder, tag or table said of the track before, it says no longer."""
    db.execute("INSERT OR IGNORE INTO genres (name) VALUES (?)", (vote.genre,))
    db.execute(
        "DELETE FROM votes WHERE track_id = ? AND source = ? AND reference = ? AND edit_id IS NULL "
        "AND genre_id <> (SELECT id FROM genres WHERE name = ?)",
        (track_id, vote.source, vote.reference, vote.genre),
    )
    db.execute(
        "INSERT OR IGNORE INTO votes (track_id, genre_id, source, reference, weight, edit_id, created_at) "
        "SELECT ?, id, ?, ?, ?, ?, ? FROM genres WHERE name = ?",
        (track_id, vote.source, vote.reference, vote.weight, edit_id, now(), vote.genre),
    )


def _votes(db: sqlite3.Connection, track_id: int | None) -> dict[int, list[Vote]]:
    """Votes that count (not withdrawn), by track."""
    rows = db.execute(
        "SELECT track_id, name, source, weight, reference FROM votes JOIN genres ON genres.id = genre_id "
        "WHERE withdrawn_by IS NULL AND (? IS NULL OR track_id = ?) ORDER BY votes.id",
        (track_id, track_id),
    )
    votes: dict[int, list[Vote]] = {}
    for row in rows:
        votes.setdefault(row["track_id"], []).append(Vote(row["name"], row["source"], row["weight"], row["reference"]))
    return votes
