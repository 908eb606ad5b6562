"""Preprocessing a folder on a Dask cluster of two single-threaded workers on loopback, against one of one worker."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import distributed  # noqa: F401 - without it there is nothing to measure, and the reason is told

from benchmarks.bench_preprocess import Rounds, chosen
from benchmarks.timing import Row, at_least, compare
from tests.cluster import running

NUMBER = 13
EVERY = 4


def measure(songs: Path) -> list[Row]:
    made: dict[int, Path] = {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as clusters:
        rounds = Rounds(Path(scratch), chosen(Path(scratch), songs, every=EVERY))
        schedulers = {}
        for workers in (2, 1):  # both are up all the time: who waits takes nothing
            folder = Path(scratch) / f"cluster-{workers}"
            folder.mkdir()
            schedulers[workers] = clusters.enter_context(running(folder, workers=workers))

        def make(workers: int) -> None:
            made[workers] = rounds.make(dask_scheduler=schedulers[workers])

        two_s, one_s, ratio = compare(lambda: make(2), lambda: make(1))
        two, one = (_bytes(made[workers]) for workers in (2, 1))
    same = two == one
    told = f"{two_s:.1f} s; {len(two)} files, {'the same bytes' if same else 'NOT the same bytes'}"
    claim = f"preprocessing {rounds.audio_s / 60:.0f} minutes of songs, 2 Dask workers, times as quick as one"
    ratio, reach, held = at_least(1 / ratio, 1.5)
    return [Row(NUMBER, claim, told, f"1 worker {one_s:.1f} s", ratio, f"{reach}, same bytes", held and same)]


def _bytes(folder: Path) -> dict[str, bytes]:
    """All files of a workspace's store, by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.npy")}
