"""A training step of the default network, batch 64, as it is (channels last), against the usual memory layout."""

import numpy as np
import torch
from torch.nn import functional

from benchmarks.timing import compare
from core.learning.residual import LeanResNet


def measure(songs: object) -> list[tuple[str, str, str, float]]:
    torch.manual_seed(0)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 1, 128, 256)).astype(np.float32))
    targets = torch.nn.functional.one_hot(torch.arange(64) % 4, 4).float()

    def stepper(memory_format: torch.memory_format) -> object:
        network = LeanResNet(4, n_mels=128, crop_frames=256).to(memory_format=memory_format)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(network.parameters())
        batch = x.contiguous(memory_format=memory_format)

        def step() -> None:
            optimizer.zero_grad()
            functional.cross_entropy(network.classify(network.features(batch)), targets).backward()
            optimizer.step()

        return step

    ours_s, reference_s, ratio = compare(stepper(torch.channels_last), stepper(torch.contiguous_format))  # type: ignore[arg-type]
    return [
        (
            "a training step, batch 64 of 128 x 256, 2 cores",
            f"{ours_s * 1000:.0f} ms ({64 / ours_s:.0f} crops a second)",
            f"usual layout {reference_s * 1000:.0f} ms",
            ratio,
        )
    ]
