"""Training: from a prepared workspace to a published model; the same numbers however often it is cut off."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.audio.spectrogram import dequantise
from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import JobStopped, LibraryError, ModelError, TrainingRefused
from core.jobs import kinds
from core.jobs.worker import open_queue, run_here
from core.learning import evaluation, metrics, model, speed, trainer
from core.learning.plan import Plan, Request, make_plan
from core.learning.trainer import Trainer, learning_rate, standardisation
from core.learning.training import train
from core.library.identity import shared_artist_keys
from core.library.runs import Epoch, Runs
from core.library.store import BandStatistics, Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

SPECTROGRAM = SpectrogramRecipe()
HELD_OUT = Request(holdout_artists=("Drone Artist 0", "Drone Artist 1", "Hiss Artist 0", "Hiss Artist 1"))
QUICK: dict[str, Any] = {"network": "small_resnet", "crop_frames": 32, "crops_per_song": 2, "batch_size": 16, "seed": 5}
RECIPE = TrainingRecipe(steps=13, **QUICK)
TIMES = {"crops_per_second": 0.0, "seconds": 0.0, "seconds_left": 0.0}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tests run side by side: threads of arithmetic that wait for each other would take most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def prepared(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose songs have genres and spectrograms. To be copied, not written to."""
    settings = Settings(home=tmp_path_factory.mktemp("prepared"), processes=2)
    database = Database(settings.database)
    queue = open_queue(settings, database)
    run_here(settings, database, kinds.submit_import(queue, songs_folder, "folder"))
    made = run_here(settings, database, kinds.submit_preprocess(queue)).result
    assert made and (made["done"], made["failed"]) == (24, [])
    return settings.home


class Workspace:
    """A copy of the prepared workspace, to train in."""

    def __init__(self, prepared: Path, home: Path) -> None:
        shutil.copytree(prepared, home)
        self.settings = Settings(home=home)
        self.database = Database(self.settings.database)
        self.library, self.runs = Library(self.database), Runs(self.database)

    def train(self, name: str = "a", recipe: TrainingRecipe = RECIPE, request: Request = HELD_OUT, **rest: Any) -> Any:
        return train(self.library, self.runs, self.settings, name, recipe, request, **rest)

    def epochs(self, name: str = "a") -> list[Epoch]:
        """Without what a clock says."""
        return [replace(epoch, **TIMES) for epoch in self.runs.epochs(self.runs.get(name))]

    def card(self, name: str = "a") -> model.Card:
        return model.read_card(self.settings.models / name)

    def trainer(self, folder: Path) -> Trainer:
        """The moving parts of a run that is not in the library."""
        plan = make_plan(self.library.songs(SPECTROGRAM.fingerprint), RECIPE, HELD_OUT, SPECTROGRAM)
        statistics = self.library.band_statistics([song.sha256 for song in plan.split.train], SPECTROGRAM.fingerprint)
        store = SpectrogramStore(self.settings.spectrograms, SPECTROGRAM.fingerprint)
        trainer = Trainer(plan, RECIPE, folder, store, statistics)
        trainer.limit(lambda: None)
        return trainer


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Workspace:
    return Workspace(prepared, tmp_path / "workspace")


