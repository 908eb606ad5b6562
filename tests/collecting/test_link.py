"""A pasted link: the sound comes whole, in a process of its own, and nothing stays behind."""

import tempfile
import threading
import time
from pathlib import Path

import pytest

from core.audio import waveform
from core.collecting import link
from core.collecting.link import fetched
from core.errors import RateLimited, SourceError
from core.settings import Settings
from tests.collecting.test_download import allowing
from tests.loopback import Answer, Asked, serving
from tests.sounds import tone, write_sound


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; empty at the end."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_the_sound_behind_a_link_comes_whole(settings: Settings, tmp_path: Path, folders: Path) -> None:
    sound = write_sound(tmp_path / "a.mp3", tone(440, 5)).read_bytes()
    with serving(lambda asked: Answer(sound, 200, {"Content-Type": "audio/mpeg"})) as server:
        sizes: list[int] = []
        name, data = fetched(f"{server.url}/a.mp3", allowing(settings, server), on_progress=sizes.append)
    assert data == sound and name.startswith("127.0.0.1")
    assert sizes and sizes == sorted(sizes)
    assert waveform.probe(write(tmp_path / "b", data)).codec.startswith("mp3")
    assert list(folders.iterdir()) == [], "nothing stays behind"


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no address",
        "http://127.0.0.1/a.mp3",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://example.com/song.mp3",
        "https://www.youtube.com/playlist?list=PL1234567890",
    ],
)
def test_what_is_no_song_of_a_known_site_is_refused_unasked(settings: Settings, url: str) -> None:
    with pytest.raises(SourceError, match="no single song of a site that Genrescope knows"):
        fetched(url, settings)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(b"", 404), "Paste another link, or drop the file itself"),
        (Answer(b"<html>no", 200, {"Content-Type": "text/html"}), "sent a page or data, not sound"),
    ],
)
def test_what_cannot_be_had_is_told_with_what_to_do(
    settings: Settings, folders: Path, answer: Answer, told: str
) -> None:
    with serving(lambda asked: answer) as server, pytest.raises(SourceError, match=told):
        fetched(f"{server.url}/a.mp3", allowing(settings, server))
    assert list(folders.iterdir()) == []


def test_a_pause_that_is_asked_for_is_kept(settings: Settings, folders: Path) -> None:
    with serving(lambda asked: Answer(b"", 429, {"Retry-After": "120"})) as server:
        for _ in range(2):
            with pytest.raises(RateLimited):
                fetched(f"{server.url}/a.mp3", allowing(settings, server))
        assert len(server.asked) == 1, "the second time it is not even asked"


@pytest.mark.slow
def test_what_takes_too_long_is_ended(settings: Settings, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TIME_LIMIT_S", 4.0)
    never = threading.Event()

    def answer(asked: Asked) -> Answer:
        never.wait(60)
        return Answer(b"")

    with serving(answer) as server:
        began = time.monotonic()
        with pytest.raises(SourceError, match="did not come within"):
            fetched(f"{server.url}/a.mp3", allowing(settings, server))
        assert time.monotonic() - began < 30
        never.set()
    assert list(folders.iterdir()) == []


def test_who_leaves_ends_the_process(settings: Settings, folders: Path) -> None:
    never = threading.Event()

    def answer(asked: Asked) -> Answer:
        never.wait(60)
        return Answer(b"")

    def leave(size_bytes: int) -> None:
        raise InterruptedError

    with serving(answer) as server:
        began = time.monotonic()
        with pytest.raises(InterruptedError):
            fetched(f"{server.url}/a.mp3", allowing(settings, server), on_progress=leave)
        assert time.monotonic() - began < 20
        never.set()
    assert list(folders.iterdir()) == []
