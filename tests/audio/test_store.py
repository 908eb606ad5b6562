"""Spectrogram files: whole or absent, read by the crop, few held open, never unpickled."""

import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.audio.store import SpectrogramStore
from core.errors import AudioError

SHA = "ab" + "0" * 62


def codes(n_frames: int = 50, n_mels: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n_frames, n_mels), dtype=np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> SpectrogramStore:
    return SpectrogramStore(tmp_path, "recipe")


@given(
    written=arrays.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 20))),
    start=st.integers(0, 70),
    n_frames=st.integers(0, 70),
)
def test_what_is_read_is_what_was_written(written: np.ndarray, start: int, n_frames: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SpectrogramStore(Path(folder), "recipe")
        store.write(SHA, written)
        np.testing.assert_array_equal(store.read(SHA), written)
        crop = store.read_crop(SHA, start, n_frames)
        assert crop.dtype == np.uint8
        np.testing.assert_array_equal(crop, written[start : start + n_frames])
        store.close()


def test_a_column_major_array_is_stored_time_major(store: SpectrogramStore) -> None:
    written = np.asfortranarray(codes())
    store.write(SHA, written)
    np.testing.assert_array_equal(store.read(SHA), written)
    np.testing.assert_array_equal(store.read_crop(SHA, 7, 9), written[7:16])


def test_files_lie_under_the_recipe_and_are_plain_npy(tmp_path: Path, store: SpectrogramStore) -> None:
    store.write(SHA, codes())
    assert store.path(SHA) == tmp_path / "recipe" / "ab" / f"{SHA}.npy"
    np.testing.assert_array_equal(np.load(store.path(SHA), allow_pickle=False), codes())
    other = SpectrogramStore(tmp_path, "another recipe")
    with pytest.raises(AudioError):
        other.read(SHA)


def _held_open(folder: Path) -> list[Path]:
    held = Path("/proc/self/fd")
    if not held.is_dir():
        pytest.skip("this system does not tell which files a process holds open")
    files = [link.readlink() for link in held.iterdir() if link.is_symlink()]
    return [file for file in files if folder in file.parents]


def test_few_files_are_held_open_however_many_are_read(tmp_path: Path) -> None:
    store = SpectrogramStore(tmp_path, "recipe", max_open=5)
    songs = {f"{number:064x}": codes(seed=number) for number in range(30)}
    for sha256, song in songs.items():
        store.write(sha256, song)
    for _ in range(2):
        for sha256, song in songs.items():
            np.testing.assert_array_equal(store.read_crop(sha256, 10, 20), song[10:30])
            assert len(_held_open(tmp_path)) <= 5
    assert len(_held_open(tmp_path)) == 5
    store.close()
    assert _held_open(tmp_path) == []
    np.testing.assert_array_equal(store.read_crop(f"{3:064x}", 0, 5), songs[f"{3:064x}"][:5])


def test_the_least_recently_read_file_is_closed_first(tmp_path: Path) -> None:
    store = SpectrogramStore(tmp_path, "recipe", max_open=2)
    a, b, c = (f"{number:064x}" for number in range(3))
    for sha256 in (a, b, c):
        store.write(sha256, codes())
    for sha256 in (a, b, a, c):
        store.read_crop(sha256, 0, 1)
    assert {file.stem for file in _held_open(tmp_path)} == {a, c}


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["GENRESCOPE_TEST_BOMB"],)


def test_pickled_content_is_never_loaded(
    tmp_path: Path, store: SpectrogramStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploded = tmp_path / "exploded"
    monkeypatch.setenv("GENRESCOPE_TEST_BOMB", str(exploded))
    store.write(SHA, codes())
    np.save(tmp_path / "bomb.npy", np.array([[Bomb()]], dtype=object), allow_pickle=True)
    for content in ((tmp_path / "bomb.npy").read_bytes(), pickle.dumps(Bomb())):
        store.path(SHA).write_bytes(content)
        for read in (lambda: store.read(SHA), lambda: store.read_crop(SHA, 0, 1)):
            with pytest.raises(AudioError):
                read()
    assert not exploded.exists()


def _npy(array: np.ndarray) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


GOOD = _npy(codes())
DAMAGED = {
    "empty": b"",
    "text": b"not an array",
    "cut in the head": GOOD[:40],
    "cut after the head": GOOD[:128],
    "cut in the data": GOOD[:-10],
    "other magic": b"\x00" + GOOD[1:],
    "unfinished head": GOOD.replace(b"'shape': (50, 8)", b"'shape': (50, 8 "),
    "strange head": GOOD.replace(b"{'descr'", b"['descr'"),
    "claims too much": GOOD.replace(b"(50, 8), }      ", b"(50000000000,8)}"),
    "claims less than nothing": GOOD.replace(b"(50, 8), } ", b"(-50, 8), }"),
    "one axis": _npy(codes().reshape(-1)),
    "three axes": _npy(codes().reshape(50, 4, 2)),
    "floats": _npy(codes().astype(np.float32)),
    "a zip of arrays": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused_with_the_remedy(store: SpectrogramStore, damage: str) -> None:
    content = DAMAGED[damage]
    assert content != GOOD
    store.path(SHA).parent.mkdir(parents=True)
    store.path(SHA).write_bytes(content)
    for read in (lambda: store.read(SHA), lambda: store.read_crop(SHA, 0, 50)):
        with pytest.raises(AudioError, match="Have it made again"):
            read()
    assert not store.is_whole(SHA)


def test_an_absent_file_is_told(store: SpectrogramStore) -> None:
    for read in (lambda: store.read(SHA), lambda: store.read_crop(SHA, 0, 1)):
        with pytest.raises(AudioError, match="missing or damaged"):
            read()
    assert not store.is_whole(SHA)


def test_a_whole_file_is_told_from_its_head_alone(store: SpectrogramStore) -> None:
    store.write(SHA, codes())
    assert store.is_whole(SHA)


def test_a_file_made_again_after_damage_is_read_anew(tmp_path: Path, store: SpectrogramStore) -> None:
    store.write(SHA, codes())
    store.path(SHA).write_bytes(DAMAGED["cut in the data"])
    with pytest.raises(AudioError):
        store.read_crop(SHA, 0, 50)
    SpectrogramStore(tmp_path, "recipe").write(SHA, codes())  # as another process does
    np.testing.assert_array_equal(store.read_crop(SHA, 0, 50), codes())


def test_a_failed_write_leaves_nothing(
    tmp_path: Path, store: SpectrogramStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path, _: object) -> None:
        with path.open("wb") as stream:
            stream.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="disk is full"):
            store.write(SHA, codes())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_failed_write_keeps_what_was_there(store: SpectrogramStore) -> None:
    store.write(SHA, codes())
    with pytest.raises(ValueError, match="Object arrays"):
        store.write(SHA, np.array([[None]], dtype=object))
    np.testing.assert_array_equal(store.read(SHA), codes())
    assert [path.name for path in store.path(SHA).parent.iterdir()] == [f"{SHA}.npy"]
