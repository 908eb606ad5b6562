"""The network of the encoder once more, in torch from the numbers alone: what the shipped ONNX file is compared with.

`python -m tests.encoder.rebuild` writes reference.json: the answers of this network, in double precision, to a made-up sound
whose patches librosa makes. Neither the ONNX graph nor the streaming front end has a part in it.
"""

import json
from pathlib import Path

import librosa
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn.functional import conv2d, pad

from core.encoder.encoder import GRAPH, SHIPPED

REFERENCE = Path(__file__).with_name("reference.json")
STARTS = 0, 187, 374


def made_up_sound() -> np.ndarray:
    """Nine seconds at 16,000 Hz: a beat, a sweep and a chord that grow louder; (n_samples,) float32."""
    t = np.arange(9 * 16_000) / 16_000
    chord = sum(np.sin(2 * np.pi * f * t) / k for k, f in enumerate((110.0, 164.8, 220.0, 277.2), start=1))
    sweep = np.sin(2 * np.pi * (200 * t + 180 * t**2))
    beat = np.sin(2 * np.pi * 60 * t) * np.exp(-12 * (t % 0.5)) + np.sin(2e5 * t**1.5) * np.exp(-40 * (t % 0.25))
    return (0.02 * (1 + t) * chord + 0.05 * sweep + 0.3 * beat).astype(np.float32)


def frames_by_librosa(y: np.ndarray) -> np.ndarray:
    """Log-mel frames, (n_frames, 96), of the whole sound at once."""
    mel = librosa.feature.melspectrogram(y=y, sr=16_000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect")
    return np.log10(10_000 * mel + 1).T


def shipped_variables() -> dict[str, np.ndarray]:
    """The numbers in the shipped file, named and shaped as in TensorFlow's checkpoint."""
    graph = onnx.load(SHIPPED / GRAPH).graph
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name != "channel"}
    for name, kernel in found.items():
        if name.startswith("conv2d") and name.endswith("kernel"):
            found[name] = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.transpose(2, 1, 0)[:, :, None]
    return found


def answers(variables: dict[str, np.ndarray], patches: np.ndarray) -> dict[str, np.ndarray]:
    """tags, embedding and pooled values of patches (n, 187, 96), float64."""
    numbers = {name: torch.tensor(values, dtype=torch.float64) for name, values in variables.items()}

    def part(kind: str, number: int, name: str) -> Tensor:
        return numbers[f"{kind}_{number}/{name}" if number else f"{kind}/{name}"]

    def normalised(x: Tensor, number: int) -> Tensor:
        gamma, beta, mean, variance = (
            part("batch_normalization", number, name).reshape(1, -1, *[1] * (x.ndim - 2))
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / (variance + 1e-3).sqrt() + beta

    def convolved(x: Tensor, number: int) -> Tensor:
        kernel = part("conv2d", number, "kernel").permute(3, 2, 0, 1)
        length = kernel.shape[2]
        padded = pad(x, (0, 0, (length - 1) // 2, length - 1 - (length - 1) // 2))
        return normalised(conv2d(padded, kernel, part("conv2d", number, "bias")).relu(), number + 1)

    x = normalised(torch.from_numpy(patches).double()[:, None], 0)
    front = torch.cat([convolved(x, number).amax(3) for number in range(5)], 1)
    one = convolved(front.mT[:, None], 5)[..., 0]
    two = convolved(one.mT[:, None], 6)[..., 0] + one
    three = convolved(two.mT[:, None], 7)[..., 0] + two
    channels = torch.cat([front, one, two, three], 1)
    pooled = torch.stack([channels.amax(2), channels.mean(2)], 2).flatten(1)
    hidden = (normalised(pooled, 9) @ part("dense", 0, "kernel") + part("dense", 0, "bias")).relu()
    embedding = normalised(hidden, 10)
    tags = torch.sigmoid(embedding @ part("dense", 1, "kernel") + part("dense", 1, "bias"))
    return {"tags": tags.numpy(), "embedding": embedding.numpy(), "pooled": pooled.numpy()}


if __name__ == "__main__":
    frames = frames_by_librosa(made_up_sound())
    found = answers(shipped_variables(), np.stack([frames[start : start + 187] for start in STARTS]))
    rounded = {name: [[round(float(value), 6) for value in row] for row in rows] for name, rows in found.items()}
    REFERENCE.write_text(json.dumps(rounded) + "\n")
