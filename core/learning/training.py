"""Training: one run from its plan to its published model, the same numbers however often it is killed."""

import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from core.audio.spectrogram import mel_filters
from core.audio.store import SpectrogramStore
from core.errors import LibraryError, ModelError
from core.learning import export, leaks, model, speed
from core.learning.evaluation import evaluate_songs
from core.learning.graph import open_graph
from core.learning.networks import GenreNetwork
from core.learning.plan import Plan, Request, make_plan
from core.learning.space_fitting import fit_space
from core.learning.trainer import Trainer
from core.library.likenesses import alike
from core.library.runs import Epoch, Run, Runs
from core.library.store import Library
from core.music import Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

TOLD_EVERY = 100
"""Songs."""


def check_name_free(runs: Runs, settings: Settings, name: str, recipe: TrainingRecipe, request: Request) -> None:
    """Raise unless `name` is free, or names an unfinished run with the same settings, which can go on."""
    model.check_name(name)
    run = runs.find(name)
    resumable = run is not None and run.state != "finished"
    if run is not None and resumable and (run.recipe, run.request) != (recipe, request.as_json()):
        raise LibraryError(
            f"The unfinished run {name!r} has other settings. Resume it with its own, or choose another name."
        )
    if (settings.models / name).exists() and not resumable:
        raise ModelError(f"There is a model named {name!r} already. Choose another name.")
    if run is not None and not resumable:
        raise LibraryError(f"There is a finished run named {name!r} already. Choose another name.")


def train(
    library: Library,
    runs: Runs,
    settings: Settings,
    name: str,
    recipe: TrainingRecipe,
    request: Request,
    *,
    spectrogram: SpectrogramRecipe | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int, str, float | None], None] = lambda done, total, message, left: None,
) -> dict[str, Any]:
    """Train the run `name` to its end and publish its model; goes on where an earlier call was cut off.

    `check` may raise to stop, between steps; `on_progress(steps done, steps, message, seconds left)` follows.
    Returns `name`, `epochs`, `steps` (done), `planned_steps` (more, if it stopped early), `seconds`, `crops_per_second`,
    `best_epoch`, and `test` as `evaluate_songs` (the songs of the test side).
    """
    check_name_free(runs, settings, name, recipe, request)
    spectrogram = spectrogram or SpectrogramRecipe()
    run = runs.begin(name, recipe, request.as_json())
    begun = time.monotonic()
    in_one_go = run.plan is None
    torch.use_deterministic_algorithms(True)
    pairs: list[tuple[str, str]] = []
    if run.plan:
        plan = Plan.from_json(run.plan)
        store = SpectrogramStore(settings.spectrograms, plan.spectrogram.fingerprint)
    else:
        store = SpectrogramStore(settings.spectrograms, spectrogram.fingerprint)
        songs = library.songs(spectrogram.fingerprint)
        pairs = alike_songs(songs, store, check, on_progress)
        plan = make_plan(songs, recipe, request, spectrogram, pairs)
    statistics = library.band_statistics([song.sha256 for song in plan.split.train], plan.spectrogram.fingerprint)
    leaks.refuse(plan.split, statistics, pairs)
    trainer = Trainer(plan, recipe, settings.runs / str(run.id), store, statistics)
    if not run.plan:
        plan = trainer.limit(check)
        runs.plan(run, plan.as_json())
    before_s = time.monotonic() - begun
    network = fit(
        trainer,
        check=check,
        on_progress=on_progress,
        on_epoch=lambda epoch: runs.add_epoch(run, epoch, trainer.spectra),
    )
    fitted_s = time.monotonic() - begun - before_s - trainer.progress.seconds
    if trainer.spectra is not None:
        runs.keep_answers(run, trainer.spectra)
    on_progress(plan.steps, plan.steps, "Testing on songs by other artists, and learning what it does not know.", None)
    result, once_s = _publish(trainer, network, run, settings, check)
    if in_one_go:
        result["speed"] = _speed(trainer, before_s, time.monotonic() - begun, once_s + fitted_s).as_json()
    runs.end(run, "finished", result=result)
    shutil.rmtree(trainer.folder, ignore_errors=True)
    return result


