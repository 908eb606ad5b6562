"""The kinds of job: for each, how to ask for it, and how it is done."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import JobStopped, LibraryError
from core.jobs.context import JobContext
from core.jobs.queue import Job, Queue
from core.library.importing import GenreFrom, import_folder
from core.library.preprocessing import mend, preprocess
from core.library.runs import Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

Kind = Callable[[JobContext], dict[str, Any]]
"""A job's doing: its answer is the job's result."""


def submit_import(
    queue: Queue, directory: Path, genre_from: GenreFrom, *, csv_file: Path | None = None, copy: bool = False
) -> Job:
    """Ask for an import; arguments as `importing.import_folder`."""
    return _submit(
        queue,
        "import",
        {
            "directory": str(directory),
            "genre_from": genre_from,
            "csv_file": str(csv_file) if csv_file else None,
            "copy": copy,
        },
    )


def import_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_import` asked for."""
    asked = context.job.parameters
    return import_folder(
        Library(context.database),
        context.settings,
        Path(asked["directory"]),
        genre_from=asked["genre_from"],
        csv_file=Path(asked["csv_file"]) if asked["csv_file"] else None,
        copy=asked["copy"],
        job_id=context.job.id,
        on_progress=lambda done, total: context.report(done, total, "Reading files"),
    )


def submit_sample(queue: Queue) -> Job:
    """Ask for the sample library."""
    return _submit(queue, "sample", {})


def sample_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_sample` asked for."""
    from core.library import sample

    return sample.make(
        context.database,
        context.settings,
        SpectrogramRecipe(),
        job_id=context.job.id,
        check=context.check,
        on_progress=context.report,
    )


def submit_preprocess(queue: Queue, *, track_ids: Sequence[int] | None = None, retry_failed: bool = True) -> Job:
    """Ask for spectrograms of some tracks, or of all."""
    return _submit(
        queue,
        "preprocess",
        {"track_ids": None if track_ids is None else list(track_ids), "retry_failed": retry_failed},
    )


def preprocess_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_preprocess` asked for."""
    asked = context.job.parameters
    library, recipe = Library(context.database), SpectrogramRecipe()
    begun = time.monotonic()
    preprocess(
        library,
        context.settings,
        recipe,
        track_ids=asked["track_ids"],
        retry_failed=asked["retry_failed"],
        job_id=context.job.id,
        check=context.check,
        on_progress=lambda done, total: context.report(done, total, "Making spectrograms"),
    )
    made, audio_s, failed = library.spectrograms_of_job(context.job.id)
    wanted = library.counts(recipe.fingerprint)["with_sound"] if asked["track_ids"] is None else len(asked["track_ids"])
    return {
        "done": made,
        "skipped": max(0, wanted - made - len(failed)),
        "failed": failed,
        "seconds": round(time.monotonic() - begun, 2),
        "audio_seconds": round(audio_s, 1),
    }


def _mend(context: JobContext, recipe: SpectrogramRecipe) -> dict[str, Any]:
    """Make lost spectrograms again, any of which would end a job that works with all; what `failed` of them, for its result."""
    context.check()
    library = Library(context.database)

    def report(done: int, total: int) -> None:
        if total:
            context.report(done, total, "Making lost spectrograms again")

    mend(library, context.settings, recipe, job_id=context.job.id, check=context.check, on_progress=report)
    return {"failed": library.spectrograms_of_job(context.job.id)[2]}


def submit_train(queue: Queue, name: str, recipe: TrainingRecipe, request: dict[str, Any]) -> Job:
    """Ask for a training; `request` as `training.Request.as_json`. A run has one unfinished job at most."""
    parameters = {"name": name, "recipe": recipe.model_dump(mode="json"), "request": request}
    return queue.submit("train", parameters, key=f"train:{name}")


def train_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_train` asked for; the run is marked as stopped or failed if it ends so."""
    from core.learning.plan import Request
    from core.learning.training import train  # torch: only where it is needed

    asked = context.job.parameters
    runs = Runs(context.database)
    recipe = TrainingRecipe(**asked["recipe"])
    try:
        mended = _mend(context, SpectrogramRecipe())  # a stop may have come before: the run must hear of it too
        return mended | train(
            Library(context.database),
            runs,
            context.settings,
            asked["name"],
            recipe,
            Request.from_json(asked["request"]),
            check=context.check,
            on_progress=context.report,
        )
    except (Exception, KeyboardInterrupt) as error:
        run = runs.find(asked["name"])
        if run and run.state == "running" and not context.lost.is_set():
            stopped = isinstance(error, JobStopped | KeyboardInterrupt)
            runs.end(run, "stopped" if stopped else "failed", message=str(error))
        raise


def submit_speed(queue: Queue, recipe: TrainingRecipe) -> Job:
    """Ask how fast trainings by `recipe` are on this machine."""
    from core.learning.speed import likeness, machine

    asked = {"recipe": recipe.model_dump(mode="json"), "machine": machine()}
    return queue.submit("speed", asked, key=f"speed:{likeness(recipe)}")


