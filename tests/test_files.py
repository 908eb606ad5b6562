"""Files that are whole or absent; digests and fingerprints; sizes and times in words."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.files import duration_in_words, fingerprint, sha256_of, size_in_words, sweep, whole, whole_folder, write_json


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_appears_under_its_name_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file.txt"
    with whole(target) as partial:
        partial.write_text("content")
        assert not target.exists()
        assert partial.parent == target.parent
        assert partial.suffix == ".txt"
        assert partial.name.startswith(".partial-")
    assert contents(tmp_path) == {"new/folder/file.txt": "content"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_no_partial_one(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), whole(target) as partial:
        partial.write_text("half of the n")
        raise error
    assert contents(tmp_path) == {"file.txt": "old"}


def test_an_error_without_an_old_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), whole(tmp_path / "file.txt") as partial:
        partial.write_text("half")
        raise ValueError
    assert contents(tmp_path) == {}


def test_a_file_is_replaced_at_once_for_those_who_read_it(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with target.open() as reader:
        with whole(target) as partial:
            partial.write_text("new")
        assert reader.read() == "old"
    assert target.read_text() == "new"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with whole(target) as one, whole(target) as other:
        one.write_text("one")
        other.write_text("other")
    assert contents(tmp_path) == {"file.txt": "one"}


def test_a_block_that_writes_nothing_gives_an_empty_file(tmp_path: Path) -> None:
    with whole(tmp_path / "file.txt"):
        pass
    assert contents(tmp_path) == {"file.txt": ""}


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "mine"
    with whole_folder(target) as partial:
        (partial / "a.txt").write_text("a")
        (partial / "deep").mkdir()
        (partial / "deep" / "b.txt").write_text("b")
        assert not target.exists()
    assert contents(tmp_path) == {"models/mine/a.txt": "a", "models/mine/deep/b.txt": "b"}
    assert [path.name for path in target.parent.iterdir()] == ["mine"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError), whole_folder(tmp_path / "mine") as partial:
        (partial / "a.txt").write_text("a")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path, empty: bool) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    if not empty:
        (target / "old.txt").write_text("old")
    with pytest.raises(FileExistsError), whole_folder(target) as partial:
        (partial / "a.txt").write_text("a")
    assert contents(tmp_path) == ({} if empty else {"mine/old.txt": "old"})
    assert list(tmp_path.iterdir()) == [target]


def test_json_is_written_whole_and_readable(tmp_path: Path) -> None:
    content = {"name": "Ärtist", "numbers": [1, 2.5, None]}
    write_json(tmp_path / "file.json", content)
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert "Ärtist" in text
    with pytest.raises(TypeError):
        write_json(tmp_path / "file.json", {"no": object()})
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == text
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_the_digest_is_that_of_the_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef"), inner, max_size=4),
    max_leaves=10,
)


@given(documents, documents)
def test_fingerprints_are_equal_just_where_contents_are(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (fingerprint(one) == fingerprint(other)) == same
    assert len(fingerprint(one)) == 16


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_fingerprint_stays_the_same_for_ever() -> None:
    """Spectrograms lie under it: another way to compute it would orphan them all."""
    assert fingerprint({"b": [1, 2.5], "a": "é"}) == hashlib.sha256('{"a":"é","b":[1,2.5]}'.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 KB"),
        (45_300, "45 KB"),
        (1_500_000, "1.5 MB"),
        (2e9, "2.0 GB"),
        (3e12, "3.0 TB"),
        (4e15, "4000.0 TB"),
    ],
)
def test_sizes_in_words(size_bytes: float, words: str) -> None:
    assert size_in_words(size_bytes) == words


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3_599.6, "1 h 0 min"),
        (7_500, "2 h 5 min"),
    ],
)
def test_durations_in_words(duration_s: float, words: str) -> None:
    assert duration_in_words(duration_s) == words


def test_leftovers_of_killed_processes_are_swept_once_they_are_old(tmp_path: Path) -> None:
    old_file, old_folder, new_file = (tmp_path / "a" / f".partial-{name}" for name in ("1", "2", "3"))
    old_folder.mkdir(parents=True)
    for path in (old_file, old_folder / "inside", new_file, tmp_path / "a" / "whole.npy"):
        path.touch()
    os.utime(old_file, (0, 0))
    os.utime(old_folder, (0, 0))
    sweep(tmp_path)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".partial-3", "whole.npy"]
    sweep(tmp_path / "not there")
