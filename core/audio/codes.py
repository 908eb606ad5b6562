"""From a file to codes: its quantised log-mel spectrogram, (n_frames, n_mels) uint8. In bounded memory at any length."""

from collections.abc import Callable, Iterator

import numpy as np

from core.audio import spectrogram, waveform
from core.errors import AudioError
from core.files import duration_in_words
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe


class SilenceError(AudioError):
    """There is nothing to hear in the file."""


def codes_of(
    source: waveform.Source,
    recipe: SpectrogramRecipe,
    *,
    filters: FloatArray | None = None,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    tee: Callable[[Iterator[FloatArray]], Iterator[FloatArray]] = iter,
) -> tuple[CodeArray, waveform.DecodeReport]:
    """Decode a file into its quantised log-mel spectrogram, (n_frames, n_mels) uint8, in bounded memory.

    `tee` is given the decoded blocks, at the recipe's sample rate, and yields them unchanged: what else is computed of a
    sound reads them there, so that it is decoded once. Raises `AudioError` as `waveform.blocks`, and for silence.
    """
    report = waveform.DecodeReport()
    pieces = waveform.blocks(source, sample_rate=recipe.sample_rate, max_s=max_s, max_bytes=max_bytes, report=report)
    codes = np.concatenate(
        [spectrogram.quantise(S) for S in spectrogram.log_mel_blocks(tee(pieces), recipe, filters=filters)]
    )
    if report.peak < waveform.SILENCE:
        raise SilenceError(f"There is no sound in this file: {duration_in_words(report.duration_s)} of silence.")
    return codes, report