def speed_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_speed` asked for: the result is as that of a training, of which it tells the `speed` alone."""
    context.check()
    from core.learning.speed_probe import measure  # torch: only where it is needed

    made = measure(
        TrainingRecipe(**context.job.parameters["recipe"]),
        on_progress=lambda done, total: context.report(done, total, "Trying out a training on made-up sound"),
    )
    return {"speed": made.as_json()}


def submit_evaluate(queue: Queue, model: str, folder: Path | None = None) -> Job:
    """Ask for the figures of a model on its own test songs, or on a labelled folder."""
    return _submit(queue, "evaluate", {"model": model, "folder": str(folder) if folder else None})


def evaluate_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_evaluate` asked for; the answers are kept song by song."""
    context.check()  # a job that takes its workers down must not come to what does it
    from core.learning import evaluation, model  # only where they are needed
    from core.library.evaluations import Evaluations

    asked = context.job.parameters
    loaded = model.load(model.find(context.settings, asked["model"]))
    library, keep = Library(context.database), evaluation.Keep(Evaluations(context.database), context.job.id)
    if asked["folder"] is None:
        mended = _mend(context, loaded.recipe)
        songs = library.songs(loaded.recipe.fingerprint)
        paths = {sha256: file.path for sha256, file in library.known_files()[1].items()}
        return mended | evaluation.evaluate_test_songs(
            loaded, songs, context.settings, keep=keep, paths=paths, check=context.check
        )
    return evaluation.evaluate_folder(
        loaded,
        Path(asked["folder"]),
        context.settings,
        keep=keep,
        check=context.check,
        on_progress=lambda done, total: context.report(done, total, "Listening to songs"),
    )


def submit_crossvalidate(queue: Queue, name: str, recipe: TrainingRecipe, request: dict[str, Any]) -> Job:
    """Ask for a cross-validation; `request` as `crossvalidation.Request.as_json`."""
    parameters = {"name": name, "recipe": recipe.model_dump(mode="json"), "request": request}
    return _submit(queue, "crossvalidate", parameters)


def crossvalidate_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_crossvalidate` asked for."""
    context.check()
    from core.learning.crossvalidation import Request, crossvalidate  # torch: only where it is needed
    from core.library.evaluations import Evaluations

    asked = context.job.parameters
    return _mend(context, SpectrogramRecipe()) | crossvalidate(
        Library(context.database),
        Evaluations(context.database),
        context.settings,
        asked["name"],
        TrainingRecipe(**asked["recipe"]),
        Request.from_json(asked["request"]),
        job_id=context.job.id,
        check=context.check,
        on_progress=context.report,
    )


def submit_read(
    queue: Queue,
    refs: Sequence[str | tuple[str, str]],
    *,
    take_in: bool,
    genres: Mapping[str, float] | None = None,
) -> Job:
    """Ask for playlists to be read: as a person gave them, or by (source, reference); `collecting.playlists.read`."""
    parameters = {"refs": list(refs), "take_in": take_in, "genres": None if genres is None else dict(genres)}
    return _submit(queue, "read", parameters)


def read_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_read` asked for."""
    context.check()
    from core.collecting.playlists import Wanted, all_in, read  # spotipy and yt-dlp: only where they are needed
    from core.sources.registry import sources

    asked = context.job.parameters
    known = sources(context.settings)
    wanted = [all_in(ref, known) if isinstance(ref, str) else [Wanted(ref[1], *ref)] for ref in asked["refs"]]
    answers = read(
        [one for several in wanted for one in several],
        context.database,
        context.settings,
        known,
        take_in=asked["take_in"],
        genres=asked["genres"],
        job_id=context.job.id,
        on_progress=context.report,
    )
    failed = [{"path": answer["ref"], "reason": answer["error"]} for answer in answers if answer["error"]]
    return {"playlists": answers, "failed": failed}


def submit_search(queue: Queue, genres: Sequence[str]) -> Job:
    """Ask for a search for playlists of these genres."""
    return _submit(queue, "search", {"genres": list(genres)})


def search_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_search` asked for."""
    context.check()
    from core.collecting.playlists import search
    from core.sources.registry import sources

    asked = context.job.parameters
    return search(asked["genres"], context.database, sources(context.settings), on_progress=context.report)


def submit_genre_votes(queue: Queue) -> Job:
    """Ask for the genres that MusicBrainz tells of tracks it was not asked about yet."""
    return _submit(queue, "musicbrainz", {})


def genre_votes_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_genre_votes` asked for."""
    context.check()
    from core.collecting.genre_votes import look_up
    from core.sources.musicbrainz import MusicBrainz

    return look_up(Library(context.database), MusicBrainz(context.settings), on_progress=context.report)


def submit_collect(queue: Queue, **options: Any) -> Job:
    """Ask for sound to be collected; `options` as `collecting.collect.Options`.

    There is one such job at most: if one is being done, that one is the answer, with the options it has; it takes up what
    a person has chosen since.
    """
    return queue.submit("collect", options, key="collect", replace=True)


