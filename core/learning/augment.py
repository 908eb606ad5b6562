"""Augmentations: what makes few songs go further. The one room that imports torchaudio.

Chance comes from a generator passed in; SpecAugment takes torch's own, which the caller seeds.
"""

import numpy as np
import torch
from torch import Tensor

from core.errors import TrainingRefused

try:
    from torchaudio.transforms import FrequencyMasking, TimeMasking
except (ImportError, OSError) as error:  # its Linux wheel wants CUDA libraries that a CPU-only torch lacks
    _missing: Exception | None = error
else:
    _missing = None


def require_torchaudio() -> None:
    """`TrainingRefused`, with the remedy, if torchaudio cannot be used."""
    if _missing is not None:
        raise TrainingRefused(
            "torchaudio, which training needs, cannot be loaded. Run `python -m core doctor --repair`, then try again. "
            f"({type(_missing).__name__}: {str(_missing).splitlines()[0]})"
        ) from _missing


class SpecAugment:
    """Hide one stretch of time and one of frequency in every crop (Park et al. 2019, "SpecAugment")."""

    def __init__(self, *, time_mask_frames: int, freq_mask_bands: int) -> None:
        """Stretches are up to this long; a hidden value is 0, the mean of a standardised band."""
        require_torchaudio()
        self._masks = [
            mask
            for longest, mask in (
                (time_mask_frames, TimeMasking(time_mask_frames, iid_masks=True)),
                (freq_mask_bands, FrequencyMasking(freq_mask_bands, iid_masks=True)),
            )
            if longest
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """`x` (batch, 1, n_mels, crop_frames) standardised -> the same shape. Uses torch's generator."""
        for mask in self._masks:
            x = mask(x)
        return x


def tilt(S: Tensor, *, gain_db: float, tilt_db: float) -> Tensor:
    """Make each crop louder or softer and brighter or darker, as another mastering would.

    `S` (batch, crop_frames, n_mels) dB; a level up to `gain_db` and a slope up to `tilt_db` at either end of the mel
    axis, both ways, are added. Uses torch's generator.
    """
    level, slope = (torch.rand(2, S.shape[0], 1, 1) * 2 - 1) * torch.tensor([gain_db, tilt_db]).view(2, 1, 1, 1)
    tilted: Tensor = S + level + slope * torch.linspace(-1, 1, S.shape[2])
    return tilted


def mixup(x: Tensor, targets: Tensor, *, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Blend each crop, and its label, with another of the batch (Zhang et al. 2018, "mixup").

    `x` (batch, ...), `targets` (batch, n_genres); the share is drawn from Beta(alpha, alpha); alpha 0 leaves all as is.
    """
    if alpha == 0:
        return x, targets
    share = float(rng.beta(alpha, alpha))
    other = torch.from_numpy(rng.permutation(x.shape[0]))
    return torch.lerp(x[other], x, share), torch.lerp(targets[other], targets, share)
