"""Texture: what a crop sounds like as a list of statistics, and support vector machines on them.

On small libraries, statistics of timbre and rhythm with a kernel machine are as good as networks and err on other songs
(Tzanetakis & Cook 2002 on texture windows; Seyerlehner et al. 2010 on correlation and fluctuation patterns). So a network
may take their word beside its own.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.music import FloatArray
from core.recipes import SpectrogramRecipe

QUIET_DB = -60.0
"""What is below is silence; else the noise floor of an encoder would count."""
N_CEPSTRA = 20
N_GROUPS, FINE_GROUPS = 16, 32
"""Groups of neighbouring bands that contrast and modulation, and changes, are told of."""
MODULATION_HZ = (0.1, 0.25, 0.4, 0.5, 0.75, 1.0, 1.4, 1.9, 2.5, 3.4, 4.5, 6.0, 8.0, 11.0, 15.6)
"""Edges of the bands of modulation: from a phrase to a flutter."""
TEMPI_BPM = (30, 312)
"""Slowest and fastest beat that a rhythm is looked for at."""
SMALL = 1e-4

SLACK = 3.0
"""C of the machines: how dear a crop on the wrong side is."""
OUTERMOST, STEPS = 5.0, 25.0
"""Standardised statistics are cut off at +-5, and kept in steps of 1/25, one byte each."""


class CropStatistics(nn.Module):
    """Statistics of the log-mel spectrogram S of a crop: nothing is learned. Made for one size of crop."""

    cosines: Tensor
    modulation: Tensor
    bands: Tensor
    pairs: Tensor
    grouped: Tensor

    def __init__(self, *, n_mels: int, crop_frames: int, frame_s: float = SpectrogramRecipe().frame_s) -> None:
        super().__init__()
        self.n_mels, self.crop_frames = n_mels, crop_frames
        band = torch.arange(n_mels) + 0.5
        order = torch.arange(min(N_CEPSTRA, n_mels))
        scale = torch.where(order == 0, math.sqrt(1 / n_mels), math.sqrt(2 / n_mels))
        self.register_buffer("cosines", torch.cos(math.pi / n_mels * band[:, None] * order) * scale, persistent=False)
        rows, columns = torch.triu_indices(len(order), len(order), 1)
        self.register_buffer("pairs", rows * len(order) + columns, persistent=False)
        # bands in the order of their groups; the last one fills up what is not a multiple of theirs
        in_groups = torch.arange(-(-n_mels // FINE_GROUPS) * FINE_GROUPS).clamp_max(n_mels - 1)
        self.register_buffer("grouped", in_groups, persistent=False)
        # a Fourier transform over the frames, as two products, so that any runtime can do it
        frames, frequency = torch.arange(crop_frames), torch.arange(1, crop_frames // 2 + 1)
        angle = 2 * math.pi * frequency[:, None] * frames / crop_frames
        window = torch.hann_window(crop_frames, periodic=False)
        self.register_buffer(
            "modulation", torch.cat([angle.cos(), angle.sin()]).mul(window).T.contiguous(), persistent=False
        )
        hertz = frequency / (crop_frames * frame_s)
        inside = [(hertz >= low) & (hertz < high) for low, high in pairwise(MODULATION_HZ)]
        bands = torch.stack([mask / mask.sum() for mask in inside if mask.any()], dim=1).float()
        self.register_buffer("bands", bands, persistent=False)
        slowest = min(round(60 / TEMPI_BPM[0] / frame_s), crop_frames // 2)
        self.lags = range(round(60 / TEMPI_BPM[1] / frame_s), slowest + 1)

    def forward(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> (batch, n_statistics)."""
        S = S.clamp_min(QUIET_DB)
        return torch.cat([*self._timbre(S), *self._contrast(S), self._fluctuation(S), *self._rhythm(S)], dim=1)

    def _timbre(self, S: Tensor) -> list[Tensor]:
        """Mel cepstra: their mean, deviation, deviation of their changes, and which move together."""
        cepstra = S @ self.cosines
        mean = cepstra.mean(dim=1, keepdim=True)
        deviation = _deviation(cepstra)
        z = (cepstra - mean) / deviation[:, None]
        correlation = torch.bmm(z.transpose(1, 2), z).flatten(1) / S.shape[1]
        changes = cepstra[:, 2:] - cepstra[:, :-2]
        return [mean[:, 0], deviation, _deviation(changes), correlation[:, self.pairs]]

    def _contrast(self, S: Tensor) -> list[Tensor]:
        """How far peaks stand out of valleys in each group of bands, and how low the valleys lie."""
        groups = self._groups(S)
        valleys = groups.amin(dim=3)
        contrast = groups.amax(dim=3) - valleys
        return [contrast.mean(dim=1), _deviation(contrast), valleys.mean(dim=1)]

    def _fluctuation(self, S: Tensor) -> Tensor:
        """Strength of modulation by its frequency, in pairs of groups of bands, each against its own mean, log."""
        level = self._groups(S).mean(dim=3)
        waves = (level - level.mean(dim=1, keepdim=True)).transpose(1, 2) @ self.modulation
        half = self.crop_frames // 2
        strength = (waves[:, :, :half].square() + waves[:, :, half:].square() + SMALL).sqrt()
        logs = ((strength @ self.bands) + SMALL).log()
        logs = logs - logs.mean(dim=2, keepdim=True)
        in_pairs = logs.reshape(-1, N_GROUPS // 2, 2, self.bands.shape[1]).mean(dim=2)
        return in_pairs.flatten(1)

    def _rhythm(self, S: Tensor) -> list[Tensor]:
        """Onsets, of all bands and of the bass: how strong, and how they repeat at each lag (autocorrelation)."""
        rises = S[:, 1:] - S[:, :-1]
        onsets = rises.clamp_min(0)
        told = []
        for strength in (onsets.mean(dim=2), onsets[:, :, : self.n_mels // 8].mean(dim=2)):
            z = strength - strength.mean(dim=1, keepdim=True)
            power = z.square().mean(dim=1, keepdim=True) + SMALL
            repeats = torch.stack([(z[:, lag:] * z[:, :-lag]).sum(dim=1) for lag in self.lags], dim=1)
            repeats = repeats / (S.shape[1] * power)
            told += [strength.mean(dim=1, keepdim=True), power.sqrt(), repeats, repeats.amax(dim=1, keepdim=True)]
        changes = (
            rises.abs()
            .mean(dim=1)[:, self.grouped]
            .reshape(-1, FINE_GROUPS, len(self.grouped) // FINE_GROUPS)
            .mean(dim=2)
        )
        return [*told, changes]

    def _groups(self, S: Tensor) -> Tensor:
        """(batch, frames, n_mels) -> (batch, frames, N_GROUPS, bands of a group)."""
        return S[:, :, self.grouped].reshape(-1, S.shape[1], N_GROUPS, len(self.grouped) // N_GROUPS)


class TextureMachine(nn.Module):
    """Support vector machines with a Gaussian kernel on `CropStatistics`, one a genre against the rest.

    Until it is fitted it has no support vectors, and `is_fitted` is False.
    """

    mean: Tensor
    scale: Tensor
    supports: Tensor
    weights: Tensor
    bias: Tensor

    def __init__(self, n_genres: int, *, n_mels: int, crop_frames: int) -> None:
        super().__init__()
        self.statistics = CropStatistics(n_mels=n_mels, crop_frames=crop_frames)
        n = self.statistics(torch.zeros(1, crop_frames, n_mels)).shape[1]
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))
        self.register_buffer("supports", torch.zeros((0, n), dtype=torch.int8))
        self.register_buffer("weights", torch.zeros((0, n_genres)))
        self.register_buffer("bias", torch.zeros(n_genres))

    @property
    def is_fitted(self) -> bool:
        """Whether it has learned."""
        return len(self.supports) > 0

    def forward(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> logits (batch, n_genres): decision values."""
        z = self._standardised(self.statistics(S))
        supports = self.supports.to(torch.float32) / STEPS
        squares = z.square().sum(dim=1, keepdim=True) - 2 * z @ supports.T + supports.square().sum(dim=1)
        return (-squares.clamp_min(0) / z.shape[1]).exp() @ self.weights + self.bias

    def fit(self, statistics: FloatArray, targets: FloatArray) -> None:
        """Learn from crops: `statistics` (n_crops, n_statistics), `targets` (n_crops, n_genres) rows summing to 1.

        Soft labels count in full: a crop is on a genre's side with that genre's share as its weight, and against it with
        the rest. Both sides weigh the same in total, so that rare genres are heard.
        """
        from sklearn.svm import SVC

        self.mean.copy_(torch.from_numpy(statistics.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.maximum(statistics.std(axis=0), SMALL)))
        z = self._standardised(torch.from_numpy(statistics))
        kept = (z * STEPS).round().to(torch.int8)
        z = kept.to(torch.float32) / STEPS
        of_genre = np.zeros((len(z), targets.shape[1]), np.float32)
        for genre in range(targets.shape[1]):
            shares = np.concatenate([targets[:, genre], 1 - targets[:, genre]])
            rows = np.flatnonzero(shares)
            sides = rows < len(z)
            shares[: len(z)] *= len(z) / (2 * max(shares[: len(z)].sum(), 1e-9))
            shares[len(z) :] *= len(z) / (2 * max(shares[len(z) :].sum(), 1e-9))
            machine = SVC(C=SLACK, gamma=1 / z.shape[1])
            machine.fit(z.numpy()[rows % len(z)], sides, sample_weight=shares[rows])
            np.add.at(of_genre[:, genre], rows[machine.support_] % len(z), machine.dual_coef_[0])
            self.bias[genre] = float(machine.intercept_[0])
        used = of_genre.any(axis=1)
        self.supports, self.weights = kept[torch.from_numpy(used)], torch.from_numpy(of_genre[used])

    def _standardised(self, statistics: Tensor) -> Tensor:
        return ((statistics - self.mean) / self.scale).clamp(-OUTERMOST, OUTERMOST)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """How many support vectors there are is told by what is loaded."""
        for name in ("supports", "weights"):
            if (stored := state_dict.get(prefix + name)) is not None and stored.ndim == 2:
                here = getattr(self, name)
                setattr(self, name, here.new_zeros((len(stored), here.shape[1])))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _deviation(values: Tensor) -> Tensor:
    """Standard deviation over frames, (batch, frames, n) -> (batch, n); never 0, so that it can be divided by."""
    return ((values - values.mean(dim=1, keepdim=True)).square().mean(dim=1) + SMALL).sqrt()
