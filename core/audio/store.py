"""Spectrogram files: one time-major uint8 `.npy` a song, under its recipe's fingerprint, named by the recording's key.

The key is the SHA-256 of the audio packets (`waveform.Probe.packets_sha256`), so that it outlives edits of tags; for files
that an earlier version imported, that of the file.

Crops are read with one positioned read each. Few files are held open at a time, however large the library.
"""

import io
import os
import tokenize
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
        self.root = root
        self.folder = root / fingerprint
        self._max_open = max_open
        self._open: OrderedDict[str, tuple[BinaryIO, int, int, int]] = OrderedDict()

    def path(self, sha256: str) -> Path:
        """Where the spectrogram of a recording lies, present or not."""
        return self.folder / sha256[:2] / f"{sha256}.npy"

    def write(self, sha256: str, codes: CodeArray) -> None:
        """Keep `codes` (n_frames, n_mels) uint8, whole or not at all."""
        with whole(self.path(sha256)) as partial:
            made = io.BytesIO()  # numpy itself does not tell of a full disk as such
            np.save(made, np.ascontiguousarray(codes), allow_pickle=False)
            partial.write_bytes(made.getbuffer())

    def read(self, sha256: str) -> CodeArray:
        """The whole spectrogram, (n_frames, n_mels) uint8. `AudioError` if it is absent or damaged."""
        stream, _, length, n_mels = self._begun(sha256)
        with stream:
            codes: CodeArray = np.fromfile(stream, np.uint8).reshape(length, n_mels)
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

    def is_whole(self, sha256: str) -> bool:
        """Whether the spectrogram of a recording is there, and as long as it says; its codes are not read."""
        try:
            self._begun(sha256)[0].close()
        except AudioError:
            return False
        return True

    def rename(self, old: str, new: str) -> None:
        """Give the spectrogram of one key to another."""
        self.path(new).parent.mkdir(parents=True, exist_ok=True)
        self.path(old).replace(self.path(new))

    def close(self) -> None:
        """Close the files held open."""
        while self._open:
            self._open.popitem()[1][0].close()

    def _opened(self, sha256: str) -> tuple[BinaryIO, int, int, int]:
        """(stream, offset of the first frame, n_frames, n_mels), least recently used ones being closed."""
        if sha256 in self._open:
            self._open.move_to_end(sha256)
            return self._open[sha256]
        self._open[sha256] = self._begun(sha256)
        if len(self._open) > self._max_open:
            self._open.popitem(last=False)[1][0].close()
        return self._open[sha256]

    def _begun(self, sha256: str) -> tuple[BinaryIO, int, int, int]:
        """As `_opened`, of a file opened now and found whole; it stands at the first frame."""
        try:
            stream: BinaryIO = self.path(sha256).open("rb", buffering=0)
        except OSError as error:
            raise self._unreadable(sha256) from error
        try:
            np.lib.format.read_magic(stream)
            (length, n_mels), fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            offset = stream.tell()
            whole_file = min(length, n_mels) >= 0 and offset + length * n_mels == os.fstat(stream.fileno()).st_size
            if fortran or dtype != np.uint8 or not whole_file:
                raise ValueError("not a whole (n_frames, n_mels) array of uint8")
        except (OSError, ValueError, tokenize.TokenError) as error:  # the last one: a broken header, in numpy
            stream.close()
            raise self._unreadable(sha256) from error
        return stream, offset, length, n_mels

    def _unreadable(self, sha256: str) -> AudioError:
        return AudioError(
            f"The spectrogram {self.path(sha256).name} is missing or damaged. Have it made again: on the Library page under "
            "*Recipe*, or by `python -m core preprocess`."
        )