class Undisturbed:
    """What a training that nothing disturbs comes to."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.checks = workspace, 0
        self.progress: list[tuple[int, int, str]] = []
        self.result = workspace.train(
            check=self._count,
            on_progress=lambda done, total, message, left: self.progress.append((done, total, message)),
        )
        self.epochs, self.card = workspace.epochs(), workspace.card()

    def _count(self) -> None:
        self.checks += 1

    def assert_same(self, other: Workspace, result: dict[str, Any]) -> None:
        """All that does not come from a clock is equal."""
        assert other.epochs() == self.epochs
        assert other.card().weights_sha256 == self.card.weights_sha256
        assert result["test"] == self.result["test"] == other.card().metrics
        for name in ("name", "epochs", "steps", "best_epoch"):
            assert result[name] == self.result[name]


@pytest.fixture(scope="module")
def undisturbed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(Workspace(prepared, tmp_path_factory.mktemp("undisturbed") / "workspace"))


def stop_at(number: int) -> Callable[[], None]:
    """A `check` that asks to stop when it is called for this time."""
    calls = itertools.count(1)

    def check() -> None:
        if next(calls) == number:
            raise JobStopped("Stopped.")

    return check


# -- what comes of it --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_the_finished_model_says_of_the_songs_it_was_watched_on_is_kept(undisturbed: Undisturbed) -> None:
    workspace = undisturbed.workspace
    run = workspace.runs.get("a")
    kept, plan = workspace.runs.answers(run), Plan.from_json(run.plan or {})
    assert kept and kept.epoch == 0
    loaded = model.load(workspace.settings.models / "a")
    store = SpectrogramStore(workspace.settings.spectrograms, SPECTROGRAM.fingerprint)
    said, _ = evaluation.song_spectra(plan.split.validation, store, loaded.logits, crop_frames=32, stride=16)
    np.testing.assert_allclose(kept.spectra, said, atol=1e-3)


@pytest.mark.slow
def test_while_it_learns_its_latest_answers_are_kept(workspace: Workspace) -> None:
    told: list[int] = []

    def look(done: int, total: int, message: str, left: float | None) -> None:
        if message.endswith("done."):
            run = workspace.runs.get("a")
            answers, epochs = workspace.runs.answers(run), workspace.runs.epochs(run)
            assert answers and answers.epoch == epochs[-1].epoch
            plan = Plan.from_json(run.plan or {})
            truth = np.stack([song.label.vector(plan.genres) for song in plan.split.validation])
            right = float((answers.spectra.argmax(axis=1) == truth.argmax(axis=1)).mean())
            assert right == pytest.approx(epochs[-1].song_accuracy)
            told.append(answers.epoch)

    result = workspace.train(on_progress=look)
    assert told == list(range(1, result["epochs"] + 1))


@pytest.mark.slow
def test_a_training_in_one_go_tells_how_fast_it_was(undisturbed: Undisturbed, workspace: Workspace) -> None:
    told = speed.remembered([undisturbed.result], RECIPE)
    assert told and min(told.learned_crop_s, told.watched_crop_s, told.ended_s) > 0
    with pytest.raises(JobStopped):
        workspace.train(check=stop_at(undisturbed.checks // 2))
    assert "speed" not in workspace.train()  # of two pieces: what lay between is no speed


@pytest.mark.slow
def test_it_learns_two_made_up_genres(workspace: Workspace) -> None:
    recipe = TrainingRecipe(steps=40, crop_frames=32, crops_per_song=4, batch_size=16)
    test = workspace.train(recipe=recipe)["test"]
    assert test["songs"] == 8
    assert test["accuracy"] >= 7 / 8, "one in 28 by chance"


def test_the_result_is_that_of_the_run_and_of_the_model(undisturbed: Undisturbed) -> None:
    result, workspace = undisturbed.result, undisturbed.workspace
    assert {"name", "epochs", "steps", "seconds", "crops_per_second", "best_epoch", "test"} <= set(result)
    assert (result["name"], result["steps"], result["epochs"]) == ("a", 13, len(undisturbed.epochs))
    assert result["planned_steps"] == 13
    run = workspace.runs.get("a")
    assert (run.state, run.result) == ("finished", json.loads(json.dumps(result)))
    loaded = model.load(model.find(workspace.settings, "a"))
    songs = workspace.library.songs(SPECTROGRAM.fingerprint)
    assert evaluation.evaluate_test_songs(loaded, songs, workspace.settings) == result["test"]
    assert list(workspace.settings.runs.iterdir()) == [], "its checkpoints are gone"


def test_the_card_says_what_it_was_made_of(undisturbed: Undisturbed) -> None:
    card, workspace = undisturbed.card, undisturbed.workspace
    assert card.genres == ("drone", "hiss")
    assert (card.spectrogram, card.spectrogram_fingerprint) == (SPECTROGRAM, SPECTROGRAM.fingerprint)
    assert TrainingRecipe(**card.training) == RECIPE and card.training_fingerprint == RECIPE.fingerprint
    assert (card.seed, card.steps, card.metrics) == (5, 13, undisturbed.result["test"])
    songs = {song.sha256: song for song in workspace.library.songs(SPECTROGRAM.fingerprint)}
    told = [song["sha256"] for side in ("train", "validation", "test", "left_out") for song in card.split[side]]
    assert sorted(told) == sorted(songs)
    assert {song["artist"] for song in card.split["test"]} == set(HELD_OUT.holdout_artists or ())
    by_side = [
        {name for song in card.split[side] for name in shared_artist_keys(song["artist"], song["title"])}
        for side in card.split
    ]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(by_side, 2))
    plan = Plan.from_json(workspace.runs.get("a").plan or {})
    assert plan.data_fingerprint == card.data_fingerprint and Plan.from_json(plan.as_json()) == plan


def test_every_epoch_is_a_row(undisturbed: Undisturbed) -> None:
    epochs = undisturbed.epochs
    per_epoch = epochs[0].step
    assert [epoch.epoch for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert [epoch.step for epoch in epochs] == [min(13, per_epoch * epoch.epoch) for epoch in epochs]
    validation = len(undisturbed.card.split["validation"])
    for epoch in epochs:
        assert np.sum(epoch.confusion) == validation and np.shape(epoch.confusion) == (2, 2)
        assert epoch.song_accuracy == pytest.approx(np.trace(epoch.confusion) / validation)
        assert epoch.train_loss > 0 and epoch.validation_loss > 0 and 0 <= epoch.crop_accuracy <= 1
        assert epoch.learning_rate == learning_rate(epoch.step - 1, 13, RECIPE)
    assert epochs[0].best
    assert undisturbed.result["best_epoch"] == max(epoch.epoch for epoch in epochs if epoch.best)
    timed = undisturbed.workspace.runs.epochs(undisturbed.workspace.runs.get("a"))
    assert all(epoch.seconds > 0 and epoch.crops_per_second > 0 for epoch in timed)
    assert timed[-1].seconds_left == 0


def test_progress_is_told_step_by_step_to_the_end(undisturbed: Undisturbed) -> None:
    steps = [done for done, _, _ in undisturbed.progress]
    assert steps == sorted(steps) and set(steps) == set(range(1, 14))
    assert {total for _, total, _ in undisturbed.progress} == {13}


@pytest.mark.slow
def test_another_seed_gives_another_model(undisturbed: Undisturbed, workspace: Workspace) -> None:
    workspace.train(recipe=TrainingRecipe(steps=13, **(QUICK | {"seed": 6})))
    assert workspace.card().weights_sha256 != undisturbed.card.weights_sha256


# -- statistics --------------------------------------------------------------------------------------------------------


def test_the_model_standardises_by_its_training_songs_only(undisturbed: Undisturbed) -> None:
    workspace, card = undisturbed.workspace, undisturbed.card
    store = SpectrogramStore(workspace.settings.spectrograms, SPECTROGRAM.fingerprint)

    def statistics(*sides: str) -> tuple[np.ndarray, np.ndarray]:
        S = np.concatenate([dequantise(store.read(song["sha256"])) for side in sides for song in card.split[side]])
        return S.mean(axis=0, dtype=np.float64), S.std(axis=0, dtype=np.float64)

    mean, std = statistics("train")
    weights = load_file(model.find(workspace.settings, "a") / model.WEIGHTS)
    assert np.allclose(weights["band_mean"].numpy(), mean, atol=1e-3)
    assert np.allclose(weights["band_std"].numpy(), np.maximum(std, trainer.MIN_BAND_STD), atol=1e-3)
    others, _ = statistics("train", "validation", "test")
    assert np.abs(others - mean).max() > 0.1, "with the other songs it would be another"


def test_standardisation_weighs_songs_by_their_length_and_spares_still_bands() -> None:
    rng = np.random.default_rng(0)
    songs = [rng.normal(size=(n, 3), loc=n, scale=(5, 0.1, 20)).astype(np.float32) for n in (10, 200, 31)]
    songs = [np.concatenate([song[:, :2] * [1, 0], song[:, 2:]], axis=1) for song in songs]
    told = BandStatistics(
        np.array([len(song) for song in songs], np.float32),
        np.stack([song.mean(axis=0) for song in songs]).astype(np.float32),
        np.stack([song.std(axis=0) for song in songs]).astype(np.float32),
    )
    mean, std = standardisation(told)
    joined = np.concatenate(songs)
    assert np.allclose(mean, joined.mean(axis=0), rtol=1e-4)
    assert np.allclose(std, [joined[:, 0].std(), trainer.MIN_BAND_STD, joined[:, 2].std()], rtol=1e-4)


# -- the learning rate -------------------------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_and_falls_by_half_a_cosine() -> None:
    recipe = TrainingRecipe(steps=110, learning_rate=1.0, warmup_fraction=0.1)
    rates = [learning_rate(step, 110, recipe) for step in range(110)]
    assert rates[:11] == pytest.approx([(step + 1) / 11 for step in range(11)])
    assert rates[11] == max(rates) == 1.0
    assert rates[11:] == sorted(rates[11:], reverse=True)
    assert learning_rate(11 + 33, 110, recipe) == pytest.approx(0.5 * (1 + np.cos(np.pi / 3)))
    assert 0 < rates[-1] < 0.001 and learning_rate(110, 110, recipe) == pytest.approx(0)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_learning_rate_of_a_very_short_run_is_usable(steps: int, warmup: float) -> None:
    recipe = TrainingRecipe(steps=steps, warmup_fraction=warmup)
    assert all(0 < learning_rate(step, steps, recipe) <= recipe.learning_rate for step in range(steps))


# -- cut off and taken up ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_interrupted_anywhere_and_resumed_it_comes_to_the_same(
    undisturbed: Undisturbed, workspace: Workspace, seed: int
) -> None:
    number = int(np.random.default_rng(seed).integers(1, undisturbed.checks + 1))
    with pytest.raises(JobStopped):
        workspace.train(check=stop_at(number))
    assert workspace.epochs() == undisturbed.epochs[: len(workspace.epochs())]
    undisturbed.assert_same(workspace, workspace.train())


@pytest.mark.slow
def test_interrupted_again_and_again_it_comes_to_the_same(undisturbed: Undisturbed, workspace: Workspace) -> None:
    per_epoch = undisturbed.checks // len(undisturbed.epochs) + 1
    interruptions = 0
    while True:
        try:
            result = workspace.train(check=stop_at(3 * per_epoch))
            break
        except JobStopped:
            interruptions += 1
            assert interruptions <= undisturbed.checks
    assert interruptions >= 2
    undisturbed.assert_same(workspace, result)


@pytest.mark.slow
def test_cut_off_between_an_epochs_row_and_its_checkpoint_it_comes_to_the_same(
    undisturbed: Undisturbed, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = Trainer.save, itertools.count(1)

    def die_at_the_third(trainer: Trainer) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt
        save(trainer)

    monkeypatch.setattr(Trainer, "save", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        workspace.train()
    assert len(workspace.epochs()) == 3, "its row is there, its checkpoint is not"
    undisturbed.assert_same(workspace, workspace.train())


@pytest.mark.slow
def test_cut_off_between_publishing_and_the_runs_end_it_comes_to_the_same(
    undisturbed: Undisturbed, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Runs, "end", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            workspace.train()
    published = workspace.card()
    assert workspace.runs.get("a").state == "running"
    undisturbed.assert_same(workspace, workspace.train())
    assert workspace.card() == published, "not published twice"
    assert workspace.runs.get("a").state == "finished"


@pytest.mark.slow
def test_labels_changed_in_between_do_not_change_a_run_that_has_begun(
    undisturbed: Undisturbed, workspace: Workspace
) -> None:
    with pytest.raises(JobStopped):
        workspace.train(check=stop_at(undisturbed.checks // 2))
    tracks = [track.id for track in workspace.library.tracks(SPECTROGRAM.fingerprint)]
    workspace.library.label_by_hand(tracks[:6], {"polka": 1.0}, who="me")
    undisturbed.assert_same(workspace, workspace.train())


@pytest.mark.parametrize("damage", ["cut short", "emptied", "foreign"])
@pytest.mark.parametrize("file", ["last", "best"])
def test_a_damaged_checkpoint_is_refused(workspace: Workspace, file: str, damage: str) -> None:
    with pytest.raises(JobStopped):
        workspace.train(on_progress=lambda done, total, message, left: stop_at(1)() if "done" in message else None)
    [path] = workspace.settings.runs.rglob(f"{file}.safetensors")
    if damage == "foreign":
        save_file({"other": torch.ones(3)}, path)
    else:
        path.write_bytes(path.read_bytes()[: 1000 if damage == "cut short" else 0])
    if file == "best":  # the last epochs might write it anew
        workspace_steps_done(workspace)
    with pytest.raises(ModelError, match=r"checkpoint .* is damaged"):
        workspace.train()
    assert not (workspace.settings.models / "a").exists()


def workspace_steps_done(workspace: Workspace) -> None:
    """Make the run believe that no step is left, so that only its test and publication are."""
    run = workspace.runs.get("a")
    assert run.plan
    with workspace.database.write() as db:
        db.execute("UPDATE runs SET plan = ? WHERE id = ?", (json.dumps({**run.plan, "steps": 1}), run.id))


# -- minutes, early stopping -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_minutes_become_steps_once_and_can_be_given_back_as_steps(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = TrainingRecipe(max_minutes=0.03, **QUICK)
    with pytest.raises(JobStopped):
        workspace.train("minutes", asked, on_progress=lambda *_: stop_at(1)())
    plan = workspace.runs.get("minutes").plan
    assert plan and plan["steps"] >= 1
    monkeypatch.setattr(Trainer, "measure", lambda *_: 1 // 0)  # not measured again
    result = workspace.train("minutes", asked)
    assert workspace.runs.get("minutes").plan == plan
    assert workspace.card("minutes").steps == plan["steps"]
    again = workspace.train("steps", TrainingRecipe(steps=plan["steps"], **QUICK))
    assert workspace.card("steps").weights_sha256 == workspace.card("minutes").weights_sha256
    assert again["test"] == result["test"] and workspace.epochs("steps") == workspace.epochs("minutes")


@pytest.mark.slow
def test_measuring_leaves_no_trace(workspace: Workspace, undisturbed: Undisturbed, monkeypatch) -> None:
    """A run that was measured first, and happened to get 13 steps, is the run of 13 steps."""
    measure = Trainer.measure

    def as_if_13_fitted(trainer: Trainer, check: Callable[[], None]) -> tuple[float, float]:
        step_s, song_s = measure(trainer, check)
        assert step_s > 0 and song_s > 0
        return 60 / 13.5, 0.0

    monkeypatch.setattr(Trainer, "measure", as_if_13_fitted)
    result = workspace.train(recipe=TrainingRecipe(max_minutes=1, **QUICK))
    undisturbed.assert_same(workspace, result)


@pytest.mark.slow
def test_it_stops_when_validation_gets_clearly_worse_and_keeps_the_best(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses as told, alike for every song, so that any rise is clear."""
    told = iter([1.0, 0.5, 0.7, 0.8, 0.4])

    def next_loss(truth: np.ndarray, spectra: np.ndarray) -> np.ndarray:
        return np.full(len(truth), next(told), np.float32)

    monkeypatch.setattr(metrics, "cross_entropy", next_loss)
    weights: list[dict[str, torch.Tensor]] = []
    run_epoch = Trainer.run_epoch

    def remember(trainer: Trainer, *rest: Any) -> Epoch:
        epoch = run_epoch(trainer, *rest)
        weights.append({name: tensor.clone() for name, tensor in trainer.average.state_dict().items()})
        return epoch

    monkeypatch.setattr(Trainer, "run_epoch", remember)
    result = workspace.train(recipe=TrainingRecipe(epochs=20, patience=2, **QUICK))
    epochs = workspace.epochs()
    assert [epoch.best for epoch in epochs] == [True, True, False, False]
    assert [epoch.validation_loss for epoch in epochs] == pytest.approx([1.0, 0.5, 0.7, 0.8])
    assert (result["epochs"], result["best_epoch"], result["steps"]) == (4, 2, epochs[-1].step)
    assert result["planned_steps"] == 20 * epochs[0].step
    published = load_file(workspace.settings.models / "a" / model.WEIGHTS)
    learned = {name for name in weights[1] if name.startswith("body.")}  # the rest is fitted at the end
    assert all(torch.equal(published[name], weights[1][name]) for name in learned)
    assert not all(torch.equal(published[name], weights[3][name]) for name in learned)
    assert published["temperature"] != 1


