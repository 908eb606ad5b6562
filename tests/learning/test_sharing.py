"""Models handed on: one zip file there and back, and nothing but a whole, working model is ever taken in."""

import stat
import struct
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.database import Database
from core.errors import JobFailed, JobStopped, ModelError, SourceError
from core.files import sha256_of
from core.jobs import kinds
from core.jobs.worker import open_queue, run_here
from core.learning import model, sharing
from core.learning.model import CARD, GRAPH, WEIGHTS
from core.learning.sharing import MEMBERS, as_zip, export_zip, fetch, import_zip, name_from
from core.settings import Settings
from tests.loopback import Answer, Loopback, serving
from tests.models import GENRES, change_card, publish


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder. Not to be written to."""
    return publish(tmp_path_factory.mktemp("made") / "mine")


@pytest.fixture(scope="module")
def zipped(made: Path) -> bytes:
    return as_zip(made)


def as_file(data: bytes, tmp_path: Path, name: str = "given.zip") -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_model_comes_back_byte_for_byte_and_answers(made: Path, settings: Settings, tmp_path: Path) -> None:
    export_zip(made, tmp_path / "shared.zip")
    folder = import_zip(tmp_path / "shared.zip", settings)
    assert folder == settings.models / "shared" and files_of(folder) == files_of(made)
    codes = np.random.default_rng(0).integers(0, 256, (3, 32, 16), np.uint8)
    assert np.array_equal(model.load(folder).logits(codes), model.load(made).logits(codes))
    assert [path.name for path in settings.models.iterdir()] == ["shared"]


def test_the_same_model_gives_the_same_zip(made: Path, zipped: bytes, tmp_path: Path) -> None:
    copy = publish(tmp_path / "copy")
    (copy / CARD).write_bytes((made / CARD).read_bytes())
    assert as_zip(copy) == zipped


def test_a_zip_that_another_tool_packed_is_taken_in(made: Path, settings: Settings) -> None:
    folder = import_zip(
        packed((name, (made / name).read_bytes()) for name in sorted(MEMBERS, reverse=True)), settings, name="b"
    )
    assert files_of(folder) == files_of(made)


def test_a_damaged_model_is_not_handed_on(made: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path / "damaged")
    (folder / WEIGHTS).write_bytes(b"x")
    with pytest.raises(ModelError, match="is damaged"):
        export_zip(folder, tmp_path / "shared.zip")
    assert not (tmp_path / "shared.zip").exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("My genres.zip", "My genres"),
        ("/releases/v1/genrescope-4.ZIP", "genrescope-4"),
        ("C:\\Users\\me\\mine (2).zip", "mine -2"),
        ("..zip", None),
        ("日本.zip", None),
        ("", None),
        ("a" * 100 + ".zip", "a" * 60),
    ],
)
def test_a_name_comes_of_the_files_name(path: str, name: str | None) -> None:
    assert name_from(path) == name


def test_a_name_that_is_taken_or_none_is_refused(zipped: bytes, settings: Settings) -> None:
    publish(settings.models / "taken", seed=1)
    before = files_of(settings.models / "taken")
    for name, reason in (("taken", "already"), ("../up", "cannot be a model's name"), (None, "no name yet")):
        with pytest.raises(ModelError, match=reason):
            import_zip(zipped, settings, name=name)
    assert files_of(settings.models / "taken") == before
    assert [path.name for path in settings.models.iterdir()] == ["taken"]


# -- what is refused ---------------------------------------------------------------------------------------------------


def packed(members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


def with_(data: bytes, changes: dict[str, Any]) -> bytes:
    """The zip with members replaced, added (a name that is new), or left out (None)."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    return packed((name, content) for name, content in members.items() if content is not None)


