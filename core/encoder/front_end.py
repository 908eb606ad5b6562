"""Front end of the pretrained encoder: patches of a log-mel spectrogram, from sound that arrives in blocks.

Conventions: 16,000 Hz mono; frames of 512 samples, 256 apart, frame t centred on sample 256 t, the signal continued by
reflection at both ends; Hann window; power in 96 mel bands (Slaney scale and area normalisation); log10(10000 S + 1).
A patch is 187 consecutive frames, 3.0 s. This is not the log-mel spectrogram of `core.audio`: one decode can feed both.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import AudioError
from core.music import FloatArray

SAMPLE_RATE, N_FFT, HOP_LENGTH, N_MELS = 16_000, 512, 256, 96
GAIN = 10_000.0
PATCH_FRAMES = 187
FRAME_S = HOP_LENGTH / SAMPLE_RATE
PATCH_S = PATCH_FRAMES * FRAME_S
"""From the start of a patch to the start of the next one, 2.992 s."""
CAPACITY = 400
"""Patches kept of one sound, 29 MB. Of a longer sound (20 minutes) every second one is kept, then every fourth, ..."""
FRAMES_AT_ONCE = 256
"""Frames transformed in one go: 3 MB of frames and spectrum."""

Index = npt.NDArray[np.intp]


class LogMel:
    """Log-mel frames of a sound that is added block by block, in bounded memory.

    All frames joined do not depend on how the sound was cut into blocks.

    Parameters
    ----------
    filters
        Mel filter bank, (96, 257) float32, as `Encoder.filters`.

    """

    def __init__(self, filters: FloatArray) -> None:
        self._weights = np.ascontiguousarray(filters.T)
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
        self._held: list[FloatArray] = []
        self._n_held = 0
        self._begun = False

    def add(self, block: FloatArray) -> FloatArray:
        """Add samples, (n,) float32, nominal range [-1, 1]; returns the frames that are complete, (k, 96) float32."""
        self._held.append(block)
        self._n_held += block.size
        if self._n_held < N_FFT + HOP_LENGTH * FRAMES_AT_ONCE:
            return np.empty((0, N_MELS), np.float32)
        signal = self._joined(after=0)
        # the last 257 samples stay: the end is continued by their reflection
        n_frames = 1 + (signal.size - 1 - N_FFT) // HOP_LENGTH
        self._held = [signal[n_frames * HOP_LENGTH :]]
        self._n_held = self._held[0].size
        return self._frames(signal, n_frames)

    def finish(self) -> FloatArray:
        """End the sound; returns its last frames, (k, 96) float32. A sound of n samples has 1 + n // 256 frames in all."""
        if not self._n_held:
            return np.empty((0, N_MELS), np.float32)
        signal = self._joined(after=N_FFT // 2)
        self._held, self._n_held, self._begun = [], 0, False
        return self._frames(signal, 1 + (signal.size - N_FFT) // HOP_LENGTH)

    def _joined(self, *, after: int) -> FloatArray:
        """Everything held, continued by reflection: backwards if these are the first samples, and by `after` samples."""
        before = 0 if self._begun else N_FFT // 2
        self._begun = True
        return np.pad(np.concatenate(self._held), (before, after), mode="reflect")

    def _frames(self, signal: FloatArray, n_frames: int) -> FloatArray:
        framed = np.lib.stride_tricks.sliding_window_view(signal, N_FFT)[::HOP_LENGTH][:n_frames]
        found = np.empty((n_frames, N_MELS), np.float32)
        for first in range(0, n_frames, FRAMES_AT_ONCE):
            # in double precision, as librosa: in single, weak bands of a loud frame would be off by 1e-3
            spectrum = np.fft.rfft(framed[first : first + FRAMES_AT_ONCE] * self._window)
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
            found[first : first + FRAMES_AT_ONCE] = np.log10(np.float32(GAIN) * (power @ self._weights) + np.float32(1))
        return found


@dataclass(frozen=True)
class Patches:
    """Patches of one sound, in order of time.

    Attributes
    ----------
    values
        (n, 187, 96) float32, as `Encoder.encode` takes them; n is at least 1 and at most `CAPACITY` + 1.
    starts
        (n,) the first frame of each patch; times `FRAME_S` it is a time in seconds.
    n_frames
        Length of the whole sound, frames.

    """

    values: FloatArray
    starts: Index
    n_frames: int

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.values)


def evenly_spaced(n: int, count: int) -> Index:
    """Indices of `count` evenly spaced ones of n, ascending, (min(n, count),): the middles of `count` equal parts of n."""
    count = min(n, count)
    return ((2 * np.arange(count) + 1) * n // max(2 * count, 1)).astype(np.intp)


class PatchReader:
    """Cut a sound that arrives in blocks into consecutive patches, in bounded memory.

    Patches follow each other without overlap from the first frame on. What is left at the end makes a last patch, which
    overlaps the one before, if it is at least half a patch long; a sound shorter than a patch is repeated to fill one.
    Of a sound with more than `capacity` patches every second is kept, then every fourth, and so on, so that what is kept
    stays evenly spaced.

    Parameters
    ----------
    filters
        Mel filter bank, (96, 257) float32, as `Encoder.filters`.
    capacity
        Largest number of patches kept, the last one not counted.

    Examples
    --------
    One decode feeds both kinds of spectrogram::

        reader = PatchReader(encoder.filters)
        codes, report = codes_of(path, recipe, tee=reader.tee)
        answers = encoder.encode(reader.patches().values)

    """

    def __init__(self, filters: FloatArray, *, capacity: int = CAPACITY) -> None:
        self._log_mel = LogMel(filters)
        self._capacity, self._every = capacity, 1
        self._kept: list[FloatArray] = []
        self._tail = np.empty((0, N_MELS), np.float32)
        """The last complete patch, and the frames after it."""
        self._n_cut = self._n_frames = 0

    def tee(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Yield the blocks of a sound as they are, and read each on its way."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block: FloatArray) -> None:
        """Add samples, (n,) float32, mono, 16,000 Hz."""
        self._take(self._log_mel.add(block))

    def patches(self) -> Patches:
        """End the sound and return its patches. The reader is then ready for another sound.

        Raises
        ------
        AudioError
            If the sound has no samples.

        """
        self._take(self._log_mel.finish())
        if not self._n_frames:
            raise AudioError("There is no sound in this file: not one sample could be decoded.")
        values = self._kept
        starts = [number * self._every * PATCH_FRAMES for number in range(len(values))]
        left = self._n_frames - self._n_cut * PATCH_FRAMES
        if not values:
            values, starts = [self._tail[np.arange(PATCH_FRAMES) % self._n_frames]], [0]
        elif 2 * left >= PATCH_FRAMES:
            values, starts = [*values, self._tail[-PATCH_FRAMES:]], [*starts, self._n_frames - PATCH_FRAMES]
        found = Patches(np.stack(values), np.array(starts, np.intp), self._n_frames)
        self._kept, self._every, self._n_cut, self._n_frames = [], 1, 0, 0
        self._tail = self._tail[:0]
        return found

    def _take(self, frames: FloatArray) -> None:
        self._n_frames += len(frames)
        tail = np.concatenate([self._tail, frames])
        at = min(self._n_cut, 1) * PATCH_FRAMES  # where the first frame is that belongs to no patch yet
        while len(tail) - at >= PATCH_FRAMES:
            if self._n_cut % self._every == 0:
                self._keep(tail[at : at + PATCH_FRAMES].copy())
            self._n_cut += 1
            at += PATCH_FRAMES
        self._tail = tail[max(0, at - PATCH_FRAMES) :].copy()

    def _keep(self, patch: FloatArray) -> None:
        if len(self._kept) == self._capacity:
            self._kept = self._kept[::2]
            self._every *= 2
            if self._n_cut % self._every:
                return
        self._kept.append(patch)
