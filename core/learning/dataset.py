"""Random crops straight from the spectrogram store: what a network is trained on."""

from collections.abc import Iterator, Sequence

import numpy as np

from core.audio.crops import padded
from core.audio.store import SpectrogramStore
from core.music import CodeArray, FloatArray, Song


class CropSampler:
    """Batches of random crops. The same (seed, epoch) always gives the same batches."""

    def __init__(
        self,
        songs: Sequence[Song],
        genres: tuple[str, ...],
        store: SpectrogramStore,
        *,
        crop_frames: int,
        crops_per_song: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Every song gives `crops_per_song` crops an epoch, at random places."""
        self._songs = songs
        self._targets = np.stack([song.label.vector(genres) for song in songs])
        self._store = store
        self._crop_frames = crop_frames
        self._crops_per_song = crops_per_song
        self._batch_size = batch_size
        self._seed = seed

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; a last one of a single crop is dropped, for batch normalisation needs two."""
        whole, rest = divmod(len(self._songs) * self._crops_per_song, self._batch_size)
        return max(1, whole + (rest > 1))

    def batches(self, epoch: int) -> Iterator[tuple[CodeArray, FloatArray]]:
        """(codes (batch, crop_frames, n_mels) uint8, targets (batch, n_genres) float32) for one epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(np.repeat(np.arange(len(self._songs)), self._crops_per_song))
        places = rng.random(order.size)
        for step in range(self.steps_per_epoch):
            batch = slice(step * self._batch_size, (step + 1) * self._batch_size)
            crops = [self._crop(self._songs[i], place) for i, place in zip(order[batch], places[batch], strict=True)]
            yield np.stack(crops), self._targets[order[batch]]

    def _crop(self, song: Song, place: float) -> CodeArray:
        """The crop that begins `place` (in [0, 1)) of the way to the last possible beginning, included."""
        start = int(place * (max(0, song.n_frames - self._crop_frames) + 1))
        return padded(self._store.read_crop(song.sha256, start, self._crop_frames), self._crop_frames)
