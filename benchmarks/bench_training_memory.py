"""Memory of a training on 20,000 songs, against one on 200. Each in a process of its own; 2.4 GB of scratch files."""

import os
import tempfile
from pathlib import Path

from benchmarks import children, made_up
from benchmarks.timing import Row

NUMBER = 6
MANY, FEW = 20_000, 200
STEPS = 60
MOST_MB, MOST_FILES = 300, 400


def measure(songs: Path) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        for _ in made_up.write(Path(scratch), made_up.songs(MANY)):
            pass
        many, few = (
            children.call("benchmarks.bench_training_memory:train", scratch, n, STEPS).answer for n in (MANY, FEW)
        )
    more_mb = many["unique_mb"] - few["unique_mb"]
    return [
        Row(
            NUMBER,
            f"memory of a training on {MANY:,} songs (unique set size after {STEPS} steps), and open files",
            f"{many['unique_mb']:.0f} MB ({more_mb:+.0f} MB), {many['files']} files open",
            f"{FEW} songs {few['unique_mb']:.0f} MB, {few['files']} files open",
            many["unique_mb"] / few["unique_mb"],
            f"at most {MOST_MB} MB more, {MOST_FILES} files",
            more_mb <= MOST_MB and many["files"] <= MOST_FILES,
        )
    ]


def train(root: str, n: int, steps: int) -> dict[str, float]:
    """Train some steps on `n` songs whose files are there: `unique_mb` and `files` open, as the kernel tells them."""
    import torch

    torch.use_deterministic_algorithms(True)
    trainer = made_up.trainer(Path(root), made_up.songs(n), steps=steps)
    batches = made_up.batches(trainer)
    for step in range(steps):
        codes, targets = next(batches)
        trainer._step(1, step, torch.from_numpy(codes), torch.from_numpy(targets))
    told = dict(
        line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:] if ":" in line
    )
    unique_kb = sum(int(told[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))
    return {"unique_mb": unique_kb * 1024 / 1e6, "files": len(os.listdir("/proc/self/fd"))}  # noqa: PTH208
