"""Log-mel spectrograms: S in dB re 1.0 (a fixed reference, so a crop of a song equals the song's crop).

Conventions: time-major, (n_frames, n_mels); frame t is centred on sample t * hop_length, the signal being
surrounded by zeros; Hann window; Slaney mel scale and area normalisation, as in `librosa.feature.melspectrogram`.
Stored as uint8 codes: S = DB_FLOOR + DB_STEP * code.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from core.music import CodeArray, FloatArray
from core.recipes import DB_FLOOR, DB_STEP, SpectrogramRecipe

Transform = Callable[[FloatArray], FloatArray]

AMIN = 1e-10
"""Powers below this are raised to it before the logarithm (-100 dB), as in `librosa.power_to_db`."""
FRAMES_AT_ONCE = 64
"""Frames transformed in one go: 2 MB of frames and spectrum at n_fft 2048, which a core's cache holds."""
BANDS_AT_ONCE = 16
"""Bands summed in one go: they share the bins that they are made of, an eighth of all, and the rest need no multiplying."""


@lru_cache(maxsize=8)
def mel_filters(recipe: SpectrogramRecipe) -> FloatArray:
    """The mel filter bank, (n_mels, 1 + n_fft // 2) float32 (librosa's; a model carries its own copy)."""
    from librosa.filters import mel  # 1.3 s to import, so only where no model brings its bank

    bank: FloatArray = mel(sr=recipe.sample_rate, n_fft=recipe.n_fft, n_mels=recipe.n_mels, dtype=np.float32)
    bank.setflags(write=False)
    return bank


def log_mel(y: FloatArray, recipe: SpectrogramRecipe, *, filters: FloatArray | None = None) -> FloatArray:
    """Log-mel spectrogram S of y.

    Parameters: `y` (n_samples,) float32, any length from 1; `filters` as from `mel_filters` (made if not given).
    Returns (1 + n_samples // hop_length, n_mels) float32, dB, at least 10 log10(AMIN) = -100.
    """
    return np.concatenate(list(log_mel_blocks([y], recipe, filters=filters)))


def log_mel_blocks(
    pieces: Iterable[FloatArray], recipe: SpectrogramRecipe, *, filters: FloatArray | None = None
) -> Iterator[FloatArray]:
    """`log_mel` of a signal that comes in `pieces`; what is yielded, joined, equals `log_mel` of the pieces joined."""
    transform = _transform(recipe, mel_filters(recipe) if filters is None else filters)
    n_fft, hop = recipe.n_fft, recipe.hop_length
    half = np.zeros(n_fft // 2, np.float32)
    held, n_held = [half], half.size
    for piece in pieces:
        held.append(piece)
        n_held += piece.size
        if n_held >= n_fft + hop * FRAMES_AT_ONCE:
            signal = np.concatenate(held)
            n_frames = 1 + (signal.size - n_fft) // hop
            yield from _framed(signal, n_frames, recipe, transform)
            held = [signal[n_frames * hop :]]
            n_held = held[0].size
    signal = np.concatenate([*held, half])
    if signal.size >= n_fft:
        yield from _framed(signal, 1 + (signal.size - n_fft) // hop, recipe, transform)


def _framed(signal: FloatArray, n_frames: int, recipe: SpectrogramRecipe, transform: Transform) -> Iterator[FloatArray]:
    frames = np.lib.stride_tricks.sliding_window_view(signal, recipe.n_fft)[:: recipe.hop_length][:n_frames]
    for first in range(0, n_frames, FRAMES_AT_ONCE):
        yield transform(frames[first : first + FRAMES_AT_ONCE])


def _transform(recipe: SpectrogramRecipe, filters: FloatArray) -> Transform:
    """Frames (up to FRAMES_AT_ONCE, n_fft) -> S (as many, n_mels).

    It works in memory that it keeps: to be given new memory for every block took as long as the arithmetic.
    """
    window, parts = _hann(recipe.n_fft), _narrow(filters)
    # in double precision, as librosa: in single, bands 100 dB under a frame's peak would be off by 0.03 dB
    windowed = np.empty((FRAMES_AT_ONCE, recipe.n_fft), np.float64)
    spectrum = np.empty((FRAMES_AT_ONCE, 1 + recipe.n_fft // 2), np.complex128)
    power, squared = (np.empty(spectrum.shape, np.float32) for _ in range(2))

    def transform(frames: FloatArray) -> FloatArray:
        n = len(frames)
        np.multiply(frames, window, out=windowed[:n])
        np.fft.rfft(windowed[:n], out=spectrum[:n])
        np.multiply(spectrum.real[:n], spectrum.real[:n], out=power[:n], casting="same_kind")
        np.multiply(spectrum.imag[:n], spectrum.imag[:n], out=squared[:n], casting="same_kind")
        np.add(power[:n], squared[:n], out=power[:n])
        mel = np.concatenate([power[:n, bins] @ weights for bins, weights in parts], axis=1)
        S: FloatArray = 10.0 * np.log10(np.maximum(mel, np.float32(AMIN)))
        return S

    return transform


def _narrow(filters: FloatArray) -> list[tuple[slice, FloatArray]]:
    """The filter bank in groups of neighbouring bands: (bins that a group needs, weights (n_bins, n_bands) of these)."""
    parts = []
    for first in range(0, len(filters), BANDS_AT_ONCE):
        bands = filters[first : first + BANDS_AT_ONCE]
        used = np.flatnonzero(bands.any(axis=0))
        bins = slice(used[0], used[-1] + 1) if used.size else slice(0, 0)
        parts.append((bins, np.ascontiguousarray(bands[:, bins].T)))
    return parts


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> npt.NDArray[np.float64]:
    """Periodic Hann window, (n_fft,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def quantise(S: FloatArray) -> CodeArray:
    """uint8 codes of S (dB): rounded to DB_STEP, clipped to [DB_FLOOR, DB_FLOOR + 255 * DB_STEP]."""
    codes: CodeArray = np.clip(np.rint((S - DB_FLOOR) / DB_STEP), 0, 255).astype(np.uint8)
    return codes


def dequantise(codes: CodeArray) -> FloatArray:
    """S (dB) of uint8 codes; within DB_STEP / 2 of what was quantised, inside the range."""
    return codes.astype(np.float32) * np.float32(DB_STEP) + np.float32(DB_FLOOR)


def mel_frequencies(recipe: SpectrogramRecipe, *, filters: FloatArray | None = None) -> FloatArray:
    """Frequency at which each mel band peaks, Hz, (n_mels,) float32. `filters` as in `log_mel`."""
    bins = (mel_filters(recipe) if filters is None else filters).argmax(axis=1)
    frequencies: FloatArray = (bins * recipe.sample_rate / recipe.n_fft).astype(np.float32)
    return frequencies
