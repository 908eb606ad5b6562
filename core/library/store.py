"""Tracks with their votes, audio files and spectrograms. Speaks SQL."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from core.database import Database, now
from core.errors import LibraryError
from core.library import catalogue, labels
from core.library.edits import editing, free_id
from core.library.genres import Names, checked_weights
from core.library.identity import identity_key, main_artist
from core.music import FloatArray, GenreDistribution, ListedTrack, Song, Vote


@dataclass(frozen=True)
class FoundFile:
    """A readable audio file, ready to be put into the library.

    `sha256` is the key of the recording: that of a known one, else `packets_sha256`, the SHA-256 of the audio packets.
    `file_sha256` is that of the whole file.
    Of a known one, `moved` says that it lies elsewhere now, `retagged` that the file was changed since it was seen last.
    """

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
    packets_sha256: str | None = None
    file_sha256: str | None = None
    moved: bool = False
    retagged: bool = False


@dataclass(frozen=True)
class KnownFile:
    """An audio file of the library, as far as an import needs it. `packets_sha256` is None where it was not read yet."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    packets_sha256: str | None
    file_sha256: str | None
    created_by_job: int | None


@dataclass(frozen=True)
class AudioToDo:
    """An audio file that wants a spectrogram. `packets_sha256` is None where it was not read yet: then `sha256` is the file's."""

    audio_id: int
    path: str
    sha256: str
    packets_sha256: str | None = None


@dataclass(frozen=True)
class TrackRow:
    """A track as the library page and the command line show it.

    `artist` holds several with `; ` between them. `state` is that of its spectrogram under one recipe: `ready`,
    `waiting`, `failed`, or `no sound` where there is no audio file (then what describes one is empty or 0); `reason`
    says why it failed, or what is wrong with the file. A track that is `set_aside` is not learned from. `path` is also
    empty where the sound was deleted after its spectrogram was made; `has_sound` counts that as sound, but not a file
    that is missing.
    """

    id: int
    title: str
    artist: str
    album: str
    duration_s: float | None
    isrc: str | None
    path: str
    sha256: str
    codec: str
    sample_rate: int
    set_aside: bool
    votes: tuple[Vote, ...]
    label: GenreDistribution | None
    state: str
    reason: str
    has_sound: bool
    packets_sha256: str = ""


@dataclass(frozen=True)
class BandStatistics:
    """Sums over songs: what a mean and deviation per mel band are made of. Arrays (n_songs, n_mels), dB.

    `sha256s` says of which songs, in the order of the rows.
    """

    n_frames: FloatArray
    mean: FloatArray
    std: FloatArray
    sha256s: tuple[str, ...] = ()


_KNOWN = (
    "SELECT path, size_bytes, mtime_ns, sha256, packets_sha256, file_sha256, created_by_job FROM audio_files "
    "JOIN tracks ON tracks.id = track_id"
)


