"""Where songs lie in the feature space of a model: the mean of their crops' embeddings, and places on a map. Speaks SQL."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.database import Database
from core.music import FloatArray


@dataclass(frozen=True)
class Embedded:
    """Songs that have an embedding: `track_ids` in rising order, `vectors` (n_songs, n_dimensions), `sha256s` of the sound."""

    track_ids: tuple[int, ...]
    sha256s: tuple[str, ...]
    vectors: FloatArray


class Embeddings:
    """Embeddings of a workspace by one network, named by the SHA-256 of its graph. Every method is one transaction."""

    def __init__(self, database: Database, network: str) -> None:
        """Those of `network` in `database`."""
        self._database, self._network = database, network

    def missing(self, fingerprint: str) -> list[tuple[int, str]]:
        """(audio id, SHA-256) of what has a spectrogram under the recipe and no embedding yet."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT audio_id, sha256 FROM spectrograms JOIN audio_files ON audio_files.id = audio_id "
                "WHERE fingerprint = ? AND spectrograms.state = 'done' "
                "AND audio_id NOT IN (SELECT audio_id FROM embeddings WHERE network = ?) ORDER BY audio_id",
                (fingerprint, self._network),
            ).fetchall()
        return [(row["audio_id"], row["sha256"]) for row in rows]

    def add(self, vectors: Iterable[tuple[int, FloatArray]]) -> None:
        """Keep embeddings (n_dimensions,) by audio id; those of sounds that were deleted meanwhile are dropped."""
        with self._database.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO embeddings SELECT ?, id, ? FROM audio_files WHERE id = ?",
                [(self._network, np.asarray(vector, "<f4").tobytes(), audio_id) for audio_id, vector in vectors],
            )

    def all(self) -> Embedded:
        """Of every track that has one; a track that is set aside too."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, sha256, vector, min(audio_id) FROM embeddings "  # a track with two sounds: the first
                "JOIN audio_files ON audio_files.id = audio_id WHERE network = ? GROUP BY track_id ORDER BY track_id",
                (self._network,),
            ).fetchall()
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), "<f4").reshape(len(rows), -1 if rows else 0)
        return Embedded(tuple(row["track_id"] for row in rows), tuple(row["sha256"] for row in rows), vectors)

    def put_on_map(self, places: FloatArray, track_ids: Iterable[int]) -> None:
        """Keep a map: `places` (n, 2) of tracks, which replaces the one before."""
        with self._database.write() as db:
            db.execute("DELETE FROM map_places WHERE network = ?", (self._network,))
            db.executemany(
                "INSERT INTO map_places SELECT network, min(audio_id), ?, ? FROM embeddings "
                "JOIN audio_files ON audio_files.id = audio_id WHERE network = ? AND track_id = ? GROUP BY track_id",
                [(float(x), float(y), self._network, track) for (x, y), track in zip(places, track_ids, strict=True)],
            )

    def map(self) -> dict[int, tuple[float, float]]:
        """The place of each track on the map that was kept; empty if none was."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT track_id, x, y FROM map_places JOIN audio_files ON audio_files.id = audio_id WHERE network = ?",
                (self._network,),
            ).fetchall()
        return {row["track_id"]: (row["x"], row["y"]) for row in rows}
