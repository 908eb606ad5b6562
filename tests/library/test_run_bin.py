"""Deleted trainings: whole in the bin, and whole when they come back."""

from pathlib import Path

import numpy as np
import pytest

from core.database import Database
from core.errors import LibraryError
from core.jobs import kinds
from core.jobs.queue import Queue
from core.jobs.worker import open_queue
from core.library import run_bin
from core.library.runs import Run, Runs
from core.recipes import TrainingRecipe
from core.settings import Settings
from tests.library.test_runs import REQUEST, epoch


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


@pytest.fixture
def queue(settings: Settings, database: Database) -> Queue:
    return open_queue(settings, database)


@pytest.fixture
def run(runs: Runs, settings: Settings) -> Run:
    """A stopped run with all that it may have."""
    made = runs.begin("first", TrainingRecipe(), REQUEST)
    runs.plan(made, {"genres": ["a", "b"]})
    runs.add_epoch(made, epoch(1), np.eye(2, dtype=np.float32))
    runs.end(made, "stopped", message="why")
    runs.note("first", "a note")
    checkpoint = settings.runs / str(made.id)
    checkpoint.mkdir(parents=True)
    (checkpoint / "last.safetensors").write_bytes(b"weights")
    return runs.get("first")


def all_of(runs: Runs, run: Run) -> object:
    answers = runs.answers(run)
    assert answers
    return {**vars(run), "id": None}, runs.epochs(run), answers.epoch, answers.spectra.tolist()


def test_a_deleted_run_comes_back_with_its_checkpoint(runs: Runs, queue: Queue, settings: Settings, run: Run) -> None:
    before = all_of(runs, run)
    place = run_bin.delete(runs, queue, settings, "first")
    assert runs.states() == {} and not (settings.runs / str(run.id)).exists()
    assert run_bin.binned(settings) == [(place, "first")]
    assert run_bin.restore(runs, settings, place) == "first"
    assert all_of(runs, runs.get("first")) == before and runs.get("first").id == run.id
    assert (settings.runs / str(run.id) / "last.safetensors").read_bytes() == b"weights"
    assert run_bin.binned(settings) == [] and not place.exists()


def test_it_gets_another_number_where_its_own_is_taken(runs: Runs, queue: Queue, settings: Settings, run: Run) -> None:
    before = all_of(runs, run)
    place = run_bin.delete(runs, queue, settings, "first")
    other = runs.begin("other", TrainingRecipe(), REQUEST)
    assert other.id == run.id, "else this test tests nothing"
    (settings.runs / str(other.id)).mkdir()
    run_bin.restore(runs, settings, place)
    back = runs.get("first")
    assert back.id != other.id and all_of(runs, back) == before
    assert (settings.runs / str(back.id) / "last.safetensors").read_bytes() == b"weights"
    assert list((settings.runs / str(other.id)).iterdir()) == []


def test_it_stays_in_the_bin_while_another_has_its_name(runs: Runs, queue: Queue, settings: Settings, run: Run) -> None:
    place = run_bin.delete(runs, queue, settings, "first")
    runs.begin("first", TrainingRecipe(seed=3), REQUEST)
    with pytest.raises(LibraryError, match="another run named 'first'"):
        run_bin.restore(runs, settings, place)
    assert runs.get("first").recipe.seed == 3
    assert (place / run_bin.CHECKPOINT / "last.safetensors").exists()


def test_a_run_that_is_trained_stays_as_it_is(runs: Runs, queue: Queue, settings: Settings, run: Run) -> None:
    job = kinds.submit_train(queue, "first", run.recipe, REQUEST)
    for act in (
        lambda: run_bin.delete(runs, queue, settings, "first"),
        lambda: run_bin.rename(runs, queue, "first", "x"),
    ):
        with pytest.raises(LibraryError, match="is being trained"):
            act()
    assert runs.states() == {"first": "stopped"} and (settings.runs / str(run.id)).exists()
    queue.request_stop(job.id)
    run_bin.rename(runs, queue, "first", "x")
    assert runs.get("x").id == run.id


def test_a_run_whose_checkpoint_cannot_be_moved_is_not_deleted(
    runs: Runs, queue: Queue, settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path == settings.runs / str(run.id):
            raise PermissionError("no")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError):
        run_bin.delete(runs, queue, settings, "first")
    assert runs.states() == {"first": "stopped"} and (settings.runs / str(run.id)).exists()
    assert run_bin.binned(settings) == []


def test_nonsense_in_the_bin_is_passed_over(runs: Runs, settings: Settings) -> None:
    for name, text in (
        ("a", "no json"),
        ("b", "{}"),
        ("c", '{"run": {"name": "x", "evil); --": 1}, "epochs": [], "answers": []}'),
    ):
        place = run_bin.folder_of(settings) / name
        place.mkdir(parents=True)
        (place / run_bin.ROWS).write_text(text)
    assert [name for _, name in run_bin.binned(settings)] == ["x"]
    for name in "abc":
        with pytest.raises(LibraryError, match="cannot be brought back"):
            run_bin.restore(runs, settings, run_bin.folder_of(settings) / name)
    assert runs.states() == {}
