"""Which songs of 20,000 sound most like one: time to answer, artists left out, as the page asks it.

The reference is a library of 1,000.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.timing import Row, compare
from core.inference.neighbours import Neighbourhood, similar
from core.library.store import TrackRow
from core.music import GenreDistribution

NUMBER = 0
N_DIMENSIONS = 32


def measure(songs: Path) -> list[Row]:
    large, small, ratio = compare(_asking(20_000), _asking(1_000), repeats=15)
    what = "the 10 songs of 20,000 most like one, its artist left out"
    return [Row(NUMBER, what, f"{large * 1000:.1f} ms", f"1,000 songs {small * 1000:.1f} ms", ratio, "", None)]


def _asking(n_songs: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n_songs, N_DIMENSIONS)).astype(np.float32)
    label = GenreDistribution((("jazz", 1.0),))
    tracks = {
        number: TrackRow(
            number, "A title", f"Artist {number % 2000}; Guest {number % 7}", "", 200.0, None, "", f"{number:064d}", "mp3",
            44_100, False, (), label, "ready", "", True,
        )
        for number in range(n_songs)
    }  # fmt: skip
    known = Neighbourhood(range(n_songs), vectors)
    return lambda: similar(known, tracks, vectors[7], sha256=tracks[7].sha256, not_by="Artist 7")
