"""How long a training will take on this machine, from how fast earlier ones were here. Pure, but for the machine's name.

What takes time: looking for songs that are the same recording (by song), learning (by crop), watching (by crop heard, every
epoch), and the ending: the test (by crop heard), the second voice, export, and what the model does not know (once: they
learn from a bounded number of crops). An earlier training tells all of them (`told`); where there is none, `speed_probe` measures them on made-up sound.
"""

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from core.files import fingerprint
from core.recipes import TrainingRecipe

TRAIN, VALIDATION = 0.64, 0.16
"""Of all songs, those learned from and those watched on (`splits.PARTS`: a fifth for testing, a fifth of the rest)."""


class Heard(Protocol):
    """A song, as far as its length matters."""

    @property
    def n_frames(self) -> int:
        """Frames of its spectrogram."""


@dataclass(frozen=True)
class Speed:
    """Seconds that each part of a training takes on one machine; `like` says of what trainings (`likeness`)."""

    machine: str
    like: str
    learned_crop_s: float
    watched_crop_s: float
    begun_song_s: float
    ended_crop_s: float
    ended_s: float

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return asdict(self)


def machine() -> str:
    """Name of the machine and what it has: 16 hex digits. A library that was carried to another brings no speed along."""
    return fingerprint([platform.node(), platform.machine(), os.cpu_count()])


def likeness(recipe: TrainingRecipe) -> str:
    """Trainings of one likeness take equally long for a crop: 16 hex digits."""
    same = {name: getattr(recipe, name) for name in ("network", "crop_frames", "batch_size")}
    return fingerprint({**same, "stretch": recipe.stretch > 0, "shift": recipe.shift_semitones > 0})


def crops_in(songs: Iterable[Heard], crop_frames: int) -> int:
    """Crops that are heard of whole songs, side by side."""
    return sum(max(1, math.ceil(song.n_frames / crop_frames)) for song in songs)


def remembered(results: Iterable[Mapping[str, Any] | None], recipe: TrainingRecipe) -> Speed | None:
    """The speed of the first training that was like this one and on this machine, from the results of runs, newest first."""
    here, like = machine(), likeness(recipe)
    for result in results:
        said: Any = (result or {}).get("speed")
        known = isinstance(said, Mapping) and set(said) == set(Speed.__dataclass_fields__)
        if known and (said["machine"], said["like"]) == (here, like):
            return Speed(**said)
    return None


def estimate_s(speed: Speed, recipe: TrainingRecipe, songs: Sequence[Heard]) -> float:
    """Seconds that a training with these songs will take. It may end sooner, where learning stops getting anywhere."""
    if not songs:
        return 0.0
    crops = crops_in(songs, recipe.crop_frames)
    learned = TRAIN * len(songs) * recipe.crops_per_song
    epoch_s = learned * speed.learned_crop_s + VALIDATION * crops * speed.watched_crop_s
    if recipe.max_minutes is not None:
        between_s = recipe.max_minutes * 60
    elif recipe.steps is not None:
        between_s = recipe.steps * recipe.batch_size / max(learned, 1) * epoch_s
    else:
        between_s = (recipe.epochs or 0) * epoch_s
    return len(songs) * speed.begun_song_s + between_s + crops * speed.ended_crop_s + speed.ended_s


def about(seconds: float) -> str:
    """A time as an estimate is told: `less than a minute`, `about 4 minutes`, `about 2 hours`."""
    minutes = seconds / 60
    if minutes < 0.75:
        return "less than a minute"
    if minutes < 90:
        told = round(minutes) if minutes < 20 else 5 * round(minutes / 5)
        return f"about {told} minute{'s' * (told != 1)}"
    hours = round(minutes / 60)
    return f"about {hours} hour{'s' * (hours != 1)}" if hours < 48 else f"about {round(hours / 24)} days"