def collect_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_collect` asked for."""
    context.check()
    from core.collecting.collect import Collector, Options  # yt-dlp: only where it is needed
    from core.library.collection import Collection

    said = context.job.parameters
    asked: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in said.items()}
    return Collector(
        Library(context.database),
        Collection(context.database),
        context.settings,
        Options(**asked),
        job_id=context.job.id,
        check=context.check,
        on_progress=context.report,
    ).run()


def submit_fetch_model(queue: Queue, url: str, sha256: str, *, name: str | None = None) -> Job:
    """Ask for a model from the web; arguments as `learning.sharing.fetch`."""
    return _submit(queue, "fetch_model", {"url": url.strip(), "sha256": sha256.strip().lower(), "name": name})


def fetch_model_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_fetch_model` asked for. The result tells the model's `name` and `genres`."""
    context.check()
    from core.learning import model, sharing

    asked = context.job.parameters
    folder = sharing.fetch(
        asked["url"],
        asked["sha256"],
        context.settings,
        name=asked["name"],
        check=context.check,
        on_progress=lambda done, total: context.report(done // 1000, total // 1000 if total else None, "kilobytes"),
    )
    return {"name": folder.name, "genres": list(model.read_card(folder).genres)}


def submit_embed(queue: Queue, model: str, *, on_map: bool = False) -> Job:
    """Ask for the embeddings of all songs by a model, and for a map of them."""
    return _submit(queue, "embed", {"model": model, "on_map": on_map})


def embed_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_embed` asked for. The result tells how many songs were `embedded` now, and there are (`songs`)."""
    context.check()
    from core.audio.store import SpectrogramStore
    from core.inference import embedding
    from core.inference.prediction import Far
    from core.learning import model
    from core.library.embeddings import Embeddings

    asked = context.job.parameters
    folder = model.find(context.settings, asked["model"])
    loaded, scheduler = model.load(folder), context.settings.dask_scheduler
    embeddings = Embeddings(context.database, loaded.card.onnx_sha256)
    store = SpectrogramStore(context.settings.spectrograms, loaded.recipe.fingerprint)
    mended = _mend(context, loaded.recipe)
    made = embedding.embed_library(
        embeddings,
        store,
        loaded,
        check=context.check,
        on_progress=lambda done, total: context.report(done, total, "Listening to songs"),
        far=Far(scheduler, partial(model.load_once, folder, loaded.card.weights_sha256)) if scheduler else None,
    )
    known = embeddings.all()
    if asked["on_map"]:
        places = embedding.tsne_map(
            known.vectors,
            check=context.check,
            on_progress=lambda share: context.report(round(100 * share), 100, "Drawing the map"),
        )
        embeddings.put_on_map(places, known.track_ids)
    told = {"model": loaded.name, "embedded": made, "songs": len(known.track_ids), "on_map": asked["on_map"]}
    return mended | told


def submit_backup(
    queue: Queue, settings: Settings, holds: str, *, to: Path | None = None, replace: bool = False
) -> Job:
    """Ask for a backup of the library as one file, `to` a path, else among the backups of the workspace.

    `LibraryError` if the file exists, unless it is to be replaced.
    """
    from core.keeping.backup import HOLDS, new_path

    if holds not in HOLDS:
        raise LibraryError(f"A backup may hold: {', '.join(HOLDS)}.")
    if to is not None and to.exists() and not replace:
        raise LibraryError(f"There is a file {to} already. Choose another name.")
    path = to.absolute() if to else new_path(settings, holds)
    return queue.submit(
        "backup", {"holds": holds, "path": str(path), "replace": replace}, key=f"backup:{holds}:{to or ''}"
    )


def backup_job(context: JobContext) -> dict[str, Any]:
    """Do what `submit_backup` asked for. The result tells its `path`, `size_bytes`, `rows` and `left_out`."""
    context.check()
    from core.keeping.backup import back_up, in_words
    from core.keeping.restoring import look

    asked = context.job.parameters
    path = Path(asked["path"])
    replace = asked.get("replace", False)
    if context.job.attempt > 1 and path.exists() and not replace:  # made whole just before a crash
        manifest = look(path)
    else:
        manifest = back_up(
            context.database,
            context.settings,
            path,
            asked["holds"],
            replace=replace,
            check=context.check,
            on_progress=lambda done, total: context.report(done // 1_000_000, total // 1_000_000, "megabytes"),
        )
    return {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "rows": manifest.rows,
        "left_out": manifest.left_out,
        "told": in_words(manifest),
    }


KINDS: dict[str, Kind] = {
    "import": import_job,
    "sample": sample_job,
    "preprocess": preprocess_job,
    "train": train_job,
    "speed": speed_job,
    "evaluate": evaluate_job,
    "crossvalidate": crossvalidate_job,
    "read": read_job,
    "search": search_job,
    "musicbrainz": genre_votes_job,
    "collect": collect_job,
    "fetch_model": fetch_model_job,
    "embed": embed_job,
    "backup": backup_job,
}


def _submit(queue: Queue, kind: str, parameters: dict[str, Any]) -> Job:
    return queue.submit(kind, parameters, key=f"{kind}:{json.dumps(parameters, sort_keys=True)}")
