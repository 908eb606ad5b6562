"""The Label page: the queue, what is decided with a button, and recordings that are there twice."""
# ruff: noqa: F811 - fixtures are imported, and then named by tests

import shutil
from pathlib import Path

import numpy as np
import pytest

from app import label_charts
from core.database import Database
from core.jobs.queue import Queue
from core.library.catalogue import Catalogue
from core.library.collection import Collection
from core.library.label_reviews import LabelReviews
from core.library.store import Library, TrackRow
from core.settings import Settings
from tests.app.test_pages import (  # noqa: F401 - fixtures
    GENRE,
    NAME,
    RECIPE,
    answered,
    click,
    dangers,
    database,
    doubted,
    home,
    labels,
    markdown,
    queue,
    ready,
    run,
    show,
)

ALIKE = (frozenset(f"{number:064d}" for number in range(1, 9)), [(f"{4:064d}", f"{5:064d}", 0.93)])


def track(database: Database, number: int) -> TrackRow:
    (row,) = Library(database).tracks(RECIPE.fingerprint, track_id=number)
    return row


def weights(database: Database, number: int) -> dict[str, float]:
    label = track(database, number).label
    return {genre: round(weight, 3) for genre, weight in label.weights} if label else {}


def text(shown: object) -> str:
    return " ".join(markdown(shown)).replace("\\", "")  # type: ignore[arg-type]


@pytest.fixture
def asked(home: Settings, ready: Path) -> Database:
    """24 songs; of the first, a drone, the machine says that it is hiss; the last is new."""
    shutil.copytree(ready, home.data)
    database = Database(home.database)
    answered(database, ("drone", "hiss"))
    return database


def first(database: Database) -> int:
    return Library(database).tracks(RECIPE.fingerprint)[0].id


def test_without_answers_it_is_told_why_to_ask_and_asking_is_begun(
    home: Settings,
    ready: Path,
    queue: Queue,
) -> None:
    shutil.copytree(ready, home.data, dirs_exist_ok=True)
    shown = show("label")
    assert "only repeats them" in text(shown) and "Ask about 24 songs" in labels(shown)
    assert shown.number_input[0].value == 10.0
    shown.number_input[0].set_value(2.0)
    shown = click(shown, "Ask about 24 songs")
    (job,) = queue.unfinished()
    assert job.kind == "crossvalidate" and job.parameters["request"]["protocol"] == "artist-folds"
    assert job.parameters["recipe"]["max_minutes"] == 0.5, "of two minutes, a quarter for each of four networks"
    assert not any(label.startswith("Ask about") for label in labels(shown)), "it is being asked"


def test_what_cannot_be_asked_about_is_told(home: Settings, ready: Path, queue: Queue) -> None:
    shutil.copytree(ready, home.data, dirs_exist_ok=True)
    shown = show("label")
    shown.multiselect[0].set_value(["drone"])
    shown = click(run(shown), "Ask about 12 songs")
    assert "at least two are needed" in shown.error[0].value.replace("\\", "") and queue.unfinished() == []


def test_the_suspected_song_is_shown_with_label_answer_and_votes(asked: Database) -> None:
    shown = show("label")
    told = text(shown)
    assert "0 of 1 suspected looked at" in told and "1 of 1." in told
    assert "The machine says **hiss** (95%). To your label, drone, it gives 5%." in told
    assert "drone: folder" in told and "agreed with 96% of the labels" in told
    assert "1 song not asked about" in text(shown)
    assert {"It is right: drone", "It is hiss", "Not music", "Wrong song"} <= labels(shown)


def test_a_label_is_confirmed_and_the_song_leaves_the_queue(asked: Database) -> None:
    number = first(asked)
    shown = click(show("label", who="Ada"), "It is right: drone")
    review = LabelReviews(asked).all()[number]
    assert (review.decision, review.who) == ("confirmed", "Ada")
    assert "Nothing suspicious is left" in text(shown) and "1 of 1 suspected looked at" in text(shown)
    assert "Train a network" in labels(shown)
    shown = click(shown, "Undo: confirmed")
    assert "0 of 1 suspected looked at" in text(shown) and LabelReviews(asked).all() == {}


def test_a_label_is_changed_to_what_is_suggested(asked: Database) -> None:
    number = first(asked)
    shown = click(show("label"), "It is hiss")
    assert weights(asked, number) == {"hiss": 1.0}
    assert "with the labels of now it agrees with 100%" in text(shown) and "1 label changed here" in text(shown)


def test_several_genres_are_given_with_weights(asked: Database) -> None:
    shown = show("label")
    several = next(one for one in shown.multiselect if (one.key or "").startswith("several"))
    several.set_value(["drone", "hiss"])
    shown = run(shown)
    next(one for one in shown.number_input if one.label == "Weight of hiss").set_value(3.0)
    click(run(shown), "Give these")
    assert weights(asked, first(asked)) == {"hiss": 0.75, "drone": 0.25}


