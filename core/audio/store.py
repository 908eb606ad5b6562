"""Spectrogram files: one time-major uint8 `.npy` a song, under its recipe's fingerprint, named by the audio's SHA-256.

Crops are read with one positioned read each. Few files are held open at a time, however large the library.
"""

from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.errors import AudioError
from core.files import whole
from core.music import CodeArray


class SpectrogramStore:
    """The spectrogram files of one recipe. Not for use by several threads at once."""

    def __init__(self, root: Path, fingerprint: str, *, max_open: int = 256) -> None:
        """Files lie under `root/fingerprint`; at most `max_open` are held open."""
        self.folder = root / fingerprint
        self._max_open = max_open
        self._open: OrderedDict[str, tuple[BinaryIO, int, int, int]] = OrderedDict()

    def path(self, sha256: str) -> Path:
        """Where the spectrogram of an audio file lies, present or not."""
        return self.folder / sha256[:2] / f"{sha256}.npy"

    def write(self, sha256: str, codes: CodeArray) -> None:
        """Keep `codes` (n_frames, n_mels) uint8, whole or not at all."""
        with whole(self.path(sha256)) as partial:
            np.save(partial, np.ascontiguousarray(codes), allow_pickle=False)

    def read(self, sha256: str) -> CodeArray:
        """The whole spectrogram, (n_frames, n_mels) uint8. `AudioError` if it is absent or damaged."""
        try:
            codes: CodeArray = np.load(self.path(sha256), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._unreadable(sha256) from error
        if codes.ndim != 2 or codes.dtype != np.uint8:
            raise self._unreadable(sha256)
        return codes

    def read_crop(self, sha256: str, start: int, n_frames: int) -> CodeArray:
        """Frames `start` to `start + n_frames`, as far as the song reaches, (<= n_frames, n_mels) uint8."""
        stream, offset, length, n_mels = self._opened(sha256)
        count = max(0, min(n_frames, length - start))
        stream.seek(offset + start * n_mels)
        data = stream.read(count * n_mels)
        if len(data) != count * n_mels:
            raise self._unreadable(sha256)
        return np.frombuffer(data, np.uint8).reshape(count, n_mels)

    def close(self) -> None:
        """Close the files held open."""
        while self._open:
            self._open.popitem()[1][0].close()

    def _opened(self, sha256: str) -> tuple[BinaryIO, int, int, int]:
        """(stream, offset of the first frame, n_frames, n_mels), least recently used ones being closed."""
        if sha256 in self._open:
            self._open.move_to_end(sha256)
            return self._open[sha256]
        try:
            stream: BinaryIO = self.path(sha256).open("rb", buffering=0)
            np.lib.format.read_magic(stream)
            (length, n_mels), fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        except (OSError, ValueError) as error:
            raise self._unreadable(sha256) from error
        if fortran or dtype != np.uint8:
            stream.close()
            raise self._unreadable(sha256)
        self._open[sha256] = (stream, stream.tell(), length, n_mels)
        if len(self._open) > self._max_open:
            self._open.popitem(last=False)[1][0].close()
        return self._open[sha256]

    def _unreadable(self, sha256: str) -> AudioError:
        return AudioError(
            f"The spectrogram {self.path(sha256).name} is missing or damaged. Delete it if it is there, and make "
            "spectrograms again on the Library page (or `python -m core preprocess`)."
        )
