"""Songs answered about and embedded by a real Dask cluster, on loopback: the same comes out as on this machine."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import AudioError, JobStopped, ModelError
from core.inference.embedding import embed_library
from core.inference.prediction import Far, Prediction, predict_each
from core.jobs import kinds
from core.jobs.worker import open_queue, run_here
from core.learning import model as models
from core.library.embeddings import Embeddings
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.settings import PROJECT, Settings
from tests.cluster import running

pytestmark = pytest.mark.slow

STARTER = PROJECT / "models" / "genrescope-starter"


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("cluster")) as address:
        yield address


@pytest.fixture(scope="module")
def model() -> models.Model:
    return models.load(STARTER)


@pytest.fixture
def far(scheduler: str, model: models.Model) -> Far:
    return Far(scheduler, partial(models.load_once, STARTER, model.card.weights_sha256))


def test_songs_are_answered_in_their_order_and_what_is_no_song_in_its_place(
    far: Far, model: models.Model, songs_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "no song.mp3").write_bytes(b"no sound")
    songs = sorted(path for path in songs_folder.rglob("*.*") if path.is_file())[:5]
    files = [songs[0], tmp_path / "no song.mp3", *songs[1:]]
    told: list[float] = []
    answers = list(predict_each(files, model, far=far, on_progress=told.append))
    assert isinstance(answers[1], AudioError) and len(answers) == len(files)
    assert sorted(told) == told == list(range(len(files)))
    for answer, alone in zip(answers, predict_each(files, model), strict=True):
        assert isinstance(answer, Prediction) == isinstance(alone, Prediction)
        if isinstance(answer, Prediction) and isinstance(alone, Prediction):
            np.testing.assert_allclose(answer.taggram, alone.taggram, atol=1e-5)
            assert answer.verdict == alone.verdict


def test_a_model_that_workers_see_otherwise_is_told(far: Far, model: models.Model, songs_folder: Path) -> None:
    other = Far(far.scheduler, partial(models.load_once, STARTER, "0" * 64))
    song = next(path for path in songs_folder.rglob("*.*") if path.is_file())
    (answer,) = predict_each([song], model, far=other)
    assert isinstance(answer, ModelError) and "not the one that was asked for" in str(answer)


def test_a_library_is_embedded_there_as_here_and_a_stop_keeps_what_was_done(
    far: Far, model: models.Model, songs_folder: Path, tmp_path: Path
) -> None:
    def prepared(home: Path) -> tuple[Embeddings, SpectrogramStore, Settings]:
        settings = Settings(home=home, dask_scheduler=far.scheduler)
        library = Library(Database(settings.database))
        import_folder(library, settings, songs_folder, genre_from="folder")
        preprocess(library, settings, model.recipe)
        store = SpectrogramStore(settings.spectrograms, model.recipe.fingerprint)
        return Embeddings(Database(settings.database), model.card.onnx_sha256), store, settings

    embeddings, store, settings = prepared(tmp_path / "here")
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        embed_library(embeddings, store, model, far=far, check=stop)
    job = kinds.submit_embed(open_queue(settings, Database(settings.database)), STARTER.name)
    done = run_here(settings, Database(settings.database), job)
    assert done.state == "done" and done.result is not None and done.result["songs"] == 24
    there = embeddings.all()
    nearby = prepared(tmp_path / "near")
    assert embed_library(nearby[0], nearby[1], model) == 24
    np.testing.assert_allclose(there.vectors, nearby[0].all().vectors, atol=1e-4)


def test_nothing_to_embed_asks_nobody(tmp_path: Path, model: models.Model) -> None:
    settings = Settings(home=tmp_path)
    embeddings = Embeddings(Database(settings.database), model.card.onnx_sha256)
    store = SpectrogramStore(settings.spectrograms, model.recipe.fingerprint)
    nobody = Far("tcp://127.0.0.1:1", partial(models.load_once, STARTER, model.card.weights_sha256))
    assert embed_library(embeddings, store, model, far=nobody) == 0