def a_link(data: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members: list[tuple[str | zipfile.ZipInfo, bytes]] = [(name, archive.read(name)) for name in (CARD, GRAPH)]
    link = zipfile.ZipInfo(WEIGHTS)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return packed([*members, (link, b"/etc/passwd")])


def twice(data: bytes) -> bytes:
    made = BytesIO(data)
    with pytest.warns(UserWarning), zipfile.ZipFile(made, "a") as archive:
        archive.writestr(CARD, b"{}")
    return made.getvalue()


def a_flipped_bit(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def locked(data: bytes) -> bytes:
    """Say in the directory that the first member needs a password."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 8] + struct.pack("<H", 1) + data[at + 10 :]


def a_lie_about_the_size(data: bytes) -> bytes:
    """A member of 50 MB of zeros that says it takes 1,000 bytes."""
    bomb = with_(data, {WEIGHTS: bytes(50_000_000)})
    return bomb.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000))


def many_members(data: bytes) -> bytes:
    return packed(((f"{number}", b"") for number in range(5000)), zipfile.ZIP_STORED)


def a_second_directory(data: bytes) -> bytes:
    """A record of the larger format before the end record, which would have the last word."""
    return data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:]


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda data: b"", "is no zip file of a model"),
    "noise": (lambda data: bytes(range(256)) * 40, "is no zip file of a model"),
    "cut short": (lambda data: data[: len(data) // 2], "is no zip file of a model"),
    "its beginning cut off": (lambda data: data[1_000_000:], "is damaged"),
    "a bit flipped": (a_flipped_bit, "is damaged"),
    "empty": (lambda data: packed([]), "holds nothing"),
    "a file missing": (lambda data: with_(data, {GRAPH: None}), "That of a model holds exactly"),
    "a file too many": (lambda data: with_(data, {"run.py": b"x"}), "That of a model holds exactly"),
    "a path upwards": (lambda data: with_(data, {CARD: None, f"../{CARD}": b"{}"}), "That of a model holds exactly"),
    "a path from the root": (lambda data: with_(data, {CARD: None, f"/{CARD}": b"{}"}), "That of a model holds exactly"),
    "a folder": (lambda data: with_(data, {CARD: None, f"mine/{CARD}": b"{}"}), "That of a model holds exactly"),
    "a path of Windows": (lambda data: with_(data, {"..\\x": b""}), "That of a model holds exactly"),
    "a file twice": (twice, "That of a model holds exactly"),
    "a link": (a_link, "is a link"),
    "a password": (locked, "locked with a password"),
    "packed unusually": (
        lambda data: packed([(name, b"x") for name in MEMBERS], zipfile.ZIP_LZMA),
        "packed in an unusual way",
    ),
    "a bomb": (lambda data: with_(data, {WEIGHTS: bytes(sharing.MAX_ZIP_BYTES + 1)}), "would take more than 200 MB"),
    "a bomb that lies": (a_lie_about_the_size, "is damaged"),
    "many members": (many_members, "is no zip file of a model"),
    "a second directory": (a_second_directory, "is no zip file of a model"),
    "another card": (lambda data: with_(data, {CARD: b"{}"}), "is not a Genrescope model card"),
    "other weights": (lambda data: with_(data, {WEIGHTS: b"x"}), "is damaged: its weights"),
    "another graph": (lambda data: with_(data, {GRAPH: b"x"}), "is damaged: its model.onnx"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_zip_is_refused_and_leaves_nothing(zipped: bytes, settings: Settings, tmp_path: Path, fault: str) -> None:
    spoil, reason = BAD[fault]
    bad = as_file(spoil(zipped), tmp_path)
    with pytest.raises(ModelError, match=reason):
        import_zip(bad, settings)
    assert list(settings.models.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.zip", "workspace"], "nor beside it"
    with pytest.raises(ModelError):
        import_zip(bad.read_bytes(), settings, name="given")


def test_what_is_no_file_is_told(settings: Settings, tmp_path: Path) -> None:
    for path in (tmp_path / "gone.zip", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            import_zip(path, settings, name="x")


# -- from the web ------------------------------------------------------------------------------------------------------


def allowing(settings: Settings, server: Loopback) -> Settings:
    return settings.model_copy(update={"allowed_hosts": server.url.removeprefix("http://")})


def test_a_model_is_fetched_by_a_job(zipped: bytes, settings: Settings, made: Path, tmp_path: Path) -> None:
    sha256 = sha256_of(as_file(zipped, tmp_path))
    with serving(lambda asked: Answer(zipped)) as server:
        settings = allowing(settings, server)
        database = Database(settings.database)
        queue = open_queue(settings, database)
        told: list[tuple[int, int | None]] = []
        job = kinds.submit_fetch_model(queue, f" {server.url}/v1/their%20model.zip?x=1 ", sha256.upper())
        assert job.lane == "fetch_model", "it waits for no training"
        result = run_here(settings, database, job, on_report=lambda done, total, *_: told.append((done, total))).result
        assert result == {"name": "their model", "genres": list(GENRES)}
        assert files_of(settings.models / "their model") == files_of(made)
        assert told[-1] == (len(zipped) // 1000, len(zipped) // 1000)
        with pytest.raises(JobFailed, match="'their model' already"):
            run_here(settings, database, kinds.submit_fetch_model(queue, f"{server.url}/their%20model.zip", sha256))


def test_a_file_of_another_sha256_is_never_opened(
    zipped: bytes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: 1 // 0)
    with (
        serving(lambda asked: Answer(zipped)) as server,
        pytest.raises(SourceError, match="is not the one you asked for"),
    ):
        fetch(f"{server.url}/a.zip", "0" * 64, allowing(settings, server))
    assert list(settings.models.iterdir()) == []


def test_the_right_file_that_is_no_model_is_refused(settings: Settings, tmp_path: Path) -> None:
    with (
        serving(lambda asked: Answer(b"no zip")) as server,
        pytest.raises(ModelError, match="is no zip file of a model"),
    ):
        fetch(f"{server.url}/a.zip", sha256_of(as_file(b"no zip", tmp_path)), allowing(settings, server))
    assert list(settings.models.iterdir()) == []


def test_what_is_wrong_from_the_start_is_told_before_anything_is_asked(settings: Settings) -> None:
    publish(settings.models / "taken")
    with serving(lambda asked: Answer(b"")) as server:
        allowed = allowing(settings, server)
        for url, sha256, name, reason in (
            (f"{server.url}/taken.zip", "0" * 64, None, "'taken' already"),
            (f"{server.url}/a.zip", "0" * 64, "../x", "cannot be a model's name"),
            (f"{server.url}/", "0" * 64, None, "has no name yet"),
            (f"{server.url}/a.zip", "0" * 63, None, "64 digits"),
            (f"{server.url}/a.zip", "", None, "64 digits"),
        ):
            with pytest.raises(ModelError, match=reason):
                fetch(url, sha256, allowed, name=name)
        with pytest.raises(SourceError, match="over https only"):
            fetch(f"{server.url}/a.zip", "0" * 64, settings)
    assert server.asked == []


def test_a_fetch_that_is_stopped_leaves_nothing(zipped: bytes, settings: Settings, tmp_path: Path) -> None:
    def stop() -> None:
        raise JobStopped("Stopped.")

    with serving(lambda asked: Answer(zipped)) as server, pytest.raises(JobStopped):
        fetch(f"{server.url}/a.zip", sha256_of(as_file(zipped, tmp_path)), allowing(settings, server), check=stop)
    assert list(settings.models.iterdir()) == []


def test_a_card_without_figures_or_with_odd_ones_is_no_crash(made: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path / "odd")
    assert model.read_card(folder).tested == model.Tested(20, 0.5, 0.299, 0.701)
    for odd in (None, {}, {"songs": "many"}, {"songs": 3, "accuracy": 0.5}, {"songs": 3, "accuracy": "x", "interval_95": [0, 1]},
                {"songs": 3, "accuracy": 0.5, "interval_95": [0]}, {"songs": 3, "accuracy": 7, "interval_95": [0, 1]}):  # fmt: skip
        change_card(folder, lambda card, odd=odd: card.update(metrics=odd))
        assert model.read_card(folder).tested is None


def test_a_damaged_zip_is_told_in_a_sentence_and_not_by_its_content(zipped: bytes, settings: Settings) -> None:
    data = bytearray(zipped)
    data[26:28] = struct.pack("<H", 60_000)  # the name in the first head, which zipfile quotes, becomes all of the file
    with pytest.raises(ModelError, match="is damaged") as told:
        import_zip(bytes(data), settings, name="given")
    assert len(str(told.value)) < 400