def test_patience_is_remembered_over_an_interruption(workspace: Workspace, tmp_path: Path) -> None:
    trainer = workspace.trainer(tmp_path / "run")
    trainer.run_epoch(lambda: None, lambda *_: None)
    trainer.progress.epochs_without_gain = RECIPE.patience
    trainer.lowest = np.array([0.25, 0.5], np.float32)
    trainer.save()
    resumed = workspace.trainer(tmp_path / "run")
    resumed.resume()
    assert resumed.progress == trainer.progress and not resumed.unfinished
    assert resumed.lowest is not None and resumed.lowest.tolist() == [0.25, 0.5]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_name_is_used_once_and_an_unfinished_run_goes_on_only_as_it_began(
    undisturbed: Undisturbed, workspace: Workspace
) -> None:
    with pytest.raises(ModelError, match="There is a model named 'a' already"):
        undisturbed.workspace.train()
    with pytest.raises(JobStopped):
        workspace.train(check=stop_at(1))
    with pytest.raises(LibraryError, match="The unfinished run 'a' has other settings"):
        workspace.train(recipe=TrainingRecipe(steps=14, **QUICK))
    with pytest.raises(LibraryError, match="The unfinished run 'a' has other settings"):
        workspace.train(request=Request())
    for bad in ("../a", "CON", ""):
        with pytest.raises(ModelError, match="cannot be a model's name"):
            workspace.train(bad)
    assert [run.name for run in workspace.runs.list()] == ["a"]


