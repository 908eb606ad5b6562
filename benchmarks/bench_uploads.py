"""A hundred uploads in one drop, against a hundred one after another; and the memory of both."""

import tempfile
from collections import deque
from io import BytesIO
from pathlib import Path

from benchmarks import children, samples
from benchmarks.bench_upload import APART, STARTER
from benchmarks.timing import Row, at_most, compare
from core.inference.prediction import Prediction, predict, predict_each
from core.learning import model

NUMBER = 10
UPLOADS, DISTINCT, SECONDS = 100, 20, 30.0


def measure(songs: Path) -> list[Row]:
    loaded = model.load(STARTER)
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(DISTINCT):
            samples.song(Path(scratch), songs, ".mp3", seconds=SECONDS, begin=number)
        data = uploads(scratch)

        def each() -> None:
            for answer in predict_each(map(BytesIO, data), loaded, decode=APART):
                if not isinstance(answer, Prediction):
                    raise answer

        def one_by_one() -> None:
            for one in data:
                predict(BytesIO(one), loaded, decode=APART)

        each_s, one_s, ratio = compare(each, one_by_one)
        peaks = [
            children.call(f"benchmarks.bench_uploads:{name}", scratch).peak_mb for name in ("in_one_drop", "in_turn")
        ]
    claim = f"{UPLOADS} uploads of {SECONDS:g} s in one drop"
    return [
        Row(NUMBER, claim, f"{each_s:.1f} s", f"one after another {one_s:.1f} s", *at_most(ratio, 0.7)),
        Row(
            NUMBER,
            f"{claim}: peak memory of the process",
            f"{peaks[0]:.0f} MB",
            f"one after another {peaks[1]:.0f} MB",
            peaks[0] / peaks[1],
            "",
            None,
        ),
    ]


def uploads(folder: str) -> list[bytes]:
    """What is dropped: the songs of a folder, again and again."""
    files = [path.read_bytes() for path in sorted(Path(folder).glob("*.mp3"))]
    return [files[number % len(files)] for number in range(UPLOADS)]


def in_one_drop(folder: str) -> None:
    """All of them, for the memory that takes."""
    deque(predict_each(map(BytesIO, uploads(folder)), model.load(STARTER), decode=APART), maxlen=0)


def in_turn(folder: str) -> None:
    """The same songs one by one."""
    loaded = model.load(STARTER)
    for data in uploads(folder):
        predict(BytesIO(data), loaded, decode=APART)
