"""Models: `train` them, and `predict` with them."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.evaluating import report_lines
from core.cli.files import Force, source, target
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
from core.jobs.compute import Limits
from core.recipes import SpectrogramRecipe
from core.settings import Settings

if TYPE_CHECKING:
    from core.inference.result import Sound

Model = Annotated[str | None, typer.Option(help="Name of a model.", show_default="the newest")]

NO_ANSWER: dict[str, Any] = {
    **dict.fromkeys(("file", "duration_s", "spectrum", "top"), None),
    "unsure": True,
    "doubts": [],
    **dict.fromkeys(("over_time", "verdict"), None),
    "neighbours": [],
    "error": None,
}


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
        tested = report_lines(result["test"]) if result["test"] else []
        answer(as_json, result, lines + tested, result["failed"])


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Songs.")],
    model: Model = None,
    neighbours: Annotated[
        int, typer.Option(min=0, max=100, help="Songs of the library that sound alike; it must have been embedded.")
    ] = 5,
    other_artists: Annotated[
        bool, typer.Option("--other-artists", help="Among them, none by the artist that the file's tags name.")
    ] = False,
    start: Annotated[float, typer.Option(min=0, help="They sound like the part from this second on ...")] = 0.0,
    end: Annotated[
        float | None, typer.Option(min=0, help="... to this one.", show_default="the end of the song")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the result of one song here, a page that needs nothing else.")
    ] = None,
    force: Force = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which genres songs are made of and where, what of it is sure, and what sounds alike."""
    with command(as_json, home) as settings:
        from core.inference import apart
        from core.inference.prediction import Far, predict_each
        from core.inference.result import as_html, verdict_document
        from core.inference.why import why as why_of
        from core.learning import model as models

        if html and len(files) != 1:
            raise typer.BadParameter("A page tells of one song.", param_hint="--html")
        folder = models.find(settings, model)
        page = target(html, settings, force=force, inputs=[*files, folder]) if html else None
        loaded, scheduler = models.load(folder), settings.dask_scheduler
        far = None
        if scheduler and len(files) > 1:  # a song alone is answered before a cluster is asked
            far = Far(scheduler, partial(models.load_once, folder, loaded.card.weights_sha256))
        known = _Known(settings, loaded) if neighbours else None
        limits: dict[str, Any] = {
            "max_s": settings.max_audio_s,
            "max_bytes": settings.max_audio_bytes,
            "decode": partial(apart.codes_of, limits=Limits.of(settings), keep=True),
        }
        answers: list[dict[str, Any]] = []
        with progress() as report:

            def tell(done: float) -> None:
                report(int(done), len(files), files[int(done)].name, None)

            tell(0)
            told_of = predict_each([file.absolute() for file in files], loaded, on_progress=tell, far=far, **limits)
            for file, told in zip(files, told_of, strict=True):
                row = dict(NO_ANSWER, file=str(file))
                answers.append(row)
                try:
                    if isinstance(told, GenrescopeError):
                        raise told
                    part = told.embedding(start, told.duration_s if end is None else end)
                    similar = known.like(part, told.packets_sha256, file, other_artists, neighbours) if known else []
                    row |= _document(told) | {
                        "verdict": verdict_document(told),
                        "neighbours": [vars(one) for one in similar],
                    }
                    if page:
                        spoke = why_of(file, loaded, genre=told.top, **limits)
                        page.write(as_html(file.name, told, similar, spoke, sound=_sound_of(file, settings)))
                except GenrescopeError as error:
                    row["error"] = str(error)
        failed = [{"path": row["file"], "reason": row["error"]} for row in answers if row["error"]]
        lines = []
        for row in answers:
            if row["error"] is None:
                best = sorted(row["spectrum"].items(), key=lambda share: -share[1])
                shares = ", ".join(f"{genre} {share:.0%}" for genre, share in best if share >= 0.005)
                lines.append(f"{row['file']}: {'(unsure) ' if row['unsure'] else ''}{shares}")
                lines.append(f"  {row['verdict']['sentence']}")
                lines += [
                    f"  sounds like {one['artist'] + ' - ' if one['artist'] else ''}{one['title']} ({one['likeness']:.0%})"
                    for one in row["neighbours"]
                ]
        answer(as_json, answers, lines, failed)


def _sound_of(file: Path, settings: Settings) -> "Sound":
    """A song as browsers play it."""
    from core.audio import waveform
    from core.inference.result import Sound

    kind = waveform.PLAYABLE.get(file.suffix.lower())
    data = file.read_bytes() if kind else waveform.as_wav(waveform.load(file, max_s=settings.max_audio_s))
    return Sound(data, kind or "audio/wav")