def test_a_finished_run_keeps_its_name_even_without_its_model(undisturbed: Undisturbed, tmp_path: Path) -> None:
    copy = Workspace(undisturbed.workspace.settings.home, tmp_path / "copy")
    model.delete(copy.settings, "a")
    with pytest.raises(LibraryError, match="There is a finished run named 'a' already"):
        copy.train()


def test_training_needs_songs(settings: Settings, database: Database) -> None:
    with pytest.raises(TrainingRefused, match="Import songs, then make spectrograms"):
        train(Library(database), Runs(database), settings, "a", RECIPE, Request())


def test_genres_can_be_chosen_and_one_is_too_few(workspace: Workspace) -> None:
    songs = workspace.library.songs(SPECTROGRAM.fingerprint)
    with pytest.raises(TrainingRefused, match="at least two are needed"):
        make_plan(songs, RECIPE, Request(genres=("drone",)), SPECTROGRAM)
    tracks = [track.id for track in workspace.library.tracks(SPECTROGRAM.fingerprint)]
    workspace.library.label_by_hand(tracks[:1], {"polka": 1.0}, who="me")
    songs = workspace.library.songs(SPECTROGRAM.fingerprint)
    with pytest.raises(TrainingRefused, match=r"Too few: polka \(1\)"):
        make_plan(songs, RECIPE, Request(), SPECTROGRAM)
    plan = make_plan(songs, RECIPE, Request(genres=("hiss", "drone")), SPECTROGRAM)
    assert plan.genres == ("drone", "hiss")


