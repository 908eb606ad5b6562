"""Server time of every page per rerun, with 20,000 and with 200,000 tracks, against 200.

A page is run as Streamlit runs it, without a browser (`AppTest`): the first run reads the library, those after it are reruns
as a click makes them.
"""

import os
import tempfile
from pathlib import Path

from benchmarks import children
from benchmarks.reruns import rerun
from benchmarks.timing import Row

NUMBER = 11
FEW, SIZES = 200, {20_000: 150.0, 200_000: 300.0}
"""The library of reference; the others, and the most milliseconds that 95 in 100 reruns may take with them."""
RERUNS = 20
VIEWS: dict[str, tuple[str, ...]] = {
    "home": (),
    "playlists": (),
    "genres": ("Vocabulary", "Charts", "Several genres", "Balance", "Same song twice?", "MusicBrainz"),
    "collect": ("progress", "review", "problems", "collected"),
    "library": (),
    "explore": ("One song", "The whole library"),
    "label": ("doubts", "twins"),
    "train": (),
    "evaluate": ("report", "confusion", "compare"),
    "predict": (),
    "map": ("fine", "quick"),
}


def measure(songs: Path) -> list[Row]:
    os.environ["STREAMLIT_LOGGER_LEVEL"] = "error"
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        sizes = {n: _filled(Path(scratch) / str(n), n) for n in (FEW, *SIZES)}
        for page, views in VIEWS.items():
            for view in views or (None,):
                rows += _rows(Path(scratch), page, view, sizes)
    return sorted(rows, key=lambda row: row.reach)  # the smaller library first


def _filled(home: Path, n: int) -> int:
    """A library of about `n` tracks; how many they are. In a process of its own, for it needs what pages do not."""
    return int(children.call("benchmarks.filled:fill", str(home), n).answer)


def _rows(scratch: Path, page: str, view: str | None, sizes: dict[int, int]) -> list[Row]:
    """A page in all sizes, side by side."""
    rows = []
    few = None
    for size, limit in SIZES.items():
        claim = f"rerun of the page {page}{f', {view}' if view else ''} with {sizes[size]:,} tracks"
        reach = f"95 in 100 at most {limit:g} ms"
        try:
            few = few or rerun(scratch / str(FEW), page, view, reruns=RERUNS)
            many = rerun(scratch / str(size), page, view, reruns=RERUNS)
        except RuntimeError as error:  # this page breaks down; the others are measured
            rows.append(Row(NUMBER, claim, f"could not be measured: {error}", "", None, reach, None))
            continue
        told = f"median {many.median:.0f} ms, 95th percentile {many.p95:.0f} ms (first run {many.first:.0f} ms)"
        ratio = many.median / few.median
        reference = f"{FEW} tracks: median {few.median:.0f} ms"
        rows.append(Row(NUMBER, claim, told, reference, ratio, reach, many.p95 <= limit))
    return rows
