"""Home in the first hour: three doors, and the sample library that is made, told of, and removed."""

import pytest

from core.audio.synthesis import STYLES
from core.database import Database
from core.jobs import kinds, worker
from core.jobs.queue import Queue
from core.learning import model
from core.library import sample
from core.library.store import Library
from core.music import Vote
from core.settings import Settings
from tests import models
from tests.app.test_pages import RECIPE, click, home, labels, queue, show  # noqa: F401 - fixtures
from tests.library.test_store import PLAYLIST, found

GENRES = tuple(sample.genre_of(style) for style in sorted(STYLES))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sample, "SONGS_OF_STYLE", 1)
    return len(STYLES)


@pytest.fixture
def database(home: Settings) -> Database:  # noqa: F811
    return Database(home.database)


@pytest.fixture
def sampled(home: Settings, queue: Queue, database: Database, few: int) -> int:  # noqa: F811
    """The sample library is here."""
    worker.run_here(home, database, kinds.submit_sample(queue))
    return few


def text(shown: object) -> str:
    return " ".join(element.value for element in [*shown.markdown, *shown.success, *shown.error])  # type: ignore[attr-defined]


def test_with_a_shipped_model_there_are_three_doors(
    home: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    shipped = tmp_path_factory.mktemp("project")
    models.publish(shipped / "models" / "starter", genres=("classical", "<b>rock"))
    monkeypatch.setattr("core.settings.PROJECT", shipped)
    shown = show("home")
    assert labels(shown) >= {
        "Hear what the shipped model says about a song", "Import my music", "Start from playlists", "Make a sample library",
    }  # fmt: skip
    assert r"knows classical, \<b\>rock" in text(shown)
    assert "Next: Train a network" not in labels(shown)


def test_without_one_there_are_two(home: Settings) -> None:  # noqa: F811
    assert not any("shipped" in label for label in labels(show("home")))


def test_a_click_asks_for_the_sample_library_and_shows_how_far_it_is(home: Settings, queue: Queue) -> None:  # noqa: F811
    shown = click(show("home"), "Make a sample library")
    (job,) = queue.unfinished()
    assert job.kind == "sample"
    assert "Make a sample library" not in labels(shown)
    assert "Import my music" not in labels(shown)
    click(shown, "Stop")
    shown = show("home")
    assert "Sample library was stopped" in shown.warning[0].value
    assert "Make a sample library" in labels(shown)


def test_with_it_home_says_so_and_what_is_next(sampled: int) -> None:
    shown = show("home")
    assert "Next: Train a network" in labels(shown)
    assert f"{sampled} made-up songs" in text(shown)
    assert "8 genres" in text(shown)
    assert "Import my music" not in labels(shown)


def test_it_is_removed_after_a_confirmation_and_what_is_ones_own_stays(
    home: Settings,  # noqa: F811
    database: Database,
    sampled: int,
) -> None:
    Library(database).add_files([found(1, votes=(Vote("rock", "folder"),))], playlist=PLAYLIST, job_id=None)
    shown = click(show("home"), f"Remove {sampled} songs")
    assert f"{sampled} made\\-up songs removed" in text(shown)
    assert "The sample library is here" not in text(shown)
    assert [track.title for track in Library(database).tracks(RECIPE.fingerprint)] == ["Title 1"]
    assert not home.samples.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("sampled")
@pytest.mark.parametrize("too", [False, True])
def test_models_that_learned_from_it_stay_unless_they_are_ticked(home: Settings, too: bool) -> None:  # noqa: F811
    models.publish(home.models / "made of samples", genres=GENRES[:3])
    models.publish(home.models / "my own", genres=("made-up stomp", "rock"))
    shown = show("home")
    assert "go on answering: made of samples." in text(shown)
    if too:
        shown.checkbox[0].check().run()
    click(shown, "Remove 8 songs")
    left = {entry.name for entry in model.list_models(home)}
    assert left == ({"my own"} if too else {"my own", "made of samples"})


@pytest.mark.usefixtures("sampled")
def test_it_is_not_removed_under_a_job_that_may_need_it(home: Settings, queue: Queue) -> None:  # noqa: F811
    kinds.submit_preprocess(queue)
    shown = click(show("home"), "Remove 8 songs")
    assert "Something else is being done" in text(shown).replace("\\", "")
    assert home.samples.exists()
