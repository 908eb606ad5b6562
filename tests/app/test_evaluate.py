"""The Evaluate page: its words, its songs, its comparisons and its files."""

import csv
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import evaluation_charts, state
from core.database import Database
from core.files import FORMULA
from core.jobs.queue import Queue
from core.learning import metrics, reporting
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations
from core.settings import Settings
from tests.app.test_pages import GENRE, NAME, click, home, labels, queue, show  # noqa: F401

GENRES = (GENRE, "polka", "=1+1")


def answered(
    evaluations: Evaluations, name: str, right: int, about: dict[str, Any] | None = None, n: int = 30
) -> Evaluation:
    """An evaluation of `n` songs, of which the last `right` are right; the others are taken for the next genre."""
    about = about or {}
    evaluation = evaluations.begin(name, "crossvalidation" if about else "folder", about, GENRES)
    songs = []
    for number in range(n):
        true = number % 3
        spectrum = np.full(3, 0.1, np.float32)
        spectrum[true if number >= n - right else (true + 1) % 3] = 0.8
        title = f"{NAME} {number}" if number % 2 else f"=HYPERLINK({number})"
        truth = np.eye(3, dtype=np.float32)[true]
        songs.append(
            EvaluatedSong(f"{number:064x}", f"/no/such/{number}.mp3", title, NAME, number % 2, truth, spectrum)
        )
    evaluations.add_songs(evaluation, songs)
    report = metrics.report(np.stack([s.truth for s in songs]), np.stack([s.spectrum for s in songs]), GENRES)
    if about:
        fold = {name: report[name] for name in ("songs", "accuracy", "interval_95", "ece")}
        report |= {"folds": [{"fold": 0, **fold, "steps": 3, "seconds": 1.0}], "warnings": [NAME], **about}
    evaluations.finish(evaluation, report)
    return evaluations.get(evaluation.id)


@pytest.fixture
def evaluations(home: Settings) -> Evaluations:  # noqa: F811
    return Evaluations(Database(home.database))


def words(shown: AppTest) -> str:
    elements = [*shown.markdown, *shown.info, *shown.warning, *shown.caption]
    return "\n".join(str(element.value) for element in elements).replace("\\", "")


def test_a_report_is_told_in_words(evaluations: Evaluations) -> None:
    answered(evaluations, NAME, 24)
    shown = show("evaluate")
    assert (shown.metric[0].label, shown.metric[0].value) == ("Right", "80%")
    assert "24 of 30 songs were answered right: 80%." in words(shown)
    assert "guessing among 3 genres would be right 33% of the time" in words(shown)


def test_the_gap_of_the_naive_to_the_honest_way_is_told(evaluations: Evaluations) -> None:
    recipe = {"recipe": {"network": "x"}}
    answered(evaluations, "naive", 27, {"protocol": "random", **recipe})
    answered(evaluations, "other", 3, {"protocol": "random", "recipe": {"network": "y"}})
    answered(evaluations, "honest", 21, {"protocol": "artist-folds", **recipe})
    shown = show("evaluate")
    assert "at random, the same recipe is right in 90% of the songs; by artist, in 70%" in words(shown)
    assert "gap of 20 points" in words(shown)


def test_two_are_compared_in_words_and_song_by_song(evaluations: Evaluations) -> None:
    first = answered(evaluations, "first", 12)
    answered(evaluations, "second", 24)
    shown = show("evaluate", **{state.EVALUATE_VIEW: "compare"})
    assert "The first is **better**" in words(shown) and "0 only in the second" in words(shown)
    assert len(shown.dataframe[0].value) == 12
    shown = show("evaluate", **{state.EVALUATE_VIEW: "compare", state.EVALUATION: first.id})
    assert "The first is **worse**" in words(shown)


def test_alone_there_is_nothing_to_compare(evaluations: Evaluations) -> None:
    answered(evaluations, "first", 12)
    assert "nothing to compare with" in words(show("evaluate", **{state.EVALUATE_VIEW: "compare"}))


@pytest.mark.parametrize("view", ["report", "confusion", "compare"])
def test_names_do_no_harm(evaluations: Evaluations, view: str) -> None:
    answered(evaluations, NAME, 20, {"protocol": "random", "recipe": {}})
    answered(evaluations, NAME, 20)
    shown = show("evaluate", **{state.EVALUATE_VIEW: view})
    assert not any("<script>" in str(one.value) and one.allow_html for one in shown.markdown)


