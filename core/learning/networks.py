"""Networks: a standardised log-mel crop in, logits out.

Never a softmax: that belongs to the loss, or to whoever asks for probabilities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.crops import Logits
from core.learning.musicrecnet import DeepMusicRecNet, MusicRecNet, MusicRecNetSVM
from core.learning.residual import LeanResNet, ResNet18, SmallResNet
from core.learning.texture import TextureMachine
from core.music import CodeArray, FloatArray
from core.recipes import DB_FLOOR, DB_STEP

TEXTURE_SHARE = 0.7
"""Of the vote, what the texture machine has. Of 0, 0.3, 0.5, 0.7 and 1 the best on songs that neither had learned from,
nor were those that we report on."""


NEVER = 1e-12
"""The least probability: a logit stays finite however sure both voices are."""


@dataclass(frozen=True)
class Kind:
    """A network that can be trained: what it is made of, and a sentence on it for people.

    `body(n_genres, n_mels=, crop_frames=)` has `features(x)` and `classify(features)`; `n_features` is the length of the
    former. With `texture`, a `TextureMachine` has `TEXTURE_SHARE` of the vote.
    """

    body: type[nn.Module]
    explained: str
    texture: bool = False


NETWORKS: Mapping[str, Kind] = MappingProxyType(
    {
        "genrescope": Kind(
            LeanResNet,
            "Our own: a small residual network, and support vector machines on statistics of timbre and rhythm, which vote "
            "together. The best we measured on small libraries, and quick.",
            texture=True,
        ),
        "small_resnet": Kind(
            SmallResNet, "The small residual network alone: quick, and better the more songs there are."
        ),
        "resnet18": Kind(ResNet18, "ResNet-18, a well-known network for pictures: 11 million weights, slow on a CPU."),
        "musicrecnet": Kind(
            MusicRecNet, "MusicRecNet of Elbir and Aydin (2020): three convolutional layers and two dense ones."
        ),
        "musicrecnet_svm": Kind(
            MusicRecNetSVM, "MusicRecNet, its last layer replaced by support vector machines, as its authors propose."
        ),
        "deep_musicrecnet": Kind(
            DeepMusicRecNet, "A deeper MusicRecNet of four blocks of two convolutions: slow, and wants many songs."
        ),
    }
)
"""Every network that can be trained, by the name a recipe gives it."""


class GenreNetwork(nn.Module):
    """A network with the standardisation of its training songs and its temperatures inside: codes in, logits out.

    Where a texture machine has a vote, both are calibrated first (`own_temperature`, `texture_temperature`), then the mean
    of their probabilities is taken, by `TEXTURE_SHARE`. `temperature` (Guo et al. 2017, "On calibration of modern neural networks") divides the logits; it is 1 until it is
    fitted, after training.
    """

    band_mean: Tensor
    band_std: Tensor
    temperature: Tensor
    own_temperature: Tensor
    texture_temperature: Tensor

    def __init__(
        self, network: str, n_genres: int, band_mean: FloatArray, band_std: FloatArray, *, crop_frames: int
    ) -> None:
        """`band_mean` and `band_std` (n_mels,), dB, over training songs only."""
        super().__init__()
        kind, size = NETWORKS[network], {"n_mels": len(band_mean), "crop_frames": crop_frames}
        self.body: Any = kind.body(n_genres, **size)
        self.texture = TextureMachine(n_genres, **size) if kind.texture else None
        self.register_buffer("band_mean", torch.from_numpy(np.array(band_mean, np.float32)))
        self.register_buffer("band_std", torch.from_numpy(np.array(band_std, np.float32)))
        for name in ("temperature", *(("own_temperature", "texture_temperature") if kind.texture else ())):
            self.register_buffer(name, torch.ones(()))

    def standardise(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> (batch, 1, n_mels, crop_frames), per band mean 0 and deviation 1."""
        x = ((S - self.band_mean) / self.band_std).transpose(1, 2).unsqueeze(1)
        return x.contiguous(memory_format=torch.channels_last)  # ten times faster on a CPU

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres)."""
        return self.answer(codes)[0]

    def answer(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres), features (batch, n_features)."""
        S = decibels(codes)
        features = self.body.features(self.standardise(S))
        logits = self.body.classify(features)
        if self.texture is not None and self.texture.is_fitted:
            logits = self.together(logits, self.texture(S))
        return logits / self.temperature, features

    def own_logits(self, codes: Tensor) -> Tensor:
        """What the body says, without the texture machine and uncalibrated: as `forward`."""
        logits: Tensor = self.body.classify(self.body.features(self.standardise(decibels(codes))))
        return logits

    def together(self, own: Tensor, texture: Tensor) -> Tensor:
        """Logits (batch, n_genres) of the vote of both voices, from the logits of each."""
        shares = (own / self.own_temperature).softmax(dim=1), (texture / self.texture_temperature).softmax(dim=1)
        return torch.lerp(*shares, TEXTURE_SHARE).clamp_min(NEVER).log()


def decibels(codes: Tensor) -> Tensor:
    """S (dB, float32) of codes (uint8), any shape: `spectrogram.dequantise` for tensors."""
    return codes.to(torch.float32) * DB_STEP + DB_FLOOR


def as_logits(network: GenreNetwork) -> Logits:
    """The network as the song-level function takes it: arrays in, arrays out, nothing remembered."""
    network.eval()

    def logits(codes: CodeArray) -> FloatArray:
        with torch.inference_mode():
            out: FloatArray = network(torch.from_numpy(codes)).numpy()
        return out

    return logits
