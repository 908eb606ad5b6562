"""Sound to measure with: real songs where they are, put end to end to the wanted length; made-up ones elsewhere."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from tests.sounds import drone, hiss, write_sound

Sound = npt.NDArray[np.float32]
MINUTES = 4
"""Length of a song."""


def stereo(songs: Path, seconds: float, *, sample_rate: int = 44_100, begin: int = 0) -> Sound:
    """Y, (2, n_samples): real songs one after another, from the `begin`-th on, or a made-up one."""
    wanted = int(seconds * sample_rate)
    pieces: list[Sound] = []
    for path in _files(songs)[begin:]:
        for piece in _decoded(path, sample_rate):
            pieces.append(piece)
            if sum(one.shape[1] for one in pieces) >= wanted:
                return np.concatenate(pieces, axis=1)[:, :wanted]
    rng = np.random.default_rng(begin)
    left, right = (make(rng, seconds, sample_rate) for make in (drone, hiss))
    return np.stack([0.7 * left + 0.3 * right, 0.3 * left + 0.7 * right]).astype(np.float32)


def song(folder: Path, songs: Path, suffix: str, *, seconds: float = 60 * MINUTES, begin: int = 0) -> Path:
    """A stereo song in `folder`, encoded as its ending says, at the sample rate that is usual for it."""
    sample_rate = 48_000 if suffix == ".webm" else 44_100
    y = stereo(songs, seconds, sample_rate=sample_rate, begin=begin)
    return write_sound(folder / f"song-{begin}{suffix}", y, sample_rate=sample_rate)


def ffmpeg(path: Path) -> list[str] | None:
    """The command that decodes a file to mono at 16,000 Hz with one thread, to nowhere; None without ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    told = f"-v error -threads 1 -i FILE -vn -ac 1 -ar 16000 -f s16le -y {os.devnull}".split()
    return [program, *(str(path) if word == "FILE" else word for word in told)]


NO_FFMPEG = "ffmpeg is not on this machine"


def run_ffmpeg(command: list[str]) -> None:
    """Run what `ffmpeg` gave, to its end."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _files(songs: Path) -> list[Path]:
    """Real songs, of all genres in turn."""
    by_genre = (
        [sorted(folder.iterdir()) for folder in sorted(songs.iterdir()) if folder.is_dir()] if songs.is_dir() else []
    )
    return [path for paths in zip(*by_genre, strict=False) for path in paths]


def _decoded(path: Path, sample_rate: int) -> Iterator[Sound]:
    """Pieces (2, n) of a file."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=sample_rate)
        for frame in container.decode(audio=0):
            frame.pts = None
            for piece in resampler.resample(frame):
                yield piece.to_ndarray()
