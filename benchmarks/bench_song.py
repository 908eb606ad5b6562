"""From a song's file to its spectrogram file, on one core, against FFmpeg's own program decoding and resampling it."""

import tempfile
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks import samples
from benchmarks.timing import Row, at_most, compare, processor_s
from core.audio.codes import codes_of
from core.audio.store import SpectrogramStore
from core.recipes import SpectrogramRecipe

NUMBER = 1
LIMITS = {".mp3": 1.5, ".m4a": 1.4, ".webm": 1.2, ".flac": 1.2}
NAMES = {".mp3": "mp3", ".m4a": "m4a/AAC", ".webm": "webm/Opus", ".flac": "flac"}
SECONDS = 60.0 * samples.MINUTES


def measure(songs: Path) -> list[Row]:
    recipe = SpectrogramRecipe()
    rows = []
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        store = SpectrogramStore(Path(scratch), recipe.fingerprint)
        for suffix, limit in LIMITS.items():
            path = samples.song(Path(scratch), songs, suffix, seconds=SECONDS)

            def ours(path: Path = path) -> None:
                codes, _ = codes_of(path, recipe)
                store.write("0" * 64, codes)

            claim = (
                f"{SECONDS / 60:g} minutes of stereo {NAMES[suffix]} to a spectrogram file, processor time of one core"
            )
            command = samples.ffmpeg(path)
            if command is None:
                ours_s, *_ = compare(ours, lambda: None, clock=processor_s)
                rows.append(Row(NUMBER, claim, f"{ours_s:.2f} s", samples.NO_FFMPEG, None, f"at most {limit:g}", None))
                continue
            ours_s, reference_s, ratio = compare(
                ours, lambda command=command: samples.run_ffmpeg(command), clock=processor_s
            )
            told = f"ffmpeg, decode and resample: {reference_s:.2f} s"
            rows.append(Row(NUMBER, claim, f"{ours_s:.2f} s", told, *at_most(ratio, limit)))
    return rows
