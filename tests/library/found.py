"""What searches found, and sounds that were fetched, made up for tests."""

import hashlib
from typing import Any

import numpy as np

from core.collecting import matching
from core.library.candidates import Found, Sound
from core.library.collection import Collection, Spectrogram
from core.music import Candidate
from core.recipes import SpectrogramRecipe

A, B, C = (f"https://www.youtube.com/watch?v=video00000{name}" for name in "abc")
FINGERPRINT = SpectrogramRecipe().fingerprint


def candidate(name: str, score: float | None, **changes: Any) -> Found:
    url = f"https://www.youtube.com/watch?v={name:0>11}"
    told = {"title": name, "channel": "A channel", "artists": ("An artist",), "duration_s": 200.5, "views": 7}
    return Found(Candidate(url, name, **(told | changes)), score, {"title": score or 0.0}, matching.VERSION)


def sound(name: str, *, duration_s: float = 201.25, size_bytes: int = 1000) -> Sound:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Sound(__file__, sha256, size_bytes, 5, "matroska", "opus", 48_000, 2, duration_s)


def spectrogram() -> Spectrogram:
    bands = np.arange(128, dtype=np.float32)
    return Spectrogram(FINGERPRINT, 100, bands, bands + 1)


def url(name: str) -> str:
    return candidate(name, 0.0).candidate.url


def ids(collection: Collection, **asked: Any) -> list[int]:
    return [one.track_id for one in collection.wanted(**asked)]


def stands(collection: Collection, track_id: int = 1) -> tuple[str, str]:
    standing = collection.standings()[track_id]
    return standing.state, standing.reason
