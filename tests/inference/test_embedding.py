"""A library embedded song by song, and its map."""

import numpy as np
import pytest

from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import JobStopped, ModelError
from core.inference import embedding
from core.inference.embedding import embed_library, outliers, placed_among, principal_map, tsne_map
from core.library.embeddings import Embeddings
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.inference.test_prediction import NEVER, Bands, ByPitch
from tests.library.test_store import found

RECIPE = SpectrogramRecipe(n_mels=32)


@pytest.fixture
def prepared(settings: Settings, database: Database, library: Library) -> tuple[Embeddings, SpectrogramStore]:
    library.add_files([found(number) for number in range(7)], playlist=("folder", "x", "x"), job_id=None)
    store = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint)
    for todo in library.without_spectrogram(RECIPE.fingerprint):
        codes = np.full((10 + 400 * (todo.audio_id % 3), 32), todo.audio_id, np.uint8)
        store.write(todo.sha256, codes)
        bands = codes[0].astype(np.float32)
        library.spectrogram_made(
            todo,
            RECIPE.fingerprint,
            n_frames=len(codes),
            band_mean=bands,
            band_std=bands,
            duration_s=1.0,
            state="ok",
            reason="",
            job_id=None,
        )
    return Embeddings(database, "net"), store


def test_every_song_is_embedded_once(prepared: tuple[Embeddings, SpectrogramStore]) -> None:
    embeddings, store = prepared
    model, told = ByPitch(space=Bands(NEVER, NEVER)), []
    assert embed_library(embeddings, store, model, on_progress=lambda *done: told.append(done)) == 7
    assert told == [(number, 7) for number in range(1, 8)] and model.largest_batch <= embedding.CROPS
    vectors = embeddings.all().vectors
    assert vectors.shape == (7, 2) and len(np.unique(vectors[:, 0])) == 7, "each its own, whatever its length"
    assert embed_library(embeddings, store, model) == 0


def test_a_stop_keeps_what_was_done(prepared: tuple[Embeddings, SpectrogramStore]) -> None:
    embeddings, store = prepared
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        embed_library(embeddings, store, ByPitch(space=Bands(NEVER, NEVER)), check=stop)
    assert len(embeddings.all().track_ids) == 3
    assert embed_library(embeddings, store, ByPitch(space=Bands(NEVER, NEVER))) == 4


def test_a_model_without_a_space_places_nothing(prepared: tuple[Embeddings, SpectrogramStore]) -> None:
    with pytest.raises(ModelError, match="older"):
        embed_library(*prepared, ByPitch())


def clouds(n: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 5, (3, 8))
    return (middles[np.arange(n) % 3] + rng.normal(size=(n, 8))).astype(np.float32), [f"g{i % 3}" for i in range(n)]


def apart(places: np.ndarray, genres: list[str]) -> float:
    """Share of songs whose nearest on the map is of their genre."""
    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.eye(len(places)) * 1e9
    return float(np.mean([genres[i] == genres[j] for i, j in enumerate(distances.argmin(axis=1))]))


def test_maps_keep_neighbours_together_and_are_the_same_each_time() -> None:
    vectors, genres = clouds(90)
    shares: list[float] = []
    places = tsne_map(vectors, check=lambda: None, on_progress=shares.append)
    assert places.shape == (90, 2) and apart(places, genres) > 0.95
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] <= 1
    assert np.array_equal(places, tsne_map(vectors, check=lambda: None, on_progress=shares.append))
    assert apart(principal_map(vectors), genres) > 0.9
    assert np.array_equal(principal_map(vectors), principal_map(vectors))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 29])
def test_few_songs_have_a_map_too(n: int) -> None:
    vectors, _ = clouds(n) if n else (np.zeros((0, 0), np.float32), [])
    assert tsne_map(vectors, check=lambda: None, on_progress=lambda share: None).shape == (n, 2)
    assert np.isfinite(principal_map(vectors)).all()


def test_drawing_can_be_stopped() -> None:
    def stop() -> None:
        raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        tsne_map(clouds(60)[0], check=stop, on_progress=lambda share: None)


def test_a_new_song_is_placed_among_its_like() -> None:
    vectors, _ = clouds(60)
    places = principal_map(vectors)
    x, y = placed_among(vectors[4], vectors, places)
    nearest = np.linalg.norm(places - [x, y], axis=1).argsort()[:5]
    assert {int(i) % 3 for i in nearest} == {1}
    assert np.isfinite(placed_among(np.zeros(8, np.float32), vectors, places)).all()


def test_outliers_are_those_of_another_cloud() -> None:
    vectors, genres = clouds(90)
    vectors[3] = vectors[4]  # labelled g0, lies in g1
    found = outliers(vectors, genres)
    assert found["g0"][0] == 3 and set(found) == {"g0", "g1", "g2"} and len(found["g1"]) == 2
    assert outliers(vectors[:9], genres[:9]) == {}, "of three songs none is an outlier"
