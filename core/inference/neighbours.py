"""Neighbours: the songs of a library that sound most like a song, or like a stretch of one, to a network. Pure.

The recommendation of Elbir & Aydin (2020, "Music genre classification and music recommendation by using deep learning"):
by the features of a network that learned genres.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.library.identity import shared_artist_keys
from core.library.names import artist_keys
from core.music import FloatArray

if TYPE_CHECKING:
    from core.library.store import TrackRow


@dataclass(frozen=True)
class Neighbour:
    """A song, and how alike it is: the cosine of the angle between embeddings, in [-1, 1]."""

    track_id: int
    likeness: float


@dataclass(frozen=True)
class Similar:
    """A neighbour with its names; `label` is its strongest genre, or empty."""

    track_id: int
    artist: str
    title: str
    label: str
    path: str
    likeness: float


class Neighbourhood:
    """Songs by their embeddings, to be asked which are nearest."""

    def __init__(self, track_ids: Sequence[int], vectors: FloatArray) -> None:
        """`vectors` (n_songs, n_dimensions) of `track_ids`."""
        self._track_ids = np.asarray(track_ids, np.int64)
        self._directions = _directions(vectors)

    def __len__(self) -> int:
        """How many songs there are."""
        return len(self._track_ids)

    def ranked(self, embedding: FloatArray) -> Iterator[Neighbour]:
        """All songs, those most like `embedding`, (n_dimensions,), first; of equals the first by track id."""
        if not len(self):
            return
        likeness = np.clip(self._directions @ _directions(embedding[None])[0], -1, 1)
        for place in np.lexsort((self._track_ids, -likeness)):
            yield Neighbour(int(self._track_ids[place]), float(likeness[place]))


def similar(
    neighbourhood: Neighbourhood,
    tracks: "Mapping[int, TrackRow]",
    embedding: FloatArray,
    *,
    n: int = 10,
    sha256: str = "",
    not_by: str = "",
) -> list[Similar]:
    """The `n` tracks most like `embedding`; without the recording `sha256`, without songs by the artists `not_by`.

    `sha256` is its key, or the SHA-256 of its audio packets.

    Tracks that are set aside are left out.
    """
    names = artist_keys(not_by)
    found: list[Similar] = []
    for neighbour in neighbourhood.ranked(embedding):
        if len(found) == n:
            break
        track = tracks.get(neighbour.track_id)
        if track is None or track.set_aside or (names and names & shared_artist_keys(track.artist, track.title)):
            continue
        if sha256 and sha256 in (track.sha256, track.packets_sha256):
            continue
        label = track.label.top if track.label else ""
        found.append(Similar(track.id, track.artist, track.title, label, track.path, neighbour.likeness))
    return found


def _directions(vectors: FloatArray) -> FloatArray:
    """Vectors (n, n_dimensions) of length 1; what has no length has no direction, and is like nothing."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
