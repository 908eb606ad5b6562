"""How long a training will take: reckoned from what was measured here, and nowhere else."""

from dataclasses import dataclass, replace

import pytest

from core.learning import speed
from core.learning.speed import Speed, about, crops_in, estimate_s, likeness, machine, remembered
from core.learning.speed_probe import measure
from core.recipes import SpectrogramRecipe, TrainingRecipe

RECIPE = TrainingRecipe(network="small_resnet", crop_frames=32, batch_size=16)
HERE = Speed(machine(), likeness(RECIPE), 0.01, 0.002, 0.5, 0.003, 7.0)


@dataclass(frozen=True)
class Heard:
    n_frames: int


SONGS = [Heard(96)] * 100


def test_every_part_counts_once() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 10, "crops_per_song": 4})
    # 64 songs learned from, four crops each; 16 watched, three crops each; both ten times
    assert estimate_s(HERE, recipe, SONGS) == pytest.approx(
        100 * 0.5 + 10 * (64 * 4 * 0.01 + 16 * 3 * 0.002) + 300 * 0.003 + 7.0
    )
    assert estimate_s(HERE, recipe, []) == 0


def test_steps_and_minutes_limit_it_too() -> None:
    by_epochs = estimate_s(HERE, RECIPE.model_copy(update={"epochs": 10, "crops_per_song": 4}), SONGS)
    by_steps = RECIPE.model_copy(update={"epochs": None, "steps": 160, "crops_per_song": 4})
    assert estimate_s(HERE, by_steps, SONGS) == pytest.approx(by_epochs)  # 16 steps of 16 crops are an epoch
    by_minutes = RECIPE.model_copy(update={"epochs": None, "max_minutes": 2})
    assert estimate_s(HERE, by_minutes, SONGS) == pytest.approx(120 + 50 + 0.9 + 7)


def test_songs_are_heard_whole() -> None:
    assert crops_in([Heard(1), Heard(32), Heard(33)], 32) == 4


def test_only_trainings_like_it_on_this_machine_tell() -> None:
    elsewhere, other = replace(HERE, machine="0" * 16), replace(HERE, like="0" * 16)
    older = replace(HERE, ended_s=1.0)
    told = [None, {}, {"speed": None}, {"speed": {"machine": 3}}]
    told += [{"speed": one.as_json()} for one in (elsewhere, other, HERE, older)]
    assert remembered(told, RECIPE) == HERE
    assert remembered(told[:-2], RECIPE) is None
    assert remembered(told, RECIPE.model_copy(update={"network": "resnet18"})) is None
    assert remembered(told, RECIPE.model_copy(update={"stretch": 0.1})) is None
    assert remembered(told, RECIPE.model_copy(update={"epochs": 99, "gain_db": 1.0})) == HERE


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (3, "less than a minute"),
        (50, "about 1 minute"),
        (240, "about 4 minutes"),
        (52 * 60, "about 50 minutes"),
        (3600 * 2, "about 2 hours"),
        (3600 * 72, "about 3 days"),
    ],
)
def test_a_time_is_told_as_roughly_as_it_is_known(seconds: float, told: str) -> None:
    assert about(seconds) == told


def test_a_measurement_tells_every_part() -> None:
    parts: list[tuple[int, int]] = []
    spectrogram = SpectrogramRecipe(n_fft=128, hop_length=64, n_mels=16)
    told = measure(RECIPE, spectrogram=spectrogram, on_progress=lambda done, total: parts.append((done, total)))
    assert parts == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (told.machine, told.like) == (speed.machine(), likeness(RECIPE))
    assert all(getattr(told, name) > 0 for name in ("learned_crop_s", "watched_crop_s", "ended_crop_s", "ended_s"))
    assert remembered([{"speed": told.as_json()}], RECIPE) == told
