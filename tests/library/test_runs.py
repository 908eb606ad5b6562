"""The history of trainings: begun once, taken up again, ended, forgotten."""

import dataclasses

import numpy as np
import pytest

from core.database import Database
from core.errors import LibraryError
from core.library.runs import Epoch, Runs
from core.recipes import TrainingRecipe

REQUEST = {"genres": ["a", "b"], "holdout": None}


def epoch(number: int, **changes: object) -> Epoch:
    return dataclasses.replace(
        Epoch(
            epoch=number,
            step=10 * number,
            train_loss=1 / number,
            validation_loss=2 / number,
            crop_accuracy=0.5,
            song_accuracy=0.6,
            confusion=[[3, 1], [0, 4]],
            learning_rate=1e-3,
            crops_per_second=100.0,
            seconds=5.0,
            seconds_left=50.0,
            best=number == 1,
        ),
        **changes,
    )


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


def test_a_run_comes_out_as_it_went_in(runs: Runs) -> None:
    recipe = TrainingRecipe(steps=50, seed=3, learning_rate=0.003)
    run = runs.begin("first", recipe, REQUEST)
    assert (run.name, run.state, run.recipe, run.request) == ("first", "running", recipe, REQUEST)
    assert (run.plan, run.result, run.message, run.finished_at) == (None, None, "", None)
    assert runs.get("first") == runs.find("first") == run


def test_an_unknown_run_is_told(runs: Runs) -> None:
    assert runs.find("nothing") is None
    with pytest.raises(LibraryError, match="no run named 'nothing'"):
        runs.get("nothing")


@pytest.mark.parametrize("state", ["stopped", "failed"])
@pytest.mark.parametrize("recipe", [TrainingRecipe(), TrainingRecipe(max_minutes=2)], ids=["default", "minutes"])
def test_a_run_that_ended_early_is_taken_up_again(runs: Runs, state: str, recipe: TrainingRecipe) -> None:
    run = runs.begin("first", recipe, REQUEST)
    runs.end(run, state, message="why")
    assert runs.get("first").message == "why"
    again = runs.begin("first", recipe, REQUEST)
    assert (again.id, again.state, again.message) == (run.id, "running", "")


def test_a_finished_run_stays_finished(runs: Runs) -> None:
    run = runs.begin("first", TrainingRecipe(), REQUEST)
    runs.end(run, "finished", result={"accuracy": 0.5})
    again = runs.begin("first", TrainingRecipe(), REQUEST)
    assert (again.state, again.result) == ("finished", {"accuracy": 0.5})
    assert again.finished_at is not None


@pytest.mark.parametrize("state", ["running", "stopped", "finished"])
def test_a_name_with_other_settings_is_refused(runs: Runs, state: str) -> None:
    run = runs.begin("first", TrainingRecipe(seed=1), REQUEST)
    runs.end(run, state)
    for recipe, request in [(TrainingRecipe(seed=2), REQUEST), (TrainingRecipe(seed=1), {**REQUEST, "holdout": ["x"]})]:
        with pytest.raises(LibraryError, match="with other settings"):
            runs.begin("first", recipe, request)
    assert runs.get("first").recipe.seed == 1
    assert runs.get("first").state == state


def test_a_plan_is_fixed_once(runs: Runs) -> None:
    run = runs.begin("first", TrainingRecipe(), REQUEST)
    runs.plan(run, {"steps": 5})
    runs.plan(run, {"steps": 6})
    assert runs.get("first").plan == {"steps": 5}


def test_epochs_come_in_order_and_one_done_again_replaces_its_row(runs: Runs) -> None:
    run, other = (runs.begin(name, TrainingRecipe(), REQUEST) for name in ("first", "other"))
    for number in (1, 3, 2):
        runs.add_epoch(run, epoch(number))
    runs.add_epoch(other, epoch(1, seconds=9.0))
    runs.add_epoch(run, epoch(3, seconds=7.0))
    assert runs.epochs(run) == [epoch(1), epoch(2), epoch(3, seconds=7.0)]
    assert runs.epochs(other) == [epoch(1, seconds=9.0)]


def test_runs_are_listed_newest_first(runs: Runs) -> None:
    for name in ("a", "c", "b"):
        runs.begin(name, TrainingRecipe(), REQUEST)
    assert [run.name for run in runs.list()] == ["b", "c", "a"]
    assert list(runs.states().items()) == [(run.name, run.state) for run in runs.list()]


def test_only_the_latest_answers_are_kept(runs: Runs) -> None:
    run = runs.begin("first", TrainingRecipe(), REQUEST)
    runs.plan(run, {"genres": ["a", "b"]})
    run = runs.get("first")
    assert runs.answers(run) is None
    for number in (1, 2):
        runs.add_epoch(run, epoch(number), np.array([[0.25, 0.75], [number / 4, 1 - number / 4]], np.float32))
    told = runs.answers(run)
    assert told and told.epoch == 2 and told.spectra.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    runs.keep_answers(run, np.array([[1, 0], [0, 1]], np.float32))
    told = runs.answers(run)
    assert told and told.epoch == 0 and told.spectra.tolist() == [[1, 0], [0, 1]]


def test_a_run_gets_a_note_and_another_name(runs: Runs) -> None:
    run = runs.begin("first", TrainingRecipe(), REQUEST)
    runs.begin("other", TrainingRecipe(), REQUEST)
    runs.note("first", " with *longer* crops\n")
    assert (runs.get("first").note, runs.get("other").note) == ("with *longer* crops", "")
    runs.rename("first", "second")
    assert (runs.get("second").id, runs.find("first")) == (run.id, None)
    with pytest.raises(LibraryError, match="already"):
        runs.rename("second", "other")
    for act in (lambda: runs.rename("gone", "x"), lambda: runs.note("gone", "x")):
        with pytest.raises(LibraryError, match="no run named 'gone'"):
            act()
    assert set(runs.states()) == {"second", "other"}


def test_what_runs_of_another_machine_were_doing_has_stopped(runs: Runs) -> None:
    for name, state in (("a", None), ("b", "finished"), ("c", "failed")):
        run = runs.begin(name, TrainingRecipe(), REQUEST)
        if state:
            runs.end(run, state)
    runs.stop_all("why")
    assert runs.states() == {"a": "stopped", "b": "finished", "c": "failed"}
    assert runs.get("a").message == "why"
