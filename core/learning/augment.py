"""Augmentations: what makes few songs go further. The one room that imports torchaudio.

Each is a small function of a batch and of its random parameters, one a crop, which the caller draws (`drawn`); so what is
done can be told and tested apart from chance. Only SpecAugment draws itself, with torch's generator, which the caller seeds.
"""

import numpy as np
import torch
from torch import Tensor

from core.errors import TrainingRefused
from core.music import FloatArray

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


def gain(S: Tensor, level_db: Tensor) -> Tensor:
    """Make each crop louder or softer: `level_db` (batch,) is added to `S` (batch, crop_frames, n_mels), dB."""
    return S + level_db[:, None, None]


def tilt(S: Tensor, slope_db: Tensor) -> Tensor:
    """Make each crop brighter or darker, as another mastering would.

    `S` (batch, crop_frames, n_mels) dB; `slope_db` (batch,) is added to the highest band, taken from the lowest, and in
    proportion in between.
    """
    return S + slope_db[:, None, None] * torch.linspace(-1, 1, S.shape[2])


def stretch(S: Tensor, speed: Tensor, *, crop_frames: int) -> Tensor:
    """Play each crop faster or slower at the same pitch: `S` (batch, frames, n_mels) -> (batch, crop_frames, n_mels).

    Frame i of crop b is what was at `speed[b]` * i, between frames in proportion. `speed` (batch,) may be up to
    frames / crop_frames, so that there is enough to play.
    """
    return _at(S, speed[:, None] * torch.arange(crop_frames, dtype=S.dtype), axis=1)


def shift(S: Tensor, semitones: Tensor, frequencies: FloatArray) -> Tensor:
    """Play each crop higher or lower at the same speed: `S` (batch, frames, n_mels), `semitones` (batch,) up.

    What a band at f Hz holds is what was at f / 2 ** (semitones / 12). An approximation: partials move, but keep the
    width that the mel bands gave them. `frequencies` (n_mels,) are the bands' own, Hz, rising.
    """
    wanted = frequencies / 2.0 ** (semitones.numpy()[:, None] / 12)
    places = np.interp(wanted, frequencies, np.arange(len(frequencies)))
    return _at(S, torch.from_numpy(places).to(S.dtype), axis=2)


def drawn(rng: np.random.Generator, n: int, *, up_to: float) -> Tensor:
    """`n` numbers, float32, evenly from -`up_to` to `up_to`: the random parameters of a batch."""
    return torch.from_numpy(rng.uniform(-up_to, up_to, n).astype(np.float32))


def mixup(x: Tensor, targets: Tensor, *, share: float, other: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each crop, and its label, with another of the batch (Zhang et al. 2018, "mixup").

    `x` (batch, ...), `targets` (batch, n_genres); `share` of each crop is kept, the rest is of crop `other` (batch,).
    """
    return torch.lerp(x[other], x, share), torch.lerp(targets[other], targets, share)


def _at(S: Tensor, places: Tensor, *, axis: int) -> Tensor:
    """Values of each crop at `places` (batch, n) along `axis`, between its values in proportion."""
    last = S.shape[axis] - 1
    places = places.clamp(0, last)
    below = places.floor().long()
    shape = [S.shape[0], 1, 1]
    shape[axis] = places.shape[1]
    size = list(S.shape)
    size[axis] = places.shape[1]

    def taken(index: Tensor) -> Tensor:
        return S.gather(axis, index.view(shape).expand(size))

    return torch.lerp(taken(below), taken((below + 1).clamp_max(last)), (places - below).view(shape))
