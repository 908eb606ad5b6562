"""Tracks, and answers about them, made up for tests."""

from typing import Any

import numpy as np

from core.library.evaluations import EvaluatedSong
from core.library.store import TrackRow
from core.music import FloatArray, GenreDistribution

GENRES = ("jazz", "rock", "techno")


def track(number: int, label: dict[str, float] | None, **changes: Any) -> TrackRow:
    """A song with sound and spectrogram; its SHA-256 is its number."""
    told: dict[str, Any] = {
        "id": number, "title": f"Song {number}", "artist": f"Artist {number}", "album": "", "duration_s": 100.0,
        "isrc": None, "path": f"/music/{number}.mp3", "sha256": f"{number:064d}", "codec": "mp3", "sample_rate": 44100,
        "set_aside": False, "votes": (), "state": "ready", "reason": "", "has_sound": True,
        "label": GenreDistribution(tuple(label.items())) if label else None,
    }  # fmt: skip
    return TrackRow(**{**told, **changes})


def shares(**given: float) -> FloatArray:
    """(n_genres,): these shares of `GENRES`."""
    return np.array([given.get(genre, 0.0) for genre in GENRES], np.float32)


def answer(number: int, truth: FloatArray, spectrum: FloatArray) -> EvaluatedSong:
    """What a machine answered about the song of this number, and the label it had."""
    return EvaluatedSong(f"{number:064d}", f"/music/{number}.mp3", f"Song {number}", "A", 0, truth, spectrum)
