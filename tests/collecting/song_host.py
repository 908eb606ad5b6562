"""A private collection on loopback: every song a file of its own, some of them with the faults of real hosts."""

import io
import threading
import wave
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tests.loopback import Answer, Asked

SECONDS, SAMPLE_RATE = 6, 8_000
WRONG_SECONDS = 30
FAULTS: Mapping[str, float] = {
    "gone": 0.05, "refused": 0.05, "limited": 0.05, "hanging": 0.02, "truncated": 0.02, "wrong": 0.01,
}  # fmt: skip
"""Shares of songs with a fault: 404, 403, once 429 with Retry-After, never an answer, a file cut off, another song."""


@lru_cache(maxsize=64)
def sound(number: int, seconds: int = SECONDS) -> bytes:
    """A song like no other: two tones of its own, as a WAV."""
    t = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    y = 0.4 * np.sin(2 * np.pi * (200 + number % 97) * t) + 0.3 * np.sin(2 * np.pi * (700 + number) * t)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((y * 20_000).astype("<i2").tobytes())
    return out.getvalue()


def faults_of(n_songs: int, *, seed: int = 0) -> list[str]:
    """A fault ('' for none) for each song, in the shares of `FAULTS`, at places drawn from `seed`."""
    drawn = [name for name, share in FAULTS.items() for _ in range(round(share * n_songs))]
    drawn += [""] * (n_songs - len(drawn))
    return [str(fault) for fault in np.random.default_rng(seed).permutation(drawn)]


@dataclass
class SongHost:
    """Answers `/N.wav` with song N, or with its fault. Remembers what it sent: whole songs, and bytes."""

    faults: Sequence[str]
    retry_after: str = "1"
    bytes_sent: Counter[int] = field(default_factory=Counter)
    asked: Counter[int] = field(default_factory=Counter)
    patience: threading.Event = field(default_factory=threading.Event)

    def __call__(self, asked: Asked) -> Answer:
        number = int(asked.path.strip("/").removesuffix(".wav"))
        fault = self.faults[number]
        self.asked[number] += 1
        if fault == "gone":
            return Answer(b"", 404)
        if fault == "refused":
            return Answer(b"", 403)
        if fault == "limited" and self.asked[number] == 1:
            return Answer(b"", 429, {"Retry-After": self.retry_after})
        if fault == "hanging":
            self.patience.wait(120)
            return Answer(cut=True)
        data = sound(number, WRONG_SECONDS if fault == "wrong" else SECONDS)
        if fault == "truncated":
            data = data[: len(data) // 2]
        return self._part(number, data, asked)

    def _part(self, number: int, data: bytes, asked: Asked) -> Answer:
        """All of a file, or what is missing of it."""
        kind = {"Content-Type": "audio/wav", "ETag": f'"{number}"', "Accept-Ranges": "bytes"}
        wanted = {name.lower(): value for name, value in asked.headers.items()}.get("range", "")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if start >= len(data):
            return Answer(b"", 416, {"Content-Range": f"bytes */{len(data)}"})
        body = data[start:]
        if asked.method != "HEAD":
            self.bytes_sent[number] += len(body)
        if not wanted:
            return Answer(body, 200, kind)
        return Answer(body, 206, kind | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def listed(self, url: str) -> str:
        """All songs as an M3U."""
        lines = ["#EXTM3U", "#PLAYLIST:Private"]
        for number in range(len(self.faults)):
            lines += [f"#EXTINF:{SECONDS},Artist {number % 50} - Song number {number}", f"{url}/{number}.wav"]
        return "\n".join(lines) + "\n"
