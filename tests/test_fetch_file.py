"""A file from the web: only from whom may be asked, only as large as is wanted, and only if it is the one that was meant."""

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from core.errors import JobStopped, SourceError
from core.fetch_file import MAX_REDIRECTS, download
from core.settings import Settings
from tests.loopback import Answer, Asked, Loopback, serving

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


def get(url: str, folder: Path, settings: Settings, **options: Any) -> bytes:
    target = folder / "file"
    download(url, target, **{"sha256": SHA256, "max_bytes": 2_000_000, "settings": settings} | options)
    return target.read_bytes()


def refused(url: str, folder: Path, settings: Settings, **options: Any) -> str:
    with pytest.raises(SourceError) as told:
        get(url, folder, settings, **options)
    assert list(folder.iterdir()) == [], "nothing is left of it"
    return str(told.value)


def allowing(*servers: Loopback) -> Settings:
    return Settings(allowed_hosts=",".join(server.url.removeprefix("http://") for server in servers))


def test_a_file_is_fetched_and_its_progress_is_told(tmp_path: Path) -> None:
    progress: list[tuple[int, int | None]] = []
    with serving(lambda asked: Answer((DATA[:500_000], DATA[500_000:]))) as server:
        got = get(
            f"{server.url}/model.zip?a=b", tmp_path, allowing(server),
            sha256=SHA256.upper(), on_progress=lambda done, total: progress.append((done, total)),
        )  # fmt: skip
    assert got == DATA
    assert progress[-1] == (len(DATA), len(DATA)) and progress == sorted(progress) and len(progress) > 1
    [asked] = server.asked
    assert (asked.path, asked.query) == ("/model.zip", {"a": "b"})
    assert "Authorization" not in asked.headers and "Cookie" not in asked.headers


def test_another_file_is_deleted_unopened(tmp_path: Path) -> None:
    with serving(lambda asked: Answer(DATA + b"x")) as server:
        told = refused(server.url, tmp_path, allowing(server))
    assert "is not the one you asked for" in told and hashlib.sha256(DATA + b"x").hexdigest() in told


def test_what_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with serving(lambda asked: Answer(DATA)) as server:
        assert "larger than 1 MB" in refused(server.url, tmp_path, allowing(server), max_bytes=1_000_000)

    def endless(asked: Asked) -> Answer:  # it does not say how long it is
        return Answer(tuple([DATA] * 20), headers={"Transfer-Encoding": "identity", "Content-Length": ""})

    with serving(endless) as server:
        assert "larger than 2 MB" in refused(server.url, tmp_path, allowing(server))


def test_what_is_cut_off_is_told(tmp_path: Path) -> None:
    with serving(
        lambda asked: Answer(DATA[:1000], headers={"Content-Length": str(len(DATA)), "Connection": "close"})
    ) as server:
        assert "was cut off" in refused(server.url, tmp_path, allowing(server))
    with serving(lambda asked: Answer(cut=True)) as server:
        assert "could not be reached" in refused(server.url, tmp_path, allowing(server))


@pytest.mark.parametrize("status", [204, 401, 404, 500])
def test_a_status_that_is_no_file_is_told(tmp_path: Path, status: int) -> None:
    with serving(lambda asked: Answer(b"", status)) as server:
        assert f"HTTP {status}" in refused(server.url, tmp_path, allowing(server))


def test_a_stop_is_seen_while_it_comes(tmp_path: Path) -> None:
    def stop() -> None:
        raise JobStopped("Stopped.")

    with serving(lambda asked: Answer(DATA)) as server, pytest.raises(JobStopped):
        get(server.url, tmp_path, allowing(server), check=stop)
    assert list(tmp_path.iterdir()) == []


# -- whom it asks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://models.example/a.zip", "over https only"),
        ("ftp://models.example/a.zip", "is no web address"),
        ("file:///etc/passwd", "is no web address"),
        ("/etc/passwd", "is no web address"),
        ("", "is no web address"),
        ("https://", "is no web address"),
        ("https://me:secret@models.example/a.zip", "is no web address"),
        ("https://models.example:99999/a.zip", "is no web address"),
        ("https://models.example:8443/a.zip", "no public host"),
        ("https://127.0.0.1/a.zip", "no public host"),
        ("https://[::1]/a.zip", "no public host"),
        ("https://2130706433/a.zip", "no public host"),
        ("https://localhost/a.zip", "no public host"),
        ("https://printer.local/a.zip", "no public host"),
        ("https://router/a.zip", "no public host"),
        ("https://169.254.169.254/latest", "no public host"),
    ],
)
def test_whom_it_may_not_ask_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: 1 // 0)
    assert reason in refused(url, tmp_path, Settings())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_a_public_name_that_leads_into_this_network_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: 1 // 0)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "models.example, which is no public host" in refused("https://models.example/a.zip", tmp_path, Settings())


def test_a_redirect_is_followed_among_allowed_hosts_and_to_no_other(tmp_path: Path) -> None:
    with serving(lambda asked: Answer(DATA)) as second:
        to_second = Answer(b"", 302, {"Location": f"{second.url}/there"})
        with serving(lambda asked: to_second) as first:
            assert get(first.url, tmp_path, allowing(first, second)) == DATA
            (tmp_path / "file").unlink()
            second.asked.clear()
            assert "over https only" in refused(first.url, tmp_path, allowing(first))
            assert second.asked == []


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://127.0.0.1/x", "no public host"),
        ("https://169.254.169.254/latest/meta-data", "no public host"),
        ("http://models.example/x", "over https only"),
        ("file:///etc/passwd", "is no web address"),
    ],
)
def test_a_redirect_to_what_may_not_be_asked_is_not_followed(tmp_path: Path, location: str, reason: str) -> None:
    with serving(lambda asked: Answer(b"", 302, {"Location": location})) as server:
        assert reason in refused(server.url, tmp_path, allowing(server))


def test_redirects_without_an_end_are_given_up(tmp_path: Path) -> None:
    with serving(lambda asked: Answer(b"", 302, {"Location": "/again"})) as server:
        assert "round and round" in refused(server.url, tmp_path, allowing(server))
    assert len(server.asked) == MAX_REDIRECTS + 1
