"""Training crops a second of the default network, against the predecessor's deeper network as it was published."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks import made_up
from benchmarks.timing import Row, at_least, compare
from core.learning.musicrecnet import DeepMusicRecNet

NUMBER = 4
BATCH, PREDECESSOR_FRAMES = 64, 128
SONGS = 200


def measure(songs: Path) -> list[Row]:
    known = made_up.songs(SONGS)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in made_up.write(Path(scratch), known):
            pass
        trainer = made_up.trainer(Path(scratch), known, steps=1000)
        batches, numbers = made_up.batches(trainer), count()

        def ours() -> None:
            torch.use_deterministic_algorithms(True)  # as a training has it
            codes, targets = next(batches)
            trainer._step(1, next(numbers), torch.from_numpy(codes), torch.from_numpy(targets))

        ours_s, reference_s, ratio = compare(ours, predecessor())
        trainer.store.close()
    frames = trainer.recipe.crop_frames
    return [
        Row(
            NUMBER,
            f"training crops a second, batch {BATCH}, whole steps, times as many as the predecessor's deeper network",
            f"{BATCH / ours_s:.0f} crops of {frames} frames a second ({ours_s * 1000:.0f} ms a step)",
            f"{BATCH / reference_s:.0f} crops of {PREDECESSOR_FRAMES} frames ({reference_s * 1000:.0f} ms a step)",
            *at_least(1 / ratio, 10),
        )
    ]


def predecessor() -> Callable[[], None]:
    """A step of the predecessor: its network, the usual layout in memory, a batch that is there, and no augmentation."""
    torch.manual_seed(0)
    network = DeepMusicRecNet(20, n_mels=128, crop_frames=PREDECESSOR_FRAMES)
    optimizer = torch.optim.Adam(network.parameters())
    shape = (BATCH, 1, 128, PREDECESSOR_FRAMES)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    targets = functional.one_hot(torch.arange(BATCH) % 20, 20).float()

    def step() -> None:
        torch.use_deterministic_algorithms(False)
        optimizer.zero_grad()
        functional.cross_entropy(network.classify(network.features(x)), targets).backward()
        optimizer.step()

    return step