def test_what_is_no_music_is_set_aside_and_can_be_used_again(asked: Database) -> None:
    number = first(asked)
    shown = click(show("label"), "Not music")
    assert track(asked, number).set_aside and "Set aside here: 1 song" in text(shown)
    shown = show("label", aside={"selection": {"rows": [0], "columns": [], "cells": []}})
    click(shown, "Use 1 again")
    assert not track(asked, number).set_aside and LabelReviews(asked).all() == {}


def test_a_wrong_song_of_ones_own_is_set_aside_and_that_is_told_before(asked: Database) -> None:
    shown = show("label")
    assert "it came from your own files, so it is set aside" in text(shown)
    shown = click(shown, "Wrong song")
    assert track(asked, first(asked)).set_aside and "Set aside" in shown.success[0].value


def test_a_wrong_song_that_was_collected_goes_back_to_be_searched_for(database: Database) -> None:
    doubted(database)
    shown = show("label", **{"label-order": "uncertainty", "labelled": 2})
    assert "it loses this sound and is searched for on" in text(shown)
    shown = click(shown, "Wrong song")
    assert Collection(database).standings()[2].state == "waiting" and not track(database, 2).has_sound
    assert "searched for on" in shown.success[0].value


def test_all_songs_come_by_uncertainty_and_the_new_one_last(asked: Database) -> None:
    shown = show("label", **{"label-order": "uncertainty"})
    assert "1 of 24." in text(shown)
    last = Library(asked).tracks(RECIPE.fingerprint)[-1].id
    shown = show("label", **{"label-order": "uncertainty", "labelled": last})
    assert "24 of 24." in text(shown) and "was not asked about this song" in text(shown)


def test_a_song_that_is_put_off_comes_again_and_another_is_shown(asked: Database) -> None:
    shown = show("label", **{"label-order": "uncertainty"})
    before = shown.session_state["labelled"]
    shown = click(shown, "Later")
    assert shown.session_state["labelled"] != before and "2 of 24." in text(shown)
    click(shown, "It is right")
    assert LabelReviews(asked).all().keys().isdisjoint({before})


def test_one_genre_can_be_looked_at(asked: Database) -> None:
    shown = show("label", **{"label-order": "uncertainty", "label-genre": "hiss"})
    assert "1 of 13." in text(shown), "twelve labelled so, and the one that the machine takes for it"


def test_a_name_is_kept_beside_each_decision(asked: Database) -> None:
    shown = show("label")
    shown.text_input[0].set_value("Ada")
    shown = run(shown)
    click(shown, "It is hiss")
    assert LabelReviews(asked).all()[first(asked)].who == "Ada"
    shown = show("label", **{"label-order": "uncertainty"})
    assert dangers(shown) == []


@pytest.mark.parametrize("order", ["suspicion", "uncertainty"])
def test_names_do_no_harm(database: Database, order: str) -> None:
    doubted(database)
    for number in range(1, 9):
        shown = show("label", **{"label-order": order, "labelled": number, "who": NAME})
        assert dangers(shown) == []
    assert dangers(show("label", **{"label-view": "twins", "alike": ALIKE})) == []


@pytest.mark.parametrize(("button", "kept"), [("Keep the first", 4), ("Keep the second", 5)])
def test_two_recordings_become_one_track(database: Database, button: str, kept: int) -> None:
    doubted(database)
    shown = click(show("label", **{"label-view": "twins", "alike": ALIKE}), button)
    assert {number: track(database, number).set_aside for number in (4, 5)} == {4: kept != 4, 5: kept != 5}
    assert "No two songs sound like one recording" in text(shown)
    shown = click(shown, "Undo")
    assert "93% alike" in text(shown) and not track(database, 4).set_aside


def test_two_recordings_are_kept_apart(database: Database) -> None:
    doubted(database)
    shown = click(show("label", **{"label-view": "twins", "alike": ALIKE}), "Two recordings")
    assert Catalogue(database).kept_apart() == {(4, 5)} and "No two songs sound like" in text(shown)


def test_recordings_are_listened_to_when_asked(home: Settings, ready: Path) -> None:
    shutil.copytree(ready, home.data)
    shown = show("label", **{"label-view": "twins"})
    assert "No two songs" not in text(shown), "nobody has listened yet"
    shown = click(shown, "Listen to 24 songs")
    sounds, _ = shown.session_state["alike"]
    assert len(sounds) == 24 and not any(label.startswith("Listen") for label in labels(shown))


def test_label_and_answer_stand_side_by_side() -> None:
    chart = label_charts.label_and_answer(
        {"rock": 0.5, "polka": 0.5}, np.array([0.7, 0.295, 0.005], np.float32), ("jazz", "rock", "pop")
    )
    rows = chart.data.to_dict("records")
    assert list(dict.fromkeys(row["genre"] for row in rows)) == ["jazz", "polka", "rock"]
    shares = {(row["genre"], row["says"]): round(row["share"], 3) for row in rows}
    assert shares[("polka", label_charts.MACHINE)] == 0.0 and shares[("polka", label_charts.YOURS)] == 0.5
    assert shares[("rock", label_charts.MACHINE)] == 0.295 and shares[("jazz", label_charts.YOURS)] == 0.0
    chart.to_dict()
