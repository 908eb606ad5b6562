"""The plan of a training: which genres, which songs on which side, how many steps. Fixed before the first step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import TrainingRefused
from core.files import fingerprint
from core.learning.augment import require_torchaudio
from core.learning.splits import Split, choose, split_by_artist
from core.music import GenreDistribution, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe


@dataclass(frozen=True)
class Request:
    """What a person asks for besides the recipe. `None` means all genres, and test artists chosen by the split."""

    genres: tuple[str, ...] | None = None
    holdout_artists: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return {
            "genres": None if self.genres is None else list(self.genres),
            "holdout_artists": None if self.holdout_artists is None else list(self.holdout_artists),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Request":
        """What `as_json` gave."""
        return cls(
            **{name: None if told.get(name) is None else tuple(told[name]) for name in ("genres", "holdout_artists")}
        )


@dataclass(frozen=True)
class Plan:
    """What a run will do, fixed before its first step: its labels and split do not change under it."""

    genres: tuple[str, ...]
    split: Split
    spectrogram: SpectrogramRecipe
    data_fingerprint: str
    steps: int = 0

    def as_json(self) -> dict[str, Any]:
        """For the run's row and the model's card."""
        return {
            "genres": list(self.genres),
            "spectrogram": self.spectrogram.model_dump(mode="json"),
            "data_fingerprint": self.data_fingerprint,
            "steps": self.steps,
            "split": {side: [_song_as_json(song) for song in songs] for side, songs in vars(self.split).items()},
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Plan":
        """What `as_json` gave."""
        return cls(
            genres=tuple(told["genres"]),
            split=Split(
                **{side: tuple(_song_from_json(song) for song in songs) for side, songs in told["split"].items()}
            ),
            spectrogram=SpectrogramRecipe(**told["spectrogram"]),
            data_fingerprint=told["data_fingerprint"],
            steps=told["steps"],
        )


def make_plan(
    songs: Sequence[Song],
    recipe: TrainingRecipe,
    request: Request,
    spectrogram: SpectrogramRecipe,
    pairs: Iterable[tuple[str, str]] = (),
) -> Plan:
    """Choose genres and split the songs. Raises `TrainingRefused`, in a plain sentence, where that cannot be honest.

    `pairs`, the SHA-256 of songs that sound the same, are never on two sides.
    """
    require_torchaudio()
    if not songs:
        raise TrainingRefused("No song has both a genre and a spectrogram yet. Import songs, then make spectrograms.")
    chosen, genres = choose(songs, request.genres)
    split = split_by_artist(chosen, genres, seed=recipe.seed, holdout_artists=request.holdout_artists, pairs=pairs)
    data = sorted((song.sha256, list(song.label.weights)) for song in chosen)
    return Plan(genres, split, spectrogram, fingerprint({"data": data, "spectrogram": spectrogram.fingerprint}))


def _song_as_json(song: Song) -> dict[str, Any]:
    return {**vars(song), "label": dict(song.label.weights)}


def _song_from_json(told: dict[str, Any]) -> Song:
    return Song(**{**told, "label": GenreDistribution(tuple(told["label"].items()))})
