"""From an upload of four minutes, in memory, to its spectrum, with the model that comes along, loaded."""

import tempfile
from functools import partial
from io import BytesIO
from pathlib import Path

from benchmarks import samples
from benchmarks.timing import Row, at_most, compare, median_seconds, processor_s, within
from core.inference import apart
from core.inference.prediction import predict
from core.jobs.compute import Limits
from core.learning import model
from core.settings import PROJECT, Settings

NUMBER = 8
SECONDS = 60.0 * samples.MINUTES
STARTER = PROJECT / "models" / "genrescope-starter"
APART = partial(apart.codes_of, limits=Limits.of(Settings()), keep=True)
"""Decoded in a process of its own, as the app does."""


def measure(songs: Path) -> list[Row]:
    loaded = model.load(STARTER)
    with tempfile.TemporaryDirectory() as scratch:
        path = samples.song(Path(scratch), songs, ".mp3", seconds=SECONDS)
        data = path.read_bytes()

        def ours() -> None:
            predict(BytesIO(data), loaded)

        wall_s = median_seconds(lambda: predict(BytesIO(data), loaded, decode=APART))
        claim = f"an upload of {SECONDS / 60:g} minutes of mp3 to its spectrum"
        command = samples.ffmpeg(path)
        if command is None:
            ours_s, *_ = compare(ours, lambda: None, clock=processor_s)
            cost = Row(
                NUMBER, f"{claim}, processor time", f"{ours_s:.2f} s", samples.NO_FFMPEG, None, "at most 2.2", None
            )
        else:
            ours_s, reference_s, ratio = compare(ours, lambda: samples.run_ffmpeg(command), clock=processor_s)
            told = f"ffmpeg, decode and resample: {reference_s:.2f} s"
            cost = Row(NUMBER, f"{claim}, processor time", f"{ours_s:.2f} s", told, *at_most(ratio, 2.2))
    return [cost, Row(NUMBER, f"{claim}, on the clock", f"{wall_s:.2f} s", "", *within(wall_s, 1.0, "s"))]
