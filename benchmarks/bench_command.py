"""`python -m core predict FILE --json` from a standing start: time, memory, and what it does without."""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import children, samples
from benchmarks.imports import imports
from benchmarks.timing import REPEATS, Row, within

NUMBER = 9
SECONDS = 60.0 * samples.MINUTES
HEAVY = {"torch", "librosa", "scipy"}


def measure(songs: Path) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        path = samples.song(Path(scratch), songs, ".mp3", seconds=SECONDS)
        env = {"GENRESCOPE_HOME": str(Path(scratch) / "home")}
        command = ["-m", "core", "predict", str(path), "--json"]
        children.run([sys.executable, *command], env=env)  # compiles what was never imported
        runs = [children.run([sys.executable, *command], env=env) for _ in range(REPEATS)]
        told = imports(children.run([sys.executable, "-X", "importtime", *command], env=env).errors)
    wall_s, peak_mb = (statistics.median(getattr(run, name) for run in runs) for name in ("wall_s", "peak_mb"))
    heavy = sorted({one.name.partition(".")[0] for one in told} & HEAVY)
    claim = f"`python -m core predict FILE --json` of {SECONDS / 60:g} minutes of mp3, a fresh process"
    return [
        Row(NUMBER, f"{claim}: time", f"{wall_s:.2f} s", "", *within(wall_s, 3.0, "s")),
        Row(NUMBER, f"{claim}: peak memory", f"{peak_mb:.0f} MB", "", *within(peak_mb, 350, "MB")),
        Row(
            NUMBER,
            f"{claim}: imports",
            f"{len(told)} modules; of {', '.join(sorted(HEAVY))}: {', '.join(heavy) or 'none'}",
            "",
            None,
            "none of these",
            bool(told) and not heavy,
        ),
    ]
