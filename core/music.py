"""The nouns of music that rooms pass to each other: frozen, and they call nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

ListKind = Literal["csv", "m3u", "xspf", "text"]
LISTS: tuple[ListKind, ...] = get_args(ListKind)
"""Sources of playlists that are files or lines: one may come from several places, or from none that lasts."""

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Vote:
    """One genre said of a track, by one source.

    `source` is `folder`, `tag`, `csv`, `playlist`, `musicbrainz` or `hand`; `reference` says which folder, file,
    playlist, recording or person.
    """

    genre: str
    source: str
    weight: float = 1.0
    reference: str = ""


@dataclass(frozen=True)
class GenreDistribution:
    """A resolved label: a weight for each genre, positive, summing to 1, strongest first."""

    weights: tuple[tuple[str, float], ...]

    @property
    def top(self) -> str:
        """The genre with the largest weight (of equals, the first by name)."""
        return self.weights[0][0]

    def vector(self, genres: tuple[str, ...]) -> FloatArray:
        """Weights in the order of `genres`, (n_genres,) float32; genres not in the label are 0."""
        given = dict(self.weights)
        return np.array([given.get(genre, 0.0) for genre in genres], np.float32)


@dataclass(frozen=True)
class Song:
    """A track that can be learned from: its label and its spectrogram file (named by the audio's SHA-256).

    `duration_s` is what decoding gave; `n_frames` the length of the spectrogram.
    """

    track_id: int
    title: str
    artist: str
    duration_s: float
    sha256: str
    n_frames: int
    label: GenreDistribution


@dataclass(frozen=True)
class ListedTrack:
    """A track as a playlist lists it; what the source does not tell is empty or None.

    `source_id` is the source's own id of the track, `url` where it can be heard or fetched. `isrc` (International
    Standard Recording Code) is upper case without hyphens.
    """

    title: str
    artists: tuple[str, ...]
    album: str = ""
    duration_s: float | None = None
    isrc: str | None = None
    source_id: str = ""
    url: str = ""


@dataclass(frozen=True)
class Playlist:
    """A playlist with its tracks, as its source gave it. (`source`, `reference`) is its identity, for good.

    `skipped` counts rows that are no tracks, by reason, such as `{"podcast": 2}`. `n_listed` is the number of tracks
    the source tells, where only some were asked for; None if it does not tell. `encoding` is the text encoding that was
    guessed for a file that is not UTF-8 (a key of `text_encoding.NAMES`).
    """

    source: str
    reference: str
    title: str
    tracks: tuple[ListedTrack, ...]
    owner: str = ""
    url: str = ""
    skipped: Mapping[str, int] = field(default_factory=dict)
    n_listed: int | None = None
    encoding: str = ""


@dataclass(frozen=True)
class PlaylistHit:
    """A playlist that a search found; its tracks are not read yet."""

    source: str
    reference: str
    title: str
    owner: str = ""
    url: str = ""
    n_tracks: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A recording that may be the sound of a track, as a search lists it; what it does not tell is empty or None.

    `url` is where it can be fetched. `channel` put it there; `artists` are those it credits. `is_song` is True for a
    release in a catalogue of music, False for a video, None if not told. `has_isrc`: a search for the track's ISRC gave
    it.
    """

    url: str
    source_id: str
    title: str
    channel: str = ""
    artists: tuple[str, ...] = ()
    album: str = ""
    duration_s: float | None = None
    views: int | None = None
    is_song: bool | None = None
    has_isrc: bool = False
