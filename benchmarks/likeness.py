"""Is the same recording known again? Real songs, encoded, quietened and trimmed, beside pairs of different songs.

`python -m benchmarks.likeness [songs]`; about five seconds a song.
"""

import csv
import io
import sys
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from core.audio import waveform
from core.audio.likeness import NEIGHBOURS, SAME, likeness, outline, signature
from core.audio.spectrogram import log_mel, quantise
from core.music import CodeArray
from core.recipes import SpectrogramRecipe

SONGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "songs"
RECIPE = SpectrogramRecipe()
RATE = 48_000
Sound = npt.NDArray[np.float32]

VARIANTS = {
    "mp3, 64 kbit/s": ("mp3", "libmp3lame", 64_000, 1.0, 0.0, 0.0),
    "Opus, 48 kbit/s": ("ogg", "libopus", 48_000, 1.0, 0.0, 0.0),
    "AAC, 64 kbit/s": ("adts", "aac", 64_000, 1.0, 0.0, 0.0),
    "6 dB softer": ("ogg", "libopus", 96_000, 0.5, 0.0, 0.0),
    "3 s cut off its beginning": ("mp3", "libmp3lame", 128_000, 1.0, 3.011, 0.0),
    "10 s cut off its beginning": ("mp3", "libmp3lame", 128_000, 1.0, 9.987, 0.0),
    "cut at both ends, 4 dB louder": ("adts", "aac", 64_000, 1.6, 1.234, 3.0),
}
"""Container, codec, bits a second, gain, seconds cut off the beginning and the end."""


def main(n_songs: int) -> None:
    """Measure and print."""
    with (SONGS / "songs.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:n_songs]]
    originals, found = [], {name: [] for name in VARIANTS}  # type: ignore[var-annotated]
    for row in chosen:
        path = SONGS / row["path"]
        original, y = codes(path), decoded(path)
        originals.append(original)
        for name, variant in VARIANTS.items():
            other = codes(encoded(y, *variant))
            apart = np.abs(signature(original) - signature(other)).mean()
            found[name].append((likeness(outline(original), outline(other)), apart))
    outlines, signatures = [outline(one) for one in originals], np.stack([signature(one) for one in originals])
    print(f"{n_songs} songs; the same recording from {SAME} on, {NEIGHBOURS} neighbours compared")
    for name, pairs in found.items():
        likenesses = np.array([one for one, _ in pairs])
        known = (likenesses >= SAME).mean()
        print(f"{name:32s} known again {known:4.0%}  lowest {likenesses.min():.2f}  median {np.median(likenesses):.2f}"
              f"  signature off by {np.mean([one for _, one in pairs]):.2f} dB")  # fmt: skip
    different = [
        (likeness(outlines[i], outlines[j]), float(np.abs(signatures[i] - signatures[j]).mean()))
        for i in range(n_songs)
        for j in range(i)
        if (chosen[i]["artist"], chosen[i]["title"]) != (chosen[j]["artist"], chosen[j]["title"])
    ]
    values = np.array([one for one, _ in different])
    print(f"{len(values)} pairs of different songs: taken for one {(values >= SAME).mean():.2%}, highest {values.max():.2f}"
          f", median {np.median(values):.2f}; signatures apart {np.median([one for _, one in different]):.2f} dB")  # fmt: skip


def codes(source: Path | io.BytesIO) -> CodeArray:
    """The spectrogram of a sound."""
    return quantise(log_mel(waveform.load(source), RECIPE))


def decoded(path: Path) -> Sound:
    """(2, n_samples) at RATE, as it is in the file."""
    pieces = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        for frame in container.decode(audio=0):
            pieces += [one.to_ndarray() for one in resampler.resample(frame)]
        pieces += [one.to_ndarray() for one in resampler.resample(None)]
    return np.concatenate(pieces, axis=1)


def encoded(
    y: Sound, container_format: str, codec: str, bits: int, gain: float, begin_s: float, end_s: float
) -> io.BytesIO:
    """`y` again, as one of VARIANTS."""
    y = np.clip(gain * y[:, int(begin_s * RATE) : y.shape[1] - int(end_s * RATE)], -1, 1)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo")
        stream.bit_rate = bits
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=RATE)
        for first in range(0, y.shape[1], RATE):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(y[:, first : first + RATE]), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = RATE, first
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    buffer.seek(0)
    return buffer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