@app.command()
def why(
    file: Annotated[Path, typer.Argument(help="A song.")],
    genre: Annotated[str | None, typer.Option(help="What spoke for it?", show_default="the strongest")] = None,
    start: Annotated[
        float | None, typer.Option(min=0, help="Second to begin at.", show_default="where the genre is strongest")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=300, help="Length of the stretch to look into.")] = 30.0,
    model: Model = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which seconds and which frequencies of a song spoke for a genre."""
    with command(as_json, home) as settings:
        from core.inference.result import clock, hertz, reasons_document, reasons_in_words
        from core.inference.why import why as why_of
        from core.learning import model as models

        loaded = models.load(models.find(settings, model))
        with progress() as report:
            told = why_of(
                file,
                loaded,
                genre=genre,
                start_s=start,
                seconds=seconds,
                max_s=settings.max_audio_s,
                max_bytes=settings.max_audio_bytes,
                on_progress=lambda share: report(round(100 * share), 100, "Covering patches", None),
            )
        bands = [
            f"  {hertz(told.edges_hz[i])} to {hertz(told.edges_hz[i + 1])}: {value:+.2f}"
            for i, value in enumerate(told.by_band.tolist())
        ]
        head = f"{file.name}, {clock(told.edges_s[0])} to {clock(told.edges_s[-1])}: {told.genre} {told.share:.0%}"
        lines = [
            head,
            reasons_in_words(told),
            "By frequency, on average (above 0 for it, below against it; log-odds):",
            *bands,
        ]
        answer(as_json, {"file": str(file), **reasons_document(told)}, lines)


@app.command()
def embed(
    model: Model = None,
    on_map: Annotated[bool, typer.Option("--map", help="Also draw the map of all songs (t-SNE).")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Listen to all songs of the library with a model, so that it can tell what sounds alike, and map them."""
    with command(as_json, home) as settings:
        from core.learning import model as models

        name = models.find(settings, model).name
        result = do_job(settings, lambda queue: kinds.submit_embed(queue, name, on_map=on_map))
        result["outliers"] = _outliers(settings, models.load(models.find(settings, model)))
        lines = [f"{result['songs']} songs are embedded by {name}, {result['embedded']} of them now."]
        for genre, songs in result["outliers"].items():
            named = "; ".join(f"{song['artist']} - {song['title']}" for song in songs[:5])
            lines.append(f"far from the rest of {genre}: {named}")
        answer(as_json, result, lines, result["failed"])


def _outliers(settings: Settings, model: Any) -> dict[str, list[dict[str, Any]]]:
    """Of each genre, the songs that lie farthest from it, the farthest first."""
    from core.inference.embedding import outliers
    from core.library.embeddings import Embeddings
    from core.library.store import Library

    database = Database(settings.database)
    known = Embeddings(database, model.card.onnx_sha256).all()
    tracks = {track.id: track for track in Library(database).tracks(model.recipe.fingerprint) if not track.set_aside}
    rows = [row for row, number in enumerate(known.track_ids) if number in tracks and tracks[number].label]
    labelled = [tracks[known.track_ids[row]] for row in rows]
    found = outliers(known.vectors[rows], [track.label.top for track in labelled if track.label]) if rows else {}
    return {
        genre: [
            {name: getattr(labelled[place], name) for name in ("id", "artist", "title", "path")} for place in places
        ]
        for genre, places in found.items()
    }


class _Known:
    """The songs of the library that a model has embedded."""

    def __init__(self, settings: Settings, model: Any) -> None:
        from core.inference.neighbours import Neighbourhood
        from core.library.embeddings import Embeddings
        from core.library.store import Library

        self.tracks, self.neighbourhood = {}, None
        if not settings.database.exists():
            return  # to predict needs no library, and makes none
        database = Database(settings.database)
        embedded = Embeddings(database, model.card.onnx_sha256).all()
        if embedded.track_ids:
            self.tracks = {track.id: track for track in Library(database).tracks(model.recipe.fingerprint)}
            self.neighbourhood = Neighbourhood(embedded.track_ids, embedded.vectors)

    def like(self, embedding: Any, packets_sha256: str, file: Path, other_artists: bool, n: int) -> list[Any]:
        """The songs most like an embedding; not the recording itself, nor, if asked, songs of its file's artist."""
        from core.audio.waveform import probe
        from core.inference.neighbours import similar
        from core.text_encoding import readable

        if self.neighbourhood is None or embedding is None:
            return []
        artist = readable(probe(file).tags.get("artist", "")) if other_artists else ""
        return similar(self.neighbourhood, self.tracks, embedding, n=n, sha256=packets_sha256, not_by=artist)


def _artists(file: Path | None) -> tuple[str, ...] | None:
    if file is None:
        return None
    try:
        return tuple(line.strip() for line in source(file).read_text(encoding="utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise GenrescopeError(f"{file} cannot be read as a list of artists, one a line, in UTF-8: {error}") from error


def _document(predicted: Any) -> dict[str, Any]:
    return {
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
