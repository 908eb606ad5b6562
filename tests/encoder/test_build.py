"""The encoder's folder is made from TensorFlow's checkpoint alone, and always the same."""

import hashlib
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoder import build
from core.encoder.encoder import CARD, FILTERS, GRAPH, SHIPPED, load
from core.errors import ModelError
from tests.encoder.rebuild import shipped_variables


def varint(value: int) -> bytes:
    data = b""
    while value >= 0x80:
        data, value = data + bytes([value & 0x7F | 0x80]), value >> 7
    return data + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: list[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    """A block of LevelDB's table: keys without what they share with the key before."""
    data, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_every == 0:
            restarts.append(len(data))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return data + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def checkpoint(
    variables: dict[str, np.ndarray], *, entries_per_block: int = 20, packed: int = 0
) -> tuple[bytes, bytes]:
    """Index and data of a checkpoint as TensorFlow writes them."""
    data, entries = b"", [(b"", field(1, 1))]
    for name, values in sorted(variables.items()):
        raw = values.tobytes()
        shape = b"".join(field(2, field(1, size)) for size in values.shape)
        place = (field(4, len(data)) if data else b"") + field(5, len(raw))
        kind = {"float32": 1, "int64": 9}[values.dtype.name]
        entry = field(1, kind) + field(2, shape) + place + varint(6 << 3 | 5) + b"crc!"
        entries.append((name.encode(), entry))
        data += raw
    table, top = b"", []
    for first in range(0, len(entries), entries_per_block):
        some = entries[first : first + entries_per_block]
        one = block(some)
        top.append((some[-1][0], varint(len(table)) + varint(len(one))))
        table += one + bytes([packed]) + b"crc!"
    handles = b""
    for one in (block([]), block(top, 1)):
        handles += varint(len(table)) + varint(len(one))
        table += one + b"\0crc!"
    return table + handles.ljust(40, b"\0") + struct.pack("<Q", build.TABLE_MAGIC), data


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package like the authors', with the shipped numbers, an optimiser's, and a counter."""
    variables = shipped_variables()
    extra = {"dense/kernel/Adam": np.ones((1506, 200), np.float32), "global_step": np.array(7, np.int64)}
    index, data = checkpoint(variables | extra)
    path = tmp_path_factory.mktemp("wheel") / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("musicnn/MSD_musicnn/.index", index)
        archive.writestr("musicnn/MSD_musicnn/.data-00000-of-00001", data)
        archive.writestr("musicnn-0.1.0.dist-info/LICENSE.md", (SHIPPED / "LICENSE.txt").read_bytes())
    return path


def test_the_shipped_folder_is_made_again_byte_for_byte(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    build.build(wheel, tmp_path / "encoder")
    for name in (GRAPH, FILTERS, "LICENSE.txt"):
        assert (tmp_path / "encoder" / name).read_bytes() == (SHIPPED / name).read_bytes(), name
    ours, shipped = (json.loads((folder / CARD).read_text()) for folder in (tmp_path / "encoder", SHIPPED))
    assert ours.pop("origin_sha256") == build.WHEEL_SHA256
    assert shipped.pop("origin_sha256") == "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
    assert ours == shipped
    load(tmp_path / "encoder")
    with pytest.raises(ModelError, match="is there already"):
        build.build(wheel, tmp_path / "encoder")


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    for path, reason in ((wheel, "not the wheel of musicnn"), (tmp_path / "none.whl", "cannot be read")):
        with pytest.raises(ModelError, match=reason):
            build.build(path, tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


@given(
    shapes=st.dictionaries(
        st.text("ab/_1", min_size=1, max_size=40), st.lists(st.integers(1, 4), max_size=4), max_size=40
    ),
    entries_per_block=st.integers(1, 50),
)
def test_a_checkpoint_is_read_as_it_was_written(shapes: dict[str, list[int]], entries_per_block: int) -> None:
    rng = np.random.default_rng(len(shapes))
    variables = {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}
    found = build.read_checkpoint(*checkpoint(variables, entries_per_block=entries_per_block))
    assert set(found) == set(variables)
    for name, values in variables.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


def test_numbers_of_other_types_are_left_out() -> None:
    found = build.read_checkpoint(*checkpoint({"a": np.ones(2, np.float32), "step": np.array(3, np.int64)}))
    assert set(found) == {"a"}


def test_what_is_no_index_or_is_compressed_is_refused() -> None:
    index, data = checkpoint({"a": np.ones(2, np.float32)})
    with pytest.raises(ModelError, match="LevelDB"):
        build.read_checkpoint(index[:-1] + b"x", data)
    with pytest.raises(ModelError, match="compressed"):
        build.read_checkpoint(*checkpoint({"a": np.ones(2, np.float32)}, packed=1))