def alike_songs(
    songs: Sequence[Song],
    store: SpectrogramStore,
    check: Callable[[], None],
    on_progress: Callable[[int, int, str, float | None], None],
) -> list[tuple[str, str]]:
    """SHA-256 of songs that are one recording by their sound, in pairs. A large library takes a while, and that is told."""

    def report(done: int, total: int) -> None:
        if done % TOLD_EVERY == 0:
            on_progress(done, total, "Looking for songs that are the same recording.", None)

    return [(a, b) for a, b, _ in alike([song.sha256 for song in songs], store, check=check, on_progress=report)]


def fit(
    trainer: Trainer,
    *,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int, str, float | None], None] = lambda done, total, message, left: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> GenreNetwork:
    """Train to the end, from the checkpoint if there is one. Returns the network of the best epoch, calibrated.

    `check` and `on_progress` as in `train`; `on_epoch` is told of each epoch before its checkpoint is written.
    """
    trainer.resume()
    while trainer.unfinished:
        epoch = trainer.run_epoch(check, on_progress)
        on_epoch(epoch)
        trainer.save()
        on_progress(epoch.step, trainer.plan.steps, f"Epoch {epoch.epoch} done.", epoch.seconds_left)
    return trainer.finished_network(check)


def _publish(
    trainer: Trainer, network: GenreNetwork, run: Run, settings: Settings, check: Callable[[], None]
) -> tuple[dict[str, Any], float]:
    """Test the network, publish the model, and say what the run came to; and the seconds that do not grow with the songs."""
    plan, recipe = trainer.plan, trainer.recipe
    begun = time.monotonic()
    graph = export.as_onnx(network, crop_frames=recipe.crop_frames)
    once_s = time.monotonic() - begun
    answer = open_graph(
        graph, crop_frames=recipe.crop_frames, n_mels=plan.spectrogram.n_mels, n_genres=len(plan.genres)
    )
    test = evaluate_songs(
        plan.split.test,
        plan.genres,
        trainer.store,
        lambda codes: answer(codes)[0],  # as the published model will be asked: the same numbers whenever it is tested
        crop_frames=recipe.crop_frames,
        check=check,
    )
    folder = settings.models / run.name
    ours = f"{run.id} {run.created_at}"
    begun = time.monotonic()
    if not (folder.exists() and model.read_card(folder).run == ours):  # published just before a crash
        export.publish(
            folder,
            network,
            mel_filters(plan.spectrogram),
            genres=plan.genres,
            spectrogram=plan.spectrogram,
            training=recipe,
            steps=plan.steps,
            split={side: [_song_on_card(song) for song in songs] for side, songs in vars(plan.split).items()},
            data_fingerprint=plan.data_fingerprint,
            metrics=test,
            run=ours,
            graph=graph,
            space=fit_space(
                answer,
                plan.split,
                plan.genres,
                trainer.store,
                plan.spectrogram,
                crop_frames=recipe.crop_frames,
                check=check,
            ),
        )
    once_s += time.monotonic() - begun
    progress = trainer.progress
    result = {
        "name": run.name,
        "epochs": progress.epoch,
        "steps": progress.step,
        "planned_steps": plan.steps,
        "seconds": round(progress.seconds, 1),
        "crops_per_second": round(progress.crops / max(progress.training_s, 1e-9), 1),
        "best_epoch": progress.best_epoch,
        "test": test,
    }
    return result, once_s


def _speed(trainer: Trainer, before_s: float, whole_s: float, once_s: float) -> speed.Speed:
    """How fast a training was that was done in one go, of seconds: before its first step, in all, and once at its end."""
    plan, progress, frames = trainer.plan, trainer.progress, trainer.recipe.crop_frames
    songs = plan.split.train + plan.split.validation + plan.split.test
    watched = speed.crops_in(plan.split.validation, frames) * progress.epoch
    ended_s = max(0.0, whole_s - before_s - progress.seconds - once_s)
    return speed.Speed(
        machine=speed.machine(),
        like=speed.likeness(trainer.recipe),
        learned_crop_s=progress.training_s / max(progress.crops, 1),
        watched_crop_s=(progress.seconds - progress.training_s) / max(watched, 1),
        begun_song_s=before_s / len(songs),
        ended_crop_s=ended_s / speed.crops_in(songs, frames),
        ended_s=once_s,
    )


def _song_on_card(song: Song) -> dict[str, Any]:
    """What a card tells of a song: enough to find it again and to check the split, and nothing of its sound."""
    return {"sha256": song.sha256, "artist": song.artist, "title": song.title, "label": dict(song.label.weights)}
