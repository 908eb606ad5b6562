"""Models: `train` them, and `predict` with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.evaluating import report_lines
from core.cli.frame import Home, Json, answer, app, command, do_job, progress
from core.cli.recipes import (
    USUAL,
    CropFrames,
    Epochs,
    LearningRate,
    MaxMinutes,
    Network,
    Optimizer,
    Setting,
    Steps,
    WeightDecay,
    recipe_of,
)
from core.database import Database
from core.errors import GenrescopeError
from core.files import duration_in_words
from core.jobs import kinds
from core.recipes import SpectrogramRecipe
from core.settings import Settings


@app.command()
def train(
    name: Annotated[str, typer.Option(help="Name of the run, and of the model it publishes.")],
    network: Network = USUAL.network,
    epochs: Epochs = None,
    steps: Steps = None,
    max_minutes: MaxMinutes = None,
    optimizer: Optimizer = USUAL.optimizer,
    learning_rate: LearningRate = None,
    weight_decay: WeightDecay = USUAL.weight_decay,
    crop_frames: CropFrames = USUAL.crop_frames,
    setting: Setting = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same songs, same machine: same numbers.")] = 0,
    holdout_artists: Annotated[
        Path | None, typer.Option(help="Text file, an artist a line: their songs are the test songs.")
    ] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="A genre to learn; may be repeated.", show_default="all")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Train a network and publish it as a model. The same command goes on with a run that was cut off."""
    with command(as_json, home) as settings:
        recipe = recipe_of(
            setting,
            network=network,
            epochs=epochs,
            steps=steps,
            max_minutes=max_minutes,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            crop_frames=crop_frames,
            seed=seed,
        )
        from core.learning.plan import Request, make_plan
        from core.learning.training import check_name_free
        from core.library.runs import Runs
        from core.library.store import Library

        request = Request(tuple(genre) if genre else None, _artists(holdout_artists))
        database = Database(settings.database)
        check_name_free(Runs(database), settings, name, recipe, request)
        run = Runs(database).find(name)
        if not (run and run.plan):
            spectrogram = SpectrogramRecipe()
            make_plan(Library(database).songs(spectrogram.fingerprint), recipe, request, spectrogram)
        result = do_job(settings, lambda queue: kinds.submit_train(queue, name, recipe, request.as_json()))
        lines = [
            f"{result['name']}: {result['epochs']} epochs, {result['steps']} steps in "
            f"{duration_in_words(result['seconds'])} ({result['crops_per_second']:.0f} crops a second)"
        ]
        answer(as_json, result, lines + (report_lines(result["test"]) if result["test"] else []))


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Songs.")],
    model: Annotated[str | None, typer.Option(help="Name of a model.", show_default="the newest")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which genres songs are made of, and where in the song."""
    with command(as_json, home) as settings:
        from core.inference import prediction
        from core.learning import model as models

        loaded = models.load(models.find(settings, model))
        answers: list[dict[str, Any]] = []
        with progress() as report:
            for number, file in enumerate(files):
                report(number, len(files), file.name, None)
                answers.append(_predict(prediction.predict, file, loaded, settings))
        failed = [{"path": row["file"], "reason": row["error"]} for row in answers if row["error"]]
        lines = []
        for row in answers:
            if row["error"] is None:
                best = sorted(row["spectrum"].items(), key=lambda share: -share[1])
                told = ", ".join(f"{genre} {share:.0%}" for genre, share in best if share >= 0.005)
                lines.append(f"{row['file']}: {'(unsure) ' if row['unsure'] else ''}{told}")
        answer(as_json, answers, lines, failed)


def _artists(file: Path | None) -> tuple[str, ...] | None:
    if file is None:
        return None
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise GenrescopeError(f"{file} cannot be read as a list of artists, one a line, in UTF-8: {error}") from error


def _predict(predict_file: Callable[..., Any], file: Path, model: Any, settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = {"file": str(file), "duration_s": None, "spectrum": None, "top": None, "unsure": True}
    row |= {"doubts": [], "over_time": None, "error": None}
    try:
        predicted = predict_file(file, model, max_s=settings.max_audio_s, max_bytes=settings.max_audio_bytes)
    except GenrescopeError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "duration_s": round(predicted.duration_s, 3),
        "spectrum": {genre: float(share) for genre, share in zip(predicted.genres, predicted.spectrum, strict=True)},
        "top": predicted.top,
        "unsure": predicted.unsure,
        "doubts": list(predicted.doubts),
        "over_time": {
            "starts_s": [round(float(start), 3) for start in predicted.crop_starts_s],
            "spectrum": {genre: predicted.taggram[:, i].tolist() for i, genre in enumerate(predicted.genres)},
        },
    }
