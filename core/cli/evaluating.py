"""Evaluation: `evaluate` a model, `crossvalidate` a recipe, `compare` two evaluations, and `report` one as a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.files import Force, source, target
from core.cli.files import folder as folder_of
from core.cli.frame import Home, Json, answer, app, command, do_job
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
from core.library.evaluations import Evaluations
from core.names import clean

MAX_NAME = 80


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of its folder.")],
    folder: Annotated[Path | None, typer.Option(help="A labelled folder of audio; it is not imported.")] = None,
    genre_from: Annotated[
        str, typer.Option(help="With --folder: where the true genre comes from (folder).")
    ] = "folder",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Test a model on its own test songs, or on any labelled folder. The answers are kept, for `compare` and `report`."""
    with command(as_json, home) as settings:
        if genre_from != "folder":
            raise typer.BadParameter("--genre-from may only be: folder.")
        directory = folder_of(folder) if folder else None
        from core.learning import model as models

        found = str(models.find(settings, model))  # whole: a worker that takes the job may stand in another folder
        result = do_job(settings, lambda queue: kinds.submit_evaluate(queue, found, directory))
        answer(as_json, result, report_lines(result), result.get("failed"))


@app.command()
def crossvalidate(
    protocol: Annotated[
        str, typer.Option(help="artist-folds (honest), random (leaks on purpose, to show the gap), or given (a list).")
    ] = "artist-folds",
    folds: Annotated[int, typer.Option(min=2, max=20, help="Into how many parts songs are divided.")] = 4,
    folds_file: Annotated[
        Path | None,
        typer.Option(
            help="With given: a CSV with columns path and split (train, validation, test) or fold (a number)."
        ),
    ] = None,
    network: Network = USUAL.network,
    epochs: Epochs = None,
    steps: Steps = None,
    max_minutes: MaxMinutes = None,
    optimizer: Optimizer = USUAL.optimizer,
    learning_rate: LearningRate = None,
    weight_decay: WeightDecay = USUAL.weight_decay,
    crop_frames: CropFrames = USUAL.crop_frames,
    setting: Setting = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds and of the training.")] = 0,
    name: Annotated[
        str | None, typer.Option(help="What it is called.", show_default="its protocol and network")
    ] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="A genre to learn; may be repeated.", show_default="all")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Test a recipe on every song: in turn each part is left out, trained without, and answered.

    The same command goes on with one that was cut off.
    """
    with command(as_json, home) as settings:
        from core.learning.crossvalidation import Request, divide
        from core.learning.folds import PROTOCOLS
        from core.library.store import Library
        from core.recipes import SpectrogramRecipe

        known = {one: one for one in PROTOCOLS}
        if protocol not in known:
            raise typer.BadParameter(f"--protocol may be: {', '.join(PROTOCOLS)}.")
        if (folds_file is not None) != (protocol == "given"):
            raise typer.BadParameter("--folds-file CSV belongs to --protocol given, which needs it.")
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
        listed = str(source(folds_file).resolve()) if folds_file else None
        request = Request(known[protocol], folds, seed, tuple(genre) if genre else None, listed)
        divide(Library(Database(settings.database)), request, SpectrogramRecipe(), ())  # refused now, not in the job
        called = clean(name or f"{protocol}, {recipe.network}", limit=MAX_NAME)
        result = do_job(settings, lambda queue: kinds.submit_crossvalidate(queue, called, recipe, request.as_json()))
        answer(as_json, result, report_lines(result), result["failed"])


@app.command()
def compare(
    first: Annotated[int, typer.Argument(help="Number of an evaluation (`evaluation` in its report).")],
    second: Annotated[int, typer.Argument(help="Number of another one.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say whether one evaluation is better than another, by the songs that both answered (exact McNemar test)."""
    with command(as_json, home) as settings:
        from core.learning.comparison import compare_evaluations

        result = compare_evaluations(Evaluations(Database(settings.database)), first, second)
        answer(
            as_json,
            result,
            [
                f"{result['names'][0]} is {result['verdict']}"
                if result["p_value"] < 0.05
                else f"{result['names'][0]} and {result['names'][1]} {result['verdict']}",
                f"{result['songs']} songs in common: {result['accuracy'][0]:.1%} against {result['accuracy'][1]:.1%} right; "
                f"only the first was right about {result['only_first_right']}, only the second about "
                f"{result['only_second_right']} (p = {result['p_value']:.3g})",
            ],
        )


def report_lines(report: dict[str, Any]) -> list[str]:
    """The figures of an evaluation, for people."""
    low, high = report["interval_95"]
    width = max(len(genre) for genre in report["genres"])
    lines = [
        f"{report['songs']} songs: {report['accuracy']:.1%} right (95 % interval {low:.1%} to {high:.1%}), "
        f"macro F1 {report['macro_f1']:.3f}"
    ]
    if "ece" in report:
        lines.append(
            f"{report['top_2_accuracy']:.1%} among the first two; probabilities are off by {report['ece']:.1%} on average"
        )
    lines += [
        f"fold {fold['fold']}: {fold['accuracy']:.1%} of {fold['songs']} songs, {fold['steps']} steps in "
        f"{duration_in_words(fold['seconds'])}"
        for fold in report.get("folds", ())
    ]
    lines += [
        "confusion (rows: true genre)",
        *(
            f"  {genre:<{width}} " + " ".join(f"{count:4d}" for count in row)
            for genre, row in zip(report["genres"], report["confusion"], strict=True)
        ),
    ]
    lines += report.get("warnings", [])
    return lines + [f"left out: {file['path']}: {file['reason']}" for file in report.get("skipped", ())]


@app.command()
def report(
    evaluation: Annotated[int, typer.Argument(help="Number of an evaluation (`evaluation` in its report).")],
    html: Annotated[Path | None, typer.Option(help="Write the report here, one file that needs nothing else.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a row a song here.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Write the figures here, as a CSV.")] = None,
    force: Force = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Tell the figures of an evaluation, and write them as files."""
    with command(as_json, home) as settings:
        from core.learning import reporting

        makers = {
            "--html": (html, reporting.as_html),
            "--csv": (csv, reporting.songs_csv),
            "--figures": (figures, reporting.figures_csv),
        }
        written = [(target(path, settings, force=force), make) for path, make in makers.values() if path]
        if len({one.path for one, _ in written}) < len(written):
            raise typer.BadParameter(f"Each needs a file of its own: {', '.join(makers)}.")
        evaluations = Evaluations(Database(settings.database))
        found = evaluations.get(evaluation)
        songs = evaluations.songs(found)
        if found.report is None or not songs:
            raise GenrescopeError(f"The evaluation {evaluation} is not finished. Do it again, and it goes on.")
        for one, make in written:
            one.write(make(found, songs))
        told = reporting.figures(found, songs)
        named = [f"written: {one.path}" for one, _ in written]
        answer(as_json, told, [*reporting.sentences(told), *report_lines(told), *named])