def hearing() -> None:
    """A page that lets one cell of the newest evaluation be heard."""
    from app import evaluating, state

    newest = state.evaluations()[0]
    evaluating.hear(newest, state.evaluated_songs(newest)[:3], key="cell")


def test_songs_are_heard_one_after_another(evaluations: Evaluations) -> None:
    answered(evaluations, "a", 20)
    shown = AppTest.from_function(hearing, default_timeout=60).run()
    assert not shown.exception and "1 of 3" in words(shown) and "HYPERLINK(0)" in words(shown)
    shown = click(click(shown, "Next"), "Next")
    assert "3 of 3" in words(shown) and "HYPERLINK(2)" in words(shown)
    assert [button.disabled for button in shown.button if button.label == "Next"] == [True]
    assert "2 of 3" in words(click(shown, "Previous"))
    assert "not on this computer any more" in words(shown)


def test_a_cross_validation_without_songs_cannot_be_begun(evaluations: Evaluations, queue: Queue) -> None:  # noqa: F811
    answered(evaluations, "a", 20)
    shown = show("evaluate")
    assert [button.disabled for button in shown.button if button.label == "Start"] == [True]
    assert queue.latest("crossvalidate") is None


# -- files -------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_html_report_needs_nothing_and_runs_nothing(evaluations: Evaluations) -> None:
    evaluation = answered(evaluations, NAME, 20, {"protocol": "random", "recipe": {}})
    page = reporting.as_html(evaluation, evaluations.songs(evaluation))
    reader = Reader()
    reader.feed(page)
    names = {tag for tag, _ in reader.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "a", "b", "form", "base"}
    fetched = [
        value for _, attrs in reader.tags for name, value in attrs.items() if name in ("src", "href", "xlink:href")
    ]
    assert fetched == [] and "url(" not in page and "@import" not in page
    assert not [name for _, attrs in reader.tags for name in attrs if name.startswith("on")]
    text = "".join(reader.texts)
    assert NAME in text and GENRE in text and "20 of 30 songs were answered right" in text
    assert len([tag for tag, _ in reader.tags if tag == "circle"]) == 1, "all were as sure"
    assert text.count("=HYPERLINK") == 5, "wrong songs are listed"


def test_no_cell_of_a_table_is_a_formula(evaluations: Evaluations) -> None:
    evaluation = answered(evaluations, "@a", 20)
    songs = evaluations.songs(evaluation)
    for table in (reporting.songs_csv(evaluation, songs), reporting.figures_csv(evaluation, songs)):
        rows = list(csv.reader(table.splitlines()))
        assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]
        assert len({len(row) for row in rows}) == 1
    rows = list(csv.DictReader(reporting.songs_csv(evaluation, songs).splitlines()))
    assert len(rows) == 30 and sum(int(row["right"]) for row in rows) == 20
    assert rows[0]["title"] == "'=HYPERLINK(0)" and float(rows[0]["polka"]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    "chart",
    [
        lambda: evaluation_charts.confusion([[3, 1], [0, 0]], ["a", "b"]),
        lambda: evaluation_charts.reliability([{"confidence": 0.5, "accuracy": 0.5, "songs": 3}, {"confidence": None, "accuracy": None, "songs": 0}]),
        lambda: evaluation_charts.reliability([]),
        lambda: evaluation_charts.answer_and_label(np.array([0.2, 0.8], np.float32), np.array([1, 0], np.float32), ["a", "b"]),
    ],
)  # fmt: skip
def test_charts_are_valid(chart: Callable[[], Any]) -> None:
    assert chart().to_dict()["layer"]


def test_a_cell_of_the_confusion_matrix_holds_its_songs() -> None:
    rows = evaluation_charts.confusion([[3, 1], [0, 2]], ["a", "b"]).to_dict()["datasets"]
    cells = {(row["genre"], row["answer"]): (row["songs"], row["share"]) for rows in rows.values() for row in rows}
    assert cells == {("a", "a"): (3, 0.75), ("a", "b"): (1, 0.25), ("b", "a"): (0, 0.0), ("b", "b"): (2, 1.0)}
