"""The options of a training: every recipe can be asked for, and what may be is told."""

from typing import Any

import pytest
import typer

from core.cli.recipes import recipe_of
from core.learning.networks import NETWORKS
from core.recipes import OPTIMIZERS, RATES, TrainingRecipe

CHOSEN: dict[str, Any] = {
    "network": "genrescope", "epochs": None, "steps": 5, "max_minutes": None, "optimizer": "adamw",
    "learning_rate": None, "weight_decay": 0.05, "crop_frames": 256, "seed": 0,
}  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_network_and_optimiser_can_be_asked_for(network: str, optimizer: str) -> None:
    recipe = recipe_of(None, **{**CHOSEN, "network": network, "optimizer": optimizer})
    assert (recipe.network, recipe.optimizer, recipe.learning_rate) == (network, optimizer, RATES[optimizer])


def test_a_rate_that_is_told_is_taken() -> None:
    assert recipe_of(None, **{**CHOSEN, "optimizer": "sgd", "learning_rate": 0.3}).learning_rate == 0.3


def test_any_other_setting_can_be_set() -> None:
    recipe = recipe_of(["mixup_alpha=0", "shift_semitones=2.5", "batch_size=16"], **CHOSEN)
    assert (recipe.mixup_alpha, recipe.shift_semitones, recipe.batch_size) == (0, 2.5, 16)
    assert recipe_of([], **CHOSEN) == TrainingRecipe(steps=5)


@pytest.mark.parametrize(
    ("settings", "changes", "told"),
    [
        (["speed=2"], {}, "NAME may be: batch_size"),
        (["seed=2"], {}, "NAME may be"),  # it has an option of its own
        (["stretch"], {}, "NAME=VALUE"),
        (["stretch=fast"], {}, "stretch: .*number"),
        (["stretch=9"], {}, "stretch: .*less than or equal to 0.5"),
        ([], {"network": "vgg"}, "--network may be: genrescope, "),
        ([], {"optimizer": "lion"}, "--optimizer may be: adamw, adam, sgd"),
        ([], {"epochs": 3}, "only one of --epochs, --steps"),
    ],
)
def test_what_may_not_be_is_told_with_what_may(settings: list[str], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        recipe_of(settings, **{**CHOSEN, **changes})
