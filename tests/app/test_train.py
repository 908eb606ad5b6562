"""The Train page: how long it takes, what it gets wrong, runs side by side, and kept in order."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.database import Database
from core.jobs import kinds
from core.jobs.queue import Queue
from core.learning import speed
from core.library.runs import Run, Runs
from core.library.store import Library
from core.recipes import TrainingRecipe
from core.settings import Settings
from tests.app.test_pages import RECIPE, click, home, labels, queue, ready, run, show  # noqa: F401
from tests.library.test_runs import epoch

FAST = speed.Speed(speed.machine(), speed.likeness(TrainingRecipe()), 0.01, 0.0, 0.0, 0.0, 30.0)
TEST = {
    "accuracy": 0.75, "songs": 8, "interval_95": [0.41, 0.93], "genres": ["drone", "hiss"], "confusion": [[3, 1], [1, 3]],
    "per_genre": {name: {"precision": 0.75, "recall": 0.75, "f1": 0.75, "songs": 4} for name in ("drone", "hiss")},
    "top_2_accuracy": 1.0, "macro_f1": 0.75,
}  # fmt: skip
ANSWERED = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], np.float32)


@pytest.fixture
def prepared(home: Settings, ready: Path) -> Settings:  # noqa: F811
    shutil.copytree(ready, home.data)
    return home


@pytest.fixture
def runs(prepared: Settings) -> Runs:
    return Runs(Database(prepared.database))


def begun(runs: Runs, prepared: Settings, name: str, *, tested: int = 0) -> Run:
    """A run whose network is watched on four songs, two of each genre."""
    songs = Library(Database(prepared.database)).songs(RECIPE.fingerprint)
    drones = [song for song in songs if song.label.top == "drone"]
    hisses = [song for song in songs if song.label.top == "hiss"]

    def told(some: list[Any]) -> list[dict[str, Any]]:
        return [{**vars(song), "label": dict(song.label.weights)} for song in some]

    run = runs.begin(name, TrainingRecipe(), {"genres": None, "holdout_artists": None})
    split = {
        "train": told(drones[4:8] + hisses[4:8]),
        "validation": told(drones[:2] + hisses[:2]),
        "test": told(drones[2 + tested : 4 + tested] + hisses[2:4]),
        "left_out": [],
    }
    plan = {"genres": ["drone", "hiss"], "split": split, "spectrogram": RECIPE.model_dump(), "data_fingerprint": "d"}
    runs.plan(run, {**plan, "steps": 20})
    return run


def made(runs: Runs, prepared: Settings, name: str, *, tested: int = 0, finished: bool = True) -> Run:
    """Such a run, ended."""
    run = begun(runs, prepared, name, tested=tested)
    for number in (1, 2):
        runs.add_epoch(run, epoch(number), ANSWERED)
    runs.end(run, "finished" if finished else "stopped", result={"name": name, "test": TEST} if finished else None)
    return runs.get(name)


def texts(shown: Any) -> str:
    return "\n".join(part.value for kind in (shown.markdown, shown.caption, shown.info) for part in kind).replace(
        "\\", ""
    )


def test_the_minutes_are_told_before_it_begins(prepared: Settings, queue: Queue) -> None:  # noqa: F811
    shown = show("train")
    job = queue.latest("speed")
    assert job and job.unfinished and "measured on this machine" not in texts(shown)
    next(radio for radio in shown.radio if radio.label == "How thorough").set_value("Best")
    assert run(shown)
    claimed = queue.claim("me", job_id=job.id)
    assert claimed
    queue.finish(claimed, "me", "done", result={"speed": FAST.as_json()})
    run(shown)
    assert next(radio for radio in shown.radio if radio.label == "How thorough").value == "Best", "it stays chosen"
    shown = show("train")
    # 24 songs: 16 rounds of 15.4 songs of 8 crops take 20 s, the ending 30 s
    assert "Takes **about 1 minute** (measured on this machine)" in texts(shown)
    choices = next(radio for radio in shown.radio if radio.label == "How thorough")
    assert [caption.partition(".")[0] for caption in choices.proto.captions] == [
        "Less than a minute", "About 1 minute", "About 1 minute",
    ]  # fmt: skip
    choices.set_value("Quick look")
    run(shown)
    assert "Takes **less than a minute**" in texts(shown)
    assert next(one for one in shown.number_input if one.label == "Rounds through all songs").value == 6
    click(shown, "Start training")
    asked = queue.latest("train")
    assert asked and TrainingRecipe(**asked.parameters["recipe"]) == TrainingRecipe(epochs=6, crops_per_song=4)


def test_a_measurement_that_failed_is_told_and_not_tried_for_ever(prepared: Settings, queue: Queue) -> None:  # noqa: F811
    show("train")
    claimed = queue.claim("me")
    assert claimed and claimed.kind == "speed"
    queue.finish(claimed, "me", "failed", message="No *room*.")
    shown = show("train")
    assert "could not be measured. No *room*." in texts(shown) and queue.unfinished() == []
    click(shown, "Measure again")
    assert [job.kind for job in queue.unfinished()] == ["speed"]


def test_after_the_last_epoch_it_says_that_it_is_tested(prepared: Settings, queue: Queue, runs: Runs) -> None:  # noqa: F811
    run_of_two = begun(runs, prepared, "one")
    job = kinds.submit_train(queue, "one", TrainingRecipe(), {})
    assert queue.claim("me", job_id=job.id)
    for number, left in ((1, 50.0), (2, 0.0)):
        runs.add_epoch(run_of_two, epoch(number, seconds_left=left), ANSWERED)
        told = {one.label: one.value for one in show("train").metric}
        assert told["Time left"] == ("50 s" if left else "testing …")


def test_songs_it_gets_wrong_come_surest_first(prepared: Settings, runs: Runs) -> None:
    made(runs, prepared, "one")
    shown = show("train")
    told = texts(shown)
    assert "2 of 4 validation songs" in told and "after epoch 2" in told
    first, second = told.index("It says **hiss** (90%); the label is **drone**"), told.index("It says **drone** (60%)")
    assert first < second
    assert len(shown.get("audio")) == 2
    runs.keep_answers(runs.get("one"), np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))
    assert "None: all 4 validation songs are right" in texts(show("train"))


def test_runs_are_held_against_each_other(prepared: Settings, runs: Runs) -> None:
    made(runs, prepared, "one")
    made(runs, prepared, "same songs")
    assert "held against each other song by song" not in texts(show("train"))
    made(runs, prepared, "other songs", tested=4)
    runs.note("one", "=cmd() *longer*")
    shown = show("train")
    table = shown.dataframe[0].value
    assert list(table["run"]) == ["other songs", "same songs", "one"] and table["note"][2] == "=cmd() *longer*"
    assert set(table["test songs right"]) == {"75% of 8"} and set(table["probably between"]) == {"41% and 93%"}
    assert "held against each other song by song" in texts(shown)


@pytest.mark.slow
def test_a_run_is_noted_renamed_deleted_and_brought_back(prepared: Settings, runs: Runs) -> None:
    made(runs, prepared, "one")
    shown = show("train")
    shown.text_area(key="note-1").set_value("with *more* songs")
    click(run(shown), "Keep the note")
    assert runs.get("one").note == "with *more* songs" and "with *more* songs" in texts(show("train"))
    shown = show("train")
    shown.text_input(key="name-1").set_value("../two")
    assert "cannot be a run's name" in click(run(shown), "Rename").error[0].value.replace("\\", "")
    shown.text_input(key="name-1").set_value("two")
    click(run(shown), "Rename")
    assert list(runs.states()) == ["two"]
    click(show("train"), "Delete two")
    assert runs.states() == {}
    shown = show("train")
    assert "Undo: delete the run two" in labels(shown)
    click(shown, "Undo: delete the run two")
    assert runs.get("two").note == "with *more* songs" and len(runs.epochs(runs.get("two"))) == 2


def test_a_run_is_left_alone_while_it_is_trained(prepared: Settings, runs: Runs, queue: Queue) -> None:  # noqa: F811
    stopped = made(runs, prepared, "one", finished=False)
    assert {"Rename", "Delete one"} <= labels(show("train"))
    kinds.submit_train(queue, "one", stopped.recipe, stopped.request)
    shown = show("train")
    assert not {"Rename", "Delete one"} & labels(shown) and "Keep the note" in labels(shown)