def test_a_training_that_comes_apart_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.functional, "cross_entropy", lambda logits, *_, **__: logits.sum() * float("nan"))
    with pytest.raises(TrainingRefused, match="lower learning rate"):
        workspace.train()
    assert not (workspace.settings.models / "a").exists()


@pytest.mark.parametrize("request_", [Request(), HELD_OUT, Request(genres=("a", "b")), Request((), ())])
def test_a_request_comes_back_from_its_row(request_: Request) -> None:
    assert Request.from_json(json.loads(json.dumps(request_.as_json()))) == request_


# -- other networks ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("network", ["genrescope", "musicrecnet_svm"])
def test_what_is_fitted_after_the_last_step_is_published_and_repeats_itself(
    prepared: Path, tmp_path: Path, network: str
) -> None:
    recipe = TrainingRecipe(steps=4, **{**QUICK, "network": network})
    cards = []
    for number in range(2):
        workspace = Workspace(prepared, tmp_path / str(number))
        result = workspace.train(recipe=recipe)
        cards.append(workspace.card())
        assert result["test"]["songs"] == 8
    assert cards[0].weights_sha256 == cards[1].weights_sha256
    weights = load_file(workspace.settings.models / "a" / model.WEIGHTS)
    if network == "genrescope":
        assert weights["texture.fitted"] == 1 and weights["texture.layers.0.weight"].any()
    else:
        assert weights["body.head.weight"].shape == (2, 128)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_optimiser_goes_on_where_it_was_cut_off(prepared: Path, tmp_path: Path, optimizer: str) -> None:
    recipe = TrainingRecipe(steps=7, optimizer=optimizer, **QUICK)
    whole, cut = (Workspace(prepared, tmp_path / name) for name in ("whole", "cut"))
    whole.train(recipe=recipe)
    with pytest.raises(JobStopped):
        cut.train(recipe=recipe, on_progress=lambda done, *_: stop_at(1)() if done == 5 else None)
    cut.train(recipe=recipe)
    assert cut.card().weights_sha256 == whole.card().weights_sha256