class Library:
    """Everything the library knows. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    # -- importing -------------------------------------------------------------------------------------------------

    def known_files(self) -> tuple[dict[str, KnownFile], dict[str, KnownFile]]:
        """All audio files, by path and by key."""
        with self._database.read() as db:
            files = [KnownFile(**row) for row in db.execute(f"{_KNOWN} ORDER BY audio_files.id")]
        return {file.path: file for file in files}, {file.sha256: file for file in files}

    def add_files(self, files: Sequence[FoundFile], *, playlist: tuple[str, str, str], job_id: int | None) -> None:
        """Take `files` in, all or none: a track for each new recording; votes and place in `playlist` for all.

        `playlist` is (source, reference, title). A file of a track that the library knows without sound becomes that
        track's sound. A track whose file was retagged is called what its tags say now, unless a list names it, too.
        """
        with self._database.write() as db:
            playlist_id = _playlist_id(db, *playlist)
            names = Names(db)
            catalogue.identify_old(db)
            for file in files:
                row = db.execute("SELECT track_id FROM audio_files WHERE sha256 = ?", (file.sha256,)).fetchone()
                track_id = int(row["track_id"]) if row else _add_file(db, file, job_id)
                if row and (file.moved or file.retagged):
                    _relocate(db, file)
                if row and file.retagged:
                    _rename(db, track_id, file)
                db.execute("INSERT OR IGNORE INTO playlist_tracks VALUES (?, ?)", (playlist_id, track_id))
                _add_votes(db, names, track_id, file.votes)

    def without_packets(self) -> list[KnownFile]:
        """Audio files, not deleted, of which it is not known what their packets are."""
        with self._database.read() as db:
            rows = db.execute(f"{_KNOWN} WHERE packets_sha256 IS NULL AND path <> '' ORDER BY audio_files.id")
            return [KnownFile(**row) for row in rows]

    def packets_read(self, sha256: str, packets_sha256: str) -> None:
        """What the packets of a recording are, by its key; what is known stays."""
        with self._database.write() as db:
            db.execute(
                "UPDATE audio_files SET packets_sha256 = ? WHERE sha256 = ? AND packets_sha256 IS NULL",
                (packets_sha256, sha256),
            )

    def names(self) -> list[tuple[str, str, float | None, str]]:
        """(artist, title, duration_s, path) of every file, oldest first."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT artist, title, tracks.duration_s, path FROM tracks "
                "JOIN audio_files ON track_id = tracks.id ORDER BY tracks.id"
            ).fetchall()
        return [tuple(row) for row in rows]

    def many_writes(self) -> AbstractContextManager[None]:
        """See `Database.many_writes`."""
        return self._database.many_writes()

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

        Sound that was deleted after its spectrogram was made is passed over.

        `is_there` says of a SHA-256 whether the file that was made of it still lies in its place.
        """
        with self._database.read() as db:
            rows = db.execute(
                "SELECT audio_files.id AS audio_id, path, sha256, packets_sha256, spectrograms.state FROM audio_files "
                "LEFT JOIN spectrograms ON audio_id = audio_files.id AND fingerprint = :fingerprint "
                "WHERE path <> '' AND (spectrograms.state IS NOT 'failed' OR :retry) "
                "AND (:ids IS NULL OR track_id IN (SELECT value FROM json_each(:ids))) ORDER BY audio_files.id",
                {
                    "fingerprint": fingerprint,
                    "retry": retry_failed,
                    "ids": None if track_ids is None else json.dumps(list(track_ids)),
                },
            ).fetchall()
        return [
            AudioToDo(row["audio_id"], row["path"], row["sha256"], row["packets_sha256"])
            for row in rows
            if row["state"] != "done" or not is_there(row["sha256"])
        ]

    def with_spectrogram(self, fingerprint: str) -> list[AudioToDo]:
        """Audio files that a spectrogram was made of, whether or not its file still lies in its place."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT audio_id, path, sha256, packets_sha256 FROM spectrograms JOIN audio_files ON audio_files.id = audio_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done' ORDER BY audio_id",
                (fingerprint,),
            ).fetchall()
        return [AudioToDo(**row) for row in rows]

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
        packets_sha256: str = "",
        job_id: int | None,
    ) -> None:
        """A spectrogram file is in its place; `state` and `reason` are what decoding said of the audio.

        `packets_sha256` is kept if it was not known; '' if it was not read.

        An audio file that was removed meanwhile is passed over.
        """
        with self._database.write() as db:
            if not _is_there(db, todo):
                return
            db.execute(
                "INSERT OR REPLACE INTO spectrograms VALUES (?, ?, 'done', '', ?, ?, ?, ?, ?)",
                (todo.audio_id, fingerprint, n_frames, band_mean.tobytes(), band_std.tobytes(), job_id, now()),
            )
            db.execute(
                "UPDATE audio_files SET state = ?, reason = ?, duration_s = ?, "
                "packets_sha256 = coalesce(packets_sha256, nullif(?, '')) WHERE id = ?",
                (state, reason, duration_s, packets_sha256, todo.audio_id),
            )
            db.execute(
                "UPDATE tracks SET duration_s = ? WHERE id = (SELECT track_id FROM audio_files WHERE id = ?) "
                "AND NOT EXISTS (SELECT 1 FROM collecting WHERE track_id = tracks.id)",  # there it stays as listed
                (duration_s, todo.audio_id),
            )

    def spectrogram_failed(
        self, todo: AudioToDo, fingerprint: str, *, missing: bool, reason: str, job_id: int | None
    ) -> None:
        """No spectrogram could be made of an audio file. One that was removed meanwhile is passed over."""
        with self._database.write() as db:
            if not _is_there(db, todo):
                return
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
                "SELECT sha256, n_frames, band_mean, band_std FROM spectrograms JOIN audio_files ON id = audio_id "
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
            tuple(row["sha256"] for row in rows),
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
                "SELECT tracks.id, title, artist, album, coalesce(audio_files.duration_s, tracks.duration_s), isrc, "
                "coalesce(path, ''), "
                "coalesce(sha256, ''), coalesce(codec, ''), coalesce(sample_rate, 0), set_aside, "
                "CASE WHEN sha256 IS NULL THEN 'no sound' WHEN spectrograms.state = 'done' THEN 'ready' "
                "WHEN spectrograms.state = 'failed' THEN 'failed' ELSE 'waiting' END, coalesce(audio_files.reason, ''), "
                "audio_files.state IS NOT NULL AND audio_files.state <> 'missing', coalesce(packets_sha256, '') "
                "FROM tracks LEFT JOIN audio_files ON track_id = tracks.id "
                "LEFT JOIN spectrograms ON audio_id = audio_files.id AND fingerprint = ? "
                "WHERE ? IS NULL OR tracks.id = ? ORDER BY tracks.id",
                (fingerprint, track_id, track_id),
            ).fetchall()
            votes = votes_of(db, track_id)
        tracks = []
        for row in rows:
            given = tuple(votes.get(row[0], ()))
            label = labels.resolve(given)
            told = {"set_aside": bool(row[10]), "votes": given, "label": label, "state": row[11], "reason": row[12]}
            told |= {"has_sound": bool(row[13]), "packets_sha256": row[14]}
            tracks.append(TrackRow(*row[:10], **told))
        return tracks

    def labels_of(self, tracks: Sequence[ListedTrack]) -> list[GenreDistribution]:
        """The labels of those of `tracks` that the library knows and that have one."""
        with self._database.read() as db:
            ids = {track_id for track_id in catalogue.find(db, tracks) if track_id is not None}
            votes = [votes_of(db, track_id).get(track_id, []) for track_id in sorted(ids)]
        return [label for given in votes if (label := labels.resolve(given))]

    def urls(self, track_id: int) -> list[str]:
        """Where sources say that a track is."""
        with self._database.read() as db:
            rows = db.execute("SELECT url FROM track_urls WHERE track_id = ? ORDER BY url", (track_id,)).fetchall()
        return [row["url"] for row in rows if not row["url"].startswith(catalogue.LISTED)]

    def songs(self, fingerprint: str) -> list[Song]:
        """Every song to learn from: it has a label and a spectrogram and is not set aside. In the order of its SHA-256."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, title, artist, audio_files.duration_s, sha256, n_frames FROM spectrograms "
                "JOIN audio_files ON audio_files.id = audio_id JOIN tracks ON tracks.id = track_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done' AND NOT set_aside ORDER BY sha256",
                (fingerprint,),
            ).fetchall()
            votes = votes_of(db, None)
        labelled = ((row, labels.resolve(votes.get(row["track_id"], ()))) for row in rows)
        return [Song(**dict(row), label=label) for row, label in labelled if label is not None]

    def genres(self) -> list[str]:
        """Genres that any vote names, in the order of the vocabulary."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT name FROM genres WHERE id IN (SELECT genre_id FROM votes UNION SELECT genre_id FROM playlist_genres) "
                "ORDER BY position IS NULL, position, name COLLATE NOCASE"
            ).fetchall()
        return [row["name"] for row in rows]

    def counts(self, fingerprint: str) -> dict[str, int]:
        """How much there is: tracks, playlists, with_sound, labelled, genres, artists, ready, failed."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT (SELECT count(*) FROM tracks) tracks, "
                "(SELECT count(*) FROM playlists WHERE source <> 'folder') playlists, "
                "(SELECT count(*) FROM audio_files) with_sound, "
                "(SELECT count(DISTINCT track_id) FROM track_votes) labelled, "
                "(SELECT count(DISTINCT genre_id) FROM track_votes) genres, "
                "(SELECT count(*) FROM spectrograms WHERE fingerprint = :f AND state = 'done') ready, "
                "(SELECT count(*) FROM spectrograms WHERE fingerprint = :f AND state = 'failed') failed",
                {"f": fingerprint},
            ).fetchone()
            named = db.execute("SELECT DISTINCT artist FROM tracks").fetchall()
        return {**row, "artists": len({main_artist([name["artist"]]) for name in named} - {""})}

    # -- what a person decides -------------------------------------------------------------------------------------

    def label_by_hand(self, track_ids: Sequence[int], genres: dict[str, float], *, who: str) -> None:
        """Give tracks these genres (with weights); earlier hand votes on them are replaced. One edit, undoable."""
        genres = checked_weights(genres)
        if not track_ids or not genres:
            raise LibraryError("Choose at least one track and one genre.")
        told = f"{' + '.join(genres)} for {len(track_ids)} track{'s' * (len(track_ids) > 1)}"
        with editing(self._database, told) as db:
            vote_by_hand(db, track_ids, genres, who=who)

    def set_aside(self, track_ids: Sequence[int]) -> None:
        """Just these tracks are not learned from (none: all are). One edit, undoable.

        Those that are no music, the wrong song, or a second sound of another (see `label_reviews`) stay aside.
        """
        n = len(track_ids)
        told = f"set {n:,} track{'s' * (n != 1)} aside" if n else "no track is set aside"
        with editing(self._database, told) as db:
            asked = _known(db, track_ids)
            db.execute(
                "UPDATE tracks SET set_aside = NOT set_aside "
                "WHERE set_aside <> (id IN (SELECT value FROM json_each(?))) AND NOT (set_aside AND id IN "
                "(SELECT track_id FROM label_reviews WHERE decision IN ('not music', 'wrong song', 'duplicate')))",
                (asked,),
            )

    # -- votes from a genre service --------------------------------------------------------------------------------

    def not_looked_up(self) -> list[tuple[int, ListedTrack]]:
        """Tracks that no genre service was asked about yet, with their ids."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT id, title, artist, album, duration_s, isrc FROM tracks "
                "WHERE NOT EXISTS (SELECT 1 FROM genre_lookups WHERE track_id = tracks.id) ORDER BY id"
            ).fetchall()
        return [(row["id"], catalogue.as_listed(row)) for row in rows]

    def count_not_looked_up(self) -> int:
        """How many tracks `not_looked_up` gives."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT (SELECT count(*) FROM tracks) - (SELECT count(*) FROM genre_lookups)"  # one of each track at most
            ).fetchone()
        return int(row[0])

    def looked_up(self, track_id: int, votes: Sequence[Vote], found: str) -> None:
        """What a genre service said of a track (`found`: JSON): its votes, none for nothing.

        A track that was removed meanwhile is passed over.
        """
        with self._database.write() as db:
            if not db.execute("SELECT 1 FROM tracks WHERE id = ?", (track_id,)).fetchone():
                return
            names = Names(db)
            weights: defaultdict[tuple[int, str, str], float] = defaultdict(float)
            for vote in votes:  # two of the service's genres may be one here
                weights[names.id_of(vote.genre), vote.source, vote.reference] += vote.weight
            for (genre_id, source, reference), weight in weights.items():
                db.execute(
                    "INSERT OR REPLACE INTO votes (track_id, genre_id, source, reference, weight, created_at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (track_id, genre_id, source, reference, weight, now()),
                )
            db.execute("INSERT OR REPLACE INTO genre_lookups VALUES (?, ?, ?)", (track_id, found, now()))


def _is_there(db: sqlite3.Connection, todo: AudioToDo) -> bool:
    """Whether a file is still in the library: a decision may have been undone, or its track removed, while a job was at it."""
    return bool(
        db.execute("SELECT 1 FROM audio_files WHERE id = ? AND sha256 = ?", (todo.audio_id, todo.sha256)).fetchone()
    )


def _playlist_id(db: sqlite3.Connection, source: str, reference: str, title: str) -> int:
    db.execute(
        "INSERT OR IGNORE INTO playlists (id, source, reference, title, created_at) VALUES (?, ?, ?, ?, ?)",
        (free_id(db, "playlists"), source, reference, title, now()),
    )
    row = db.execute("SELECT id FROM playlists WHERE source = ? AND reference = ?", (source, reference)).fetchone()
    return int(row["id"])


def vote_by_hand(db: sqlite3.Connection, track_ids: Sequence[int], genres: dict[str, float], *, who: str) -> None:
    """Hand votes of tracks, in place of earlier ones. `genres` as `checked_weights` gives them."""
    names = Names(db)
    asked = _known(db, track_ids)
    db.execute("DELETE FROM votes WHERE source = 'hand' AND track_id IN (SELECT value FROM json_each(?))", (asked,))
    for track_id in track_ids:
        for genre, weight in genres.items():
            db.execute(
                "INSERT OR IGNORE INTO votes (track_id, genre_id, source, reference, weight, created_at) "
                "VALUES (?, ?, 'hand', ?, ?, ?)",
                (track_id, names.id_of(genre), who, weight, now()),
            )


def _known(db: sqlite3.Connection, track_ids: Sequence[int]) -> str:
    """These ids as a JSON list. `LibraryError` if one is of no track."""
    asked = json.dumps(list(track_ids))
    known = db.execute("SELECT count(*) FROM tracks WHERE id IN (SELECT value FROM json_each(?))", (asked,))
    if known.fetchone()[0] != len(set(track_ids)):
        raise LibraryError("Some of these tracks are not in the library any more. Load the page again.")
    return asked


def _add_file(db: sqlite3.Connection, file: FoundFile, job_id: int | None) -> int:
    """The track of a new audio file: one that is certainly the same and has no sound yet, else a new one."""
    artists = tuple(name for name in file.artist.split(catalogue.BETWEEN_ARTISTS) if name)
    listed = ListedTrack(file.title, artists, file.album, file.duration_s)
    found = catalogue.find(db, [listed])[0] if artists else None
    silent = found and not db.execute("SELECT 1 FROM audio_files WHERE track_id = ?", (found,)).fetchone()
    track_id = found if found and silent else catalogue.add_track(db, listed, job_id=job_id)
    db.execute(
        "INSERT INTO audio_files (track_id, sha256, packets_sha256, file_sha256, path, copied, container, codec, "
        "sample_rate, channels, duration_s, size_bytes, mtime_ns, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ok')",
        (
            track_id,
            file.sha256,
            file.packets_sha256,
            file.file_sha256,
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
    return track_id


def _relocate(db: sqlite3.Connection, file: FoundFile) -> None:
    """Note where a known recording lies now, and how its file looks."""
    db.execute(
        "UPDATE audio_files SET path = ?, size_bytes = ?, mtime_ns = ?, copied = ?, packets_sha256 = coalesce(?, packets_sha256), file_sha256 = ?, "
        "state = iif(state = 'missing', 'ok', state), reason = iif(state = 'missing', '', reason) WHERE sha256 = ?",
        (
            file.path,
            file.size_bytes,
            file.mtime_ns,
            file.copied,
            file.packets_sha256,
            file.file_sha256,
            file.sha256,
        ),
    )


def _rename(db: sqlite3.Connection, track_id: int, file: FoundFile) -> None:
    """Call a track what its file says now; not one that a list or an address names, nor one that is known by no name."""
    artists = tuple(name for name in file.artist.split(catalogue.BETWEEN_ARTISTS) if name)
    db.execute(
        "UPDATE tracks SET title = ?, artist = ?, album = ?, identity = ? WHERE id = ? AND isrc IS NULL AND identity <> ? "
        "AND NOT EXISTS (SELECT 1 FROM track_urls WHERE track_id = tracks.id) "
        "AND NOT EXISTS (SELECT 1 FROM playlist_tracks JOIN playlists ON playlists.id = playlist_id "
        "WHERE track_id = tracks.id AND source <> 'folder')",
        (file.title, file.artist, file.album, identity_key(artists, file.title), track_id, catalogue.NO_IDENTITY),
    )


def _add_votes(db: sqlite3.Connection, names: Names, track_id: int, votes: Iterable[Vote]) -> None:
    """Add votes; what the same folder, tag or table said of the track before, it says no longer."""
    with_ids = [(names.id_of(vote.genre), vote) for vote in votes]
    ids = json.dumps([genre_id for genre_id, _ in with_ids])
    for source, reference in {(vote.source, vote.reference) for _, vote in with_ids}:
        db.execute(
            "DELETE FROM votes WHERE track_id = ? AND source = ? AND reference = ? "
            "AND genre_id NOT IN (SELECT value FROM json_each(?))",
            (track_id, source, reference, ids),
        )
    for genre_id, vote in with_ids:
        db.execute(
            "INSERT OR IGNORE INTO votes (track_id, genre_id, source, reference, weight, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (track_id, genre_id, vote.source, vote.reference, vote.weight, now()),
        )


def votes_of(db: sqlite3.Connection, track_id: int | None) -> dict[int, list[Vote]]:
    """Votes by track: of one, or of all."""
    rows = db.execute(
        "SELECT track_id, name, source, weight, reference FROM track_votes JOIN genres ON genres.id = genre_id "
        "WHERE ? IS NULL OR track_id = ?",
        (track_id, track_id),
    )
    votes: dict[int, list[Vote]] = {}
    for of, genre, source, weight, reference in rows:
        votes.setdefault(of, []).append(Vote(genre, source, weight, reference))
    return votes
