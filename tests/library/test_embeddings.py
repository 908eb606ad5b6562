"""Embeddings and maps: kept by network, gone with their sound, one a track."""

import numpy as np
import pytest

from core.database import Database
from core.library.embeddings import Embeddings
from core.library.store import Library
from tests.library.test_store import RECIPE as FINGERPRINT
from tests.library.test_store import found, made


@pytest.fixture
def embeddings(database: Database, library: Library) -> Embeddings:
    library.add_files([found(number) for number in range(4)], playlist=("folder", "x", "x"), job_id=None)
    made(library, [track.id for track in library.tracks(FINGERPRINT)][:3])
    return Embeddings(database, "net")


def vector(value: float) -> np.ndarray:
    return np.full(3, value, np.float32)


def test_what_has_a_spectrogram_is_missing_until_it_is_added(embeddings: Embeddings) -> None:
    missing = embeddings.missing(FINGERPRINT)
    assert len(missing) == 3 and embeddings.missing("other") == []
    assert embeddings.all().vectors.shape == (0, 0) and embeddings.all().track_ids == ()
    embeddings.add([(audio_id, vector(number)) for number, (audio_id, _) in enumerate(missing[:2])])
    assert embeddings.missing(FINGERPRINT) == missing[2:]
    told = embeddings.all()
    assert told.sha256s == tuple(sha256 for _, sha256 in missing[:2])
    assert np.array_equal(told.vectors, [vector(0), vector(1)])


def test_networks_do_not_mix(embeddings: Embeddings, database: Database) -> None:
    (one, _), *_ = embeddings.missing(FINGERPRINT)
    embeddings.add([(one, vector(1))])
    other = Embeddings(database, "another net")
    assert len(other.missing(FINGERPRINT)) == 3 and other.all().track_ids == ()


def test_an_embedding_added_again_replaces_the_first_and_one_of_no_sound_is_dropped(embeddings: Embeddings) -> None:
    (one, _), *_ = embeddings.missing(FINGERPRINT)
    embeddings.add([(one, vector(1)), (9999, vector(5))])
    embeddings.add([(one, vector(2))])
    assert np.array_equal(embeddings.all().vectors, [vector(2)])


def test_a_map_replaces_the_one_before_and_goes_with_the_sound(embeddings: Embeddings, database: Database) -> None:
    embeddings.add([(audio_id, vector(audio_id)) for audio_id, _ in embeddings.missing(FINGERPRINT)])
    a, b, c = embeddings.all().track_ids
    assert embeddings.map() == {}
    embeddings.put_on_map(np.array([[1, 2], [3, 4], [5, 6]], np.float32), [a, b, c])
    assert embeddings.map() == {a: (1, 2), b: (3, 4), c: (5, 6)}
    embeddings.put_on_map(np.array([[7, 8], [9, 9]], np.float32), [b, c])
    assert embeddings.map() == {b: (7, 8), c: (9, 9)}
    with database.write() as db:
        db.execute("DELETE FROM audio_files WHERE track_id = ?", (b,))
    assert embeddings.map() == {c: (9, 9)} and embeddings.all().track_ids == (a, c)


def test_a_track_with_two_sounds_is_there_once(embeddings: Embeddings, database: Database) -> None:
    missing = embeddings.missing(FINGERPRINT)
    embeddings.add([(audio_id, vector(audio_id)) for audio_id, _ in missing])
    a, b, _ = embeddings.all().track_ids
    with database.write() as db:
        db.execute("UPDATE audio_files SET track_id = ? WHERE track_id = ?", (a, b))
    told = embeddings.all()
    assert len(told.track_ids) == 2 and told.vectors[0, 0] == missing[0][0], "by the first of its sounds"
    embeddings.put_on_map(np.zeros((2, 2), np.float32), told.track_ids)
    assert set(embeddings.map()) == set(told.track_ids)