def test_a_rare_genre_counts_more_and_not_without_end(prepared: Path, tmp_path: Path) -> None:
    songs = Workspace(prepared, tmp_path / "w").library.songs(SPECTROGRAM.fingerprint)
    drone = [song for song in songs if song.label.top == "drone"]
    hiss = [song for song in songs if song.label.top == "hiss"]
    genres = ("drone", "hiss")
    assert trainer.genre_weights(songs, genres) == pytest.approx([1, 1])
    assert trainer.genre_weights([*drone, *hiss[:4]], genres) == pytest.approx([16 / 24, 2])
    assert trainer.genre_weights([*drone, hiss[0]], genres)[1] == trainer.MAX_WEIGHT


def test_machines_learn_from_a_share_of_the_songs_where_they_are_many(workspace: Workspace, tmp_path: Path) -> None:
    """Their cost grows with the square of the crops: a large library gives no more of them than a small one."""
    made = workspace.trainer(tmp_path)
    songs = len(made.plan.split.train)
    crops, targets = made._whole_crops(3, lambda: None)
    assert crops.shape == (3, 32, 128) and targets.shape == (3, 2)
    again, _ = made._whole_crops(3, lambda: None)
    assert np.array_equal(crops, again)
    all_of_them, _ = made._whole_crops(2 * songs, lambda: None)
    assert len(all_of_them) == 2 * songs
