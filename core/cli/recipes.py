"""The options that say how a network is trained: `train` and `crossvalidate` share them."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from core.recipes import DEFAULT_EPOCHS, OPTIMIZERS, RATES, TrainingRecipe

USUAL = TrainingRecipe()

Network = Annotated[
    str,
    typer.Option(
        help="Which network: genrescope, small_resnet, resnet18, musicrecnet, musicrecnet_svm, deep_musicrecnet."
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Rounds through the training songs.", show_default=str(DEFAULT_EPOCHS))
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps, instead of epochs.")]
MaxMinutes = Annotated[float | None, typer.Option(min=0.01, help="About how long, instead of epochs.")]
Optimizer = Annotated[str, typer.Option(help="How weights are changed: adamw, adam or sgd.")]
LearningRate = Annotated[
    float | None,
    typer.Option(
        help="How big the steps are.", show_default=", ".join(f"{rate:g} {name}" for name, rate in RATES.items())
    ),
]
WeightDecay = Annotated[float, typer.Option(help="Pulls weights to zero, against learning by heart.")]
CropFrames = Annotated[int, typer.Option(help="How much of a song is heard at once, in frames of 32 ms.")]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Any other setting of the recipe as NAME=VALUE, such as mixup_alpha=0 or shift_semitones=2; may be repeated.",
    ),
]


def recipe_of(settings: list[str] | None, **chosen: Any) -> TrainingRecipe:
    """The recipe of what was chosen; `typer.BadParameter` says what may be. `settings` as from `--set`."""
    if sum(chosen[limit] is not None for limit in ("epochs", "steps", "max_minutes")) > 1:
        raise typer.BadParameter("Give only one of --epochs, --steps and --max-minutes.")
    others = sorted(set(TrainingRecipe.model_fields) - set(chosen))
    for setting in settings or ():
        name, separator, value = setting.partition("=")
        if not separator or name not in others:
            raise typer.BadParameter(
                f"--set {setting[:80]}: it takes NAME=VALUE, and NAME may be: {', '.join(others)}."
            )
        chosen[name] = value
    known = TrainingRecipe.model_fields["network"].annotation.__args__  # type: ignore[union-attr]
    for option, allowed in (("network", known), ("optimizer", tuple(OPTIMIZERS))):
        if chosen[option] not in allowed:
            raise typer.BadParameter(f"--{option} may be: {', '.join(allowed)}.")
    try:
        return TrainingRecipe(**chosen)
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ) from error
