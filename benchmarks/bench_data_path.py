"""A training step whose crops are read from spectrogram files, against the same step on a batch that is in memory."""

import tempfile
from itertools import count
from pathlib import Path

import torch

from benchmarks import made_up
from benchmarks.timing import Row, at_most, compare
from core.music import CodeArray, FloatArray

NUMBER = 5
SONGS = 1000
"""More than the store holds open at once, so most crops open a file."""
REPEATS = 25
"""The difference is small beside how much single steps differ."""


def measure(songs: Path) -> list[Row]:
    known = made_up.songs(SONGS)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in made_up.write(Path(scratch), known):
            pass
        trainer = made_up.trainer(Path(scratch), known, steps=1000)
        torch.use_deterministic_algorithms(True)  # as a training has it
        batches, numbers = made_up.batches(trainer), count()
        held = next(batches)

        def step(codes: CodeArray, targets: FloatArray) -> None:
            trainer._step(1, next(numbers), torch.from_numpy(codes), torch.from_numpy(targets))

        read_s, held_s, ratio = compare(lambda: step(*next(batches)), lambda: step(*held), repeats=REPEATS)
        trainer.store.close()
    claim = f"a training step with its crops from {SONGS:,} files, against the same step on crops in memory"
    return [Row(NUMBER, claim, f"{read_s * 1000:.0f} ms", f"{held_s * 1000:.0f} ms", *at_most(ratio, 1.03))]
