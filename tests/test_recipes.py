"""Recipes: they check themselves, survive JSON, and every setting is in the fingerprint."""

import math
from typing import Annotated, Any

import pytest
from annotated_types import MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.recipes import DEFAULT_EPOCHS, Recipe, SpectrogramRecipe, TrainingRecipe

LIMITS = {"epochs", "steps", "max_minutes"}


def _values(recipe: type[Recipe], name: str) -> st.SearchStrategy[Any]:
    """Every value that the recipe says it accepts."""
    field = recipe.model_fields[name]
    bounds = [bound for bound in field.metadata if not isinstance(bound, MultipleOf)]
    step = next((bound.multiple_of for bound in field.metadata if isinstance(bound, MultipleOf)), 1)
    if field.annotation is float:
        return st.from_type(Annotated[(float, *bounds)]).filter(math.isfinite)
    values = st.from_type(Annotated[(field.annotation, *bounds)] if bounds else field.annotation)
    return values if step == 1 else values.map(lambda value: value // step * step)


SPECTROGRAM = {name: _values(SpectrogramRecipe, name) for name in SpectrogramRecipe.model_fields}
SPECTROGRAM["hop_length"] = st.integers(16, 64)  # never more than n_fft
TRAINING = {name: _values(TrainingRecipe, name) for name in TrainingRecipe.model_fields if name not in LIMITS}
spectrogram_recipes = st.fixed_dictionaries(SPECTROGRAM).map(lambda fields: SpectrogramRecipe(**fields))
training_recipes = st.fixed_dictionaries(TRAINING | {"steps": st.integers(1, 10_000)}).map(
    lambda fields: TrainingRecipe(**fields)
)


@given(recipe=spectrogram_recipes, name=st.sampled_from(sorted(SPECTROGRAM)), data=st.data())
def test_any_change_of_a_spectrogram_changes_the_fingerprint(
    recipe: SpectrogramRecipe, name: str, data: st.DataObject
) -> None:
    _changed(recipe, name, data.draw(SPECTROGRAM[name]))


@given(recipe=training_recipes, name=st.sampled_from(sorted(TRAINING)), data=st.data())
def test_any_change_of_a_training_changes_the_fingerprint(
    recipe: TrainingRecipe, name: str, data: st.DataObject
) -> None:
    _changed(recipe, name, data.draw(TRAINING[name]))


def _changed(recipe: Recipe, name: str, value: Any) -> None:
    other = type(recipe)(**{**recipe.model_dump(), name: value})
    assert (other.fingerprint == recipe.fingerprint) == (value == getattr(recipe, name))
    assert len(other.fingerprint) == 16


def test_the_kind_of_limit_is_in_the_fingerprint() -> None:
    recipes = [TrainingRecipe(epochs=5), TrainingRecipe(steps=5), TrainingRecipe(max_minutes=5)]
    assert len({recipe.fingerprint for recipe in recipes}) == 3


def test_recipes_of_two_kinds_never_share_a_fingerprint() -> None:
    class One(Recipe):
        number: int = 1

    class Other(Recipe):
        number: int = 1

    assert One().fingerprint != Other().fingerprint


def test_the_default_spectrogram_keeps_its_fingerprint() -> None:
    """Spectrograms and models out there lie under it; a new default is a new fingerprint, told in the changelog."""
    recipe = SpectrogramRecipe()
    assert (recipe.sample_rate, recipe.n_fft, recipe.hop_length, recipe.n_mels) == (16_000, 2048, 512, 128)
    assert (
        recipe.fingerprint == SpectrogramRecipe(n_mels=128, hop_length=512, n_fft=2048, sample_rate=16_000).fingerprint
    )
    assert recipe.fingerprint == "6c8f30ae753d0515"


@given(st.one_of(spectrogram_recipes, training_recipes))
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    again = type(recipe).model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint
    assert type(recipe)(**recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("limit", [{}, {"epochs": 3}, {"steps": 3}, {"max_minutes": 0.5}], ids=str)
def test_every_limit_survives_json(limit: dict[str, float]) -> None:
    recipe = TrainingRecipe(**limit)  # type: ignore[arg-type]
    again = TrainingRecipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


def test_without_a_limit_a_training_has_the_default_epochs() -> None:
    assert TrainingRecipe().epochs == DEFAULT_EPOCHS
    assert TrainingRecipe() == TrainingRecipe(epochs=DEFAULT_EPOCHS)
    assert TrainingRecipe(steps=5).epochs is None
    assert TrainingRecipe(max_minutes=5).epochs is None


@pytest.mark.parametrize("limits", [("epochs", "steps"), ("steps", "max_minutes"), ("epochs", "max_minutes")])
def test_two_limits_are_refused(limits: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match="only one of epochs, steps and max_minutes"):
        TrainingRecipe(**dict.fromkeys(limits, 5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 100},
        {"n_fft": 0},
        {"n_fft": 65},
        {"hop_length": 0},
        {"n_fft": 512, "hop_length": 513},
        {"n_mels": 0},
        {"n_mels": 128.5},
        {"colour": "blue"},
    ],
    ids=str,
)
def test_an_impossible_spectrogram_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SpectrogramRecipe(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"steps": -1},
        {"max_minutes": 0},
        {"max_minutes": float("nan")},
        {"seed": -1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"batch_size": 1},
        {"label_smoothing": 1},
        {"warmup_fraction": 1},
        {"patience": 0},
        {"network": "imaginary"},
        {"epoch": 3},
    ],
    ids=str,
)
def test_an_impossible_training_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingRecipe(**wrong)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SpectrogramRecipe().n_mels = 64


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(0, 1), (1, 1), (511, 1), (512, 2), (16_000, 32), (960_000, 1_876)]
)
def test_frames_of_a_song(n_samples: int, n_frames: int) -> None:
    assert SpectrogramRecipe().n_frames(n_samples) == n_frames


def test_a_frame_takes_a_hop() -> None:
    assert SpectrogramRecipe().frame_s == 0.032
