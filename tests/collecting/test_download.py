import html
import json
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import pytest

from core.collecting import download as downloading
from core.collecting import yt_errors
from core.collecting.download import Downloaded, download
from core.collecting.failures import NotFetched
from core.collecting.guard import Guard
from core.reach import AllowedHost
from core.settings import Settings
from tests.collecting.youtube_watch_pages import MEDIA, Watch, ranged
from tests.loopback import Answer, Asked, Loopback, as_json, serving
from tests.sounds import tone, write_sound
from tests.sources import site_pages
from tests.sources.conftest import Internet
from tests.sources.site_pages import Song

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
Serve = Callable[[Callable[[Asked], Answer]], Loopback]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_sound(tmp_path_factory.mktemp("sound") / "a.mp3", tone(440, 5)).read_bytes()


@pytest.fixture(scope="module")
def webm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_sound(tmp_path_factory.mktemp("sound") / "a.webm", tone(440, 5)).read_bytes()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(serving(answer))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "place of a song $HOME %(id)s"


def allowing(settings: Settings, *servers: Loopback, **changes: Any) -> Settings:
    hosts = ",".join(server.url.removeprefix("http://") for server in servers)
    return settings.model_copy(update={"allowed_hosts": hosts, **changes})


def refused(url: str, folder: Path, settings: Settings) -> NotFetched:
    with pytest.raises(NotFetched) as told:
        download(url, folder, settings)
    assert "http" not in str(told.value).lower().replace("(http ", "") and str(told.value).endswith(".")
    return told.value


def heard(found: Downloaded) -> float:
    with av.open(str(found.path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


# -- an allowed host ---------------------------------------------------------------------------------------------------


def test_a_sound_of_an_allowed_host(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    told: list[tuple[int, int | None]] = []
    found = download(
        f"{server.url}/a.mp3?key=1", folder, allowing(settings, server), on_progress=lambda *one: told.append(one)
    )
    assert found.path.parent == folder and found.path.read_bytes() == sound
    assert (found.title, found.duration_s, found.size_bytes) == ("", None, len(sound))
    assert told[-1] == (len(sound), len(sound)) and heard(found) == pytest.approx(5, abs=0.1)
    asked = server.asked[0]
    assert len(server.asked) == 1 and asked.query == {"key": "1"}
    assert "Cookie" not in asked.headers and "Authorization" not in asked.headers


def test_what_is_there_whole_is_not_asked_for(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    first = download(f"{server.url}/a", folder, allowing(settings, server))
    assert download(f"{server.url}/a", folder, allowing(settings, server)) == first and len(server.asked) == 1
    other = download(f"{server.url}/b", folder, allowing(settings, server))
    assert len(server.asked) == 2 and sorted(folder.iterdir()) == sorted({other.path, folder / "told.json"})


def fetch(url: str, folder: Path, settings: Settings) -> None:
    download(url, folder, settings)


def killed_on_the_way(url: str, folder: Path, settings: Settings, *, at_bytes: int) -> int:
    """Fetch in a process of its own, and kill it when so much is there; the bytes that are left."""
    process = multiprocessing.get_context("spawn").Process(target=fetch, args=(url, folder, settings))
    process.start()
    deadline = time.monotonic() + 60
    while sum(path.stat().st_size for path in folder.glob("*.part")) < at_bytes and time.monotonic() < deadline:
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    return sum(path.stat().st_size for path in folder.glob("*.part"))


class Slow:
    """A big file that comes slowly at first, and knows how much of it was sent."""

    def __init__(self, body: bytes, **headers: str) -> None:
        self.body = body
        self.headers = headers
        self.is_slow = True
        self.answers: list[Answer] = []

    def __call__(self, asked: Asked) -> Answer:
        version = asked.headers.get("If-Range", "")
        has_changed = bool(version) and version not in self.headers.values()
        if has_changed or "Range" not in asked.headers:
            answer = Answer(self.body, headers={"Content-Type": "audio/mpeg"} | self.headers)
        else:
            answer = ranged(asked, self.body, "audio/mpeg", **self.headers)
        whole = answer.body if isinstance(answer.body, bytes) else b""
        self.answers.append(answer)
        if not self.is_slow:
            return answer
        pieces = tuple(whole[at : at + 20_000] for at in range(0, len(whole), 20_000))
        return Answer(pieces, answer.status, answer.headers, pause_s=0.05)


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": '"one"'}, {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"ETag": 'W/"weak"'}]
)
def test_a_killed_transfer_is_gone_on_with(
    serve: Serve, settings: Settings, folder: Path, headers: dict[str, str]
) -> None:
    body = bytes(range(1, 256)) * 8000
    slow = Slow(body, **headers)
    server = serve(slow)
    left = killed_on_the_way(f"{server.url}/a", folder, allowing(settings, server), at_bytes=100_000)
    assert 100_000 <= left < len(body)
    slow.is_slow = False
    assert download(f"{server.url}/a", folder, allowing(settings, server)).path.read_bytes() == body
    assert server.asked[-1].headers["Range"] == f"bytes={left}-" and len(server.asked) == 2
    assert len(slow.answers[-1].body) == len(body) - left


def test_a_file_that_changed_meanwhile_is_fetched_anew(serve: Serve, settings: Settings, folder: Path) -> None:
    slow = Slow(b"1" * 2_000_000, ETag='"one"')
    server = serve(slow)
    killed_on_the_way(f"{server.url}/a", folder, allowing(settings, server), at_bytes=100_000)
    slow.body, slow.headers, slow.is_slow = b"2" * 2_000_000, {"ETag": '"two"'}, False
    assert download(f"{server.url}/a", folder, allowing(settings, server)).path.read_bytes() == slow.body


def test_what_was_left_of_another_address_is_not_gone_on_with(
    serve: Serve, settings: Settings, folder: Path, sound: bytes
) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    found = download(f"{server.url}/a", folder, allowing(settings, server))
    found.path.rename(found.path.with_name(found.path.name + ".part"))
    assert download(f"{server.url}/b", folder, allowing(settings, server)).path.read_bytes() == sound
    assert "Range" not in server.asked[-1].headers


def test_a_part_that_is_all_there_is_taken(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    found = download(f"{server.url}/a", folder, allowing(settings, server))
    found.path.rename(found.path.with_name(found.path.name + ".part"))  # as if killed before it got its name
    assert download(f"{server.url}/a", folder, allowing(settings, server)) == found
    assert found.path.read_bytes() == sound


@pytest.mark.parametrize("note", ["", "{", "[]", '{"address": 1}', '{"address": "ADDRESS", "file": "../x"}'])
def test_a_damaged_note_is_no_note(serve: Serve, settings: Settings, folder: Path, sound: bytes, note: str) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    url = f"{server.url}/a"
    download(url, folder, allowing(settings, server))
    (folder / "told.json").write_text(note.replace("ADDRESS", url))
    assert download(url, folder, allowing(settings, server)).path.read_bytes() == sound
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"", 404), "gone"),
        (Answer(b"", 410), "gone"),
        (Answer(b"", 401), "refused"),
        (Answer(b"", 403), "refused"),
        (Answer(b"", 451), "geo"),
        (Answer(b"", 500), "network"),
        (Answer(b"", 503), "network"),
        (Answer(cut=True), "network"),
        (Answer(b"x" * 500, headers={"Content-Length": "1000", "Connection": "close"}), "network"),
        (Answer(b""), "damaged"),
        (Answer(b"<html>", headers={"Content-Type": "text/html"}), "wrong format"),
        (Answer(b"{}", headers={"Content-Type": "application/json; charset=utf-8"}), "wrong format"),
        (Answer(b"\n <!DOCTYPE html><html>", headers={"Content-Type": "audio/mpeg"}), "wrong format"),
        (Answer(b'{"error": 1}'), "wrong format"),
        (Answer(b"#EXTM3U\nhttp://127.0.0.1/x\n", headers={"Content-Type": "audio/mpegurl"}), "wrong format"),
        (Answer(b"", 429), "rate limit"),
        (Answer(b"", 302, {"Location": "/"}), "network"),
        (Answer(b"", 302, {"Location": "file:///etc/passwd"}), "not allowed"),
    ],
    ids=lambda one: f"{one.status} {one.body[:20]}" if isinstance(one, Answer) else one,
)  # fmt: skip
def test_what_an_allowed_host_answers(
    serve: Serve, settings: Settings, folder: Path, answer: Answer, reason: str
) -> None:
    def hang_up(asked: Asked) -> Answer:
        return answer

    server = serve(hang_up)
    if reason == "network" and answer.body:  # a server that promises more than it sends, and hangs up
        server.server.RequestHandlerClass.protocol_version = "HTTP/1.0"  # type: ignore[attr-defined]
    assert refused(f"{server.url}/a", folder, allowing(settings, server)).reason == reason
    assert not [path for path in folder.glob("song-*") if path.suffix != ".part"]


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (Answer(b"", 429, {"Retry-After": "86400"}), 86400),
        (Answer(b"", 503, {"Retry-After": "30"}), 30),
        (Answer(b"", 429), None),
    ],
)
def test_a_pause_is_told_and_not_slept_through(
    serve: Serve, settings: Settings, folder: Path, answer: Answer, wait_s: float | None
) -> None:
    server = serve(lambda _: answer)
    begin = time.monotonic()
    told = refused(f"{server.url}/a", folder, allowing(settings, server))
    assert (told.reason, told.retry_after_s) == ("rate limit", wait_s)
    assert len(server.asked) == 1 and time.monotonic() - begin < 10


def test_a_server_that_is_not_there(serve: Serve, settings: Settings, folder: Path) -> None:
    with serving(lambda _: Answer()) as server:
        pass
    assert refused(f"{server.url}/a", folder, allowing(settings, server)).reason == "network"


def test_a_transfer_that_breaks_off_once_goes_on(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    def answer(asked: Asked) -> Answer:
        if "Range" in asked.headers:
            return ranged(asked, sound, "audio/mpeg")
        return Answer(sound[:9000], headers={"Content-Length": str(len(sound)), "Connection": "close"})

    server = serve(answer)
    server.server.RequestHandlerClass.protocol_version = "HTTP/1.0"  # type: ignore[attr-defined]
    assert download(f"{server.url}/a", folder, allowing(settings, server)).path.read_bytes() == sound
    assert 0 < int(server.asked[1].headers["Range"].removeprefix("bytes=").removesuffix("-")) <= 9000


# -- limits ------------------------------------------------------------------------------------------------------------


def test_too_large_by_its_own_word(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    server = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    told = refused(f"{server.url}/a", folder, allowing(settings, server, max_audio_bytes=len(sound) - 1))
    assert told.reason == "too long" and list(folder.iterdir()) == []
    assert download(f"{server.url}/a", folder, allowing(settings, server, max_audio_bytes=len(sound)))


def test_too_large_without_a_word(
    serve: Serve, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda _: Answer((b"x" * 100_000,) * 100, headers={"Connection": "close"}, pause_s=0.01))
    handler = server.server.RequestHandlerClass
    say = handler.send_header  # type: ignore[attr-defined]
    monkeypatch.setattr(handler, "send_header", lambda self, *one: "Length" in one[0] or say(self, *one))
    told: list[int] = []
    with pytest.raises(NotFetched) as error:
        download(
            f"{server.url}/a",
            folder,
            allowing(settings, server, max_audio_bytes=300_000),
            on_progress=lambda here, total: told.append(here) if total is None else pytest.fail("it was told"),
        )
    assert error.value.reason == "too long" and list(folder.iterdir()) == []
    assert told and max(told) <= 300_000


# -- nobody else is asked ----------------------------------------------------------------------------------------------


def test_a_redirect_to_another_server_is_not_followed(serve: Serve, settings: Settings, folder: Path) -> None:
    other = serve(lambda _: Answer(b"secret"))
    server = serve(lambda asked: Answer(b"", 302, {"Location": f"{other.url}/x" if asked.path == "/b" else "/b"}))
    assert refused(f"{server.url}/a", folder, allowing(settings, server)).reason == "not allowed"
    assert server.paths == ["/a", "/b"] and other.asked == []


def test_a_redirect_among_allowed_hosts_is_followed(
    serve: Serve, settings: Settings, folder: Path, sound: bytes
) -> None:
    other = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    server = serve(lambda _: Answer(b"", 302, {"Location": f"{other.url}/x"}))
    assert download(f"{server.url}/a", folder, allowing(settings, server, other)).path.read_bytes() == sound


def test_a_page_is_not_read_for_other_addresses(serve: Serve, settings: Settings, folder: Path, sound: bytes) -> None:
    other = serve(lambda asked: ranged(asked, sound, "audio/mpeg"))
    page = f'<html><audio src="{other.url}/a.mp3"></audio><meta property="og:audio" content="{other.url}/b.mp3"></html>'
    for kind in ("text/html", "audio/mpeg", "application/octet-stream"):
        server = serve(lambda asked, kind=kind: ranged(asked, page.encode(), kind))  # type: ignore[misc]
        assert refused(f"{server.url}/a", folder, allowing(settings, server, other)).reason == "wrong format"
        assert len(server.asked) == 1 and other.asked == []


@pytest.mark.parametrize("url", ["", "x", "/etc/passwd", "listed:1", "https://open.spotify.com/track/1", "file:///x"])
def test_what_is_no_place_reaches_nobody(serve: Serve, settings: Settings, folder: Path, url: str) -> None:
    server = serve(lambda _: Answer(b"secret"))
    assert refused(url, folder, settings).reason == "not allowed"
    assert refused(f"{server.url}/a", folder, settings).reason == "not allowed"
    assert (
        refused(f"{server.url}/a", folder, settings.model_copy(update={"allowed_hosts": "a/b"})).reason == "not allowed"
    )
    assert server.asked == [] and not folder.exists()


INSIDE = [
    "http://127.0.0.1:{port}/x",
    "http://localhost:{port}/x",
    "http://[::1]:{port}/x",
    "http://127.1:{port}/x",
    "https://router/x",
    "https://songs.internal/x",
    "https://169.254.169.254/x",
    "https://10.0.0.1/x",
    "https://www.youtube.com:8443/x",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("hidden", INSIDE)
@pytest.mark.parametrize("by", ["format", "redirect of the sound", "redirect of the page"])
def test_a_site_cannot_send_us_into_this_network(
    internet: Internet, serve: Serve, settings: Settings, folder: Path, webm: bytes, hidden: str, by: str
) -> None:
    inside = serve(lambda _: Answer(webm))
    to = hidden.format(port=inside.server.server_port)
    sent_on = Answer(b"", 302, {"Location": to})
    watch = Watch(webm, media=sent_on if by == "redirect of the sound" else None)

    def answer(asked: Asked) -> Answer:
        if by == "redirect of the page" and asked.path == "/watch":
            return sent_on
        said = watch(asked)
        if by == "format" and asked.path == "/youtubei/v1/player":
            told = json.loads(said.body)  # type: ignore[arg-type]
            told["streamingData"]["adaptiveFormats"][0]["url"] = to
            return as_json(told)
        return said

    server = internet(answer)
    assert refused(VIDEO, folder, settings).reason in ("not allowed", "wrong format")
    assert inside.asked == []
    hosts = {asked.host for asked in server.asked}
    assert hosts <= {"www.youtube.com", MEDIA, f"{MEDIA}:443"}
    assert not list(folder.glob("song-*"))


def leads(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name leads to these addresses, one after the other; the last one stays."""
    left = list(addresses)

    def looked_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr("core.sources.sites.PAUSE_S", 0)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]
)
def test_a_name_that_leads_into_this_network_is_not_connected_to(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    leads(monkeypatch, address)
    connected: list[Any] = []
    monkeypatch.setattr("urllib3.util.connection.create_connection", lambda *one, **_: connected.append(one))
    told = refused(VIDEO, folder, settings)
    assert told.reason == "not allowed" and "www.youtube.com" in str(told) and connected == []


@pytest.mark.usefixtures("no_proxy")
def test_a_name_that_leads_elsewhere_a_moment_later_gets_nothing(
    serve: Serve, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda _: Answer(b"secret"))
    real = socket.create_connection
    leads(monkeypatch, "93.184.216.34", "127.0.0.1")
    monkeypatch.setattr(  # port 443 is not ours to listen at
        "urllib3.util.connection.create_connection",
        lambda at, *_, **__: real(("127.0.0.1", server.server.server_port)),
    )
    assert refused(VIDEO, folder, settings).reason == "not allowed"
    assert server.asked == []


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://rr1---sn-x.googlevideo.com/x", True),
        ("http://cdn.example.com:80/x", True),
        ("https://8.8.8.8/x", False),
        ("https://[2606:4700::1]/x", False),
        ("https://localhost/x", False),
        ("https://a.localhost./x", False),
        ("https://printer.local/x", False),
        ("https://intranet/x", False),
        ("https://127.1/x", False),
        ("https://0x7f.0x0.0x0.0x1/x", False),
        ("https://a.example.com:22/x", False),
        ("https://user@a.example.com/x", False),
        ("ftp://a.example.com/x", False),
        ("data:text/plain,x", False),
        ("http://127.0.0.1:8000/x", True),
        ("http://127.0.0.1:8001/x", False),
    ],
)
def test_which_hosts_a_site_may_name(url: str, passes: bool) -> None:
    allowed = (AllowedHost("127.0.0.1", 8000),)
    for is_site, expected in ((True, passes), (False, "127.0.0.1:8000" in url)):
        guard = Guard(allowed, is_site=is_site)
        if expected:
            guard.check(url)
        else:
            with pytest.raises(NotFetched, match="not sent"):
                guard.check(url)


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::7f00:1", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_a_name_may_lead_to(address: str, passes: bool) -> None:
    guard = Guard((AllowedHost("mine.example"),), is_site=True)
    guard.check_address("mine.example", 80, address)
    if passes:
        guard.check_address("a.example", 443, address)
    else:
        with pytest.raises(NotFetched):
            guard.check_address("a.example", 443, address)
    with pytest.raises(NotFetched):
        Guard((), is_site=False).check_address("a.example", 443, address)


# -- YouTube -----------------------------------------------------------------------------------------------------------


def test_a_video_s_sound(
    internet: Internet, settings: Settings, folder: Path, webm: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server = internet(Watch(webm, title="A \u202e- <b>B</b>\n"))
    found = download("https://youtu.be/dQw4w9WgXcQ?list=PLx", folder, settings)
    assert found.path.read_bytes() == webm and found.path.suffix == ".webm"
    assert (found.title, found.duration_s, found.size_bytes) == ("A - <b>B</b>", 5.0, len(webm))
    assert heard(found) == pytest.approx(5, abs=0.1)
    asked = len(server.asked)
    assert download(VIDEO, folder, settings) == found and len(server.asked) == asked
    assert capfd.readouterr() == ("", ""), "nothing is printed"


def test_a_video_s_sound_is_gone_on_with(internet: Internet, settings: Settings, folder: Path, webm: bytes) -> None:
    server = internet(Watch(webm))
    found = download(VIDEO, folder, settings)
    found.path.with_name(found.path.name + ".part").write_bytes(webm[:20_000])
    found.path.unlink()
    server.asked.clear()
    assert download(VIDEO, folder, settings).path.read_bytes() == webm
    asked = [one for one in server.asked if one.host.startswith(MEDIA)]
    assert [one.headers["Range"].split("-")[0] for one in asked] == ["bytes=20000"]


def says(status: str, reason: str, subreason: str = "") -> dict[str, Any]:
    screen = {"playerErrorMessageRenderer": {"subreason": {"simpleText": subreason}}} if subreason else {}
    return {"status": status, "reason": reason, "errorScreen": screen}


@pytest.mark.parametrize(
    ("watch", "reason"),
    [
        (Watch(playability=says("ERROR", "Video unavailable")), "gone"),
        (Watch(playability=says("ERROR", "Video unavailable", "This video is no longer available due to a copyright claim")), "gone"),
        (Watch(playability=says("LOGIN_REQUIRED", "Private video", "Sign in if you've been granted access")), "refused"),
        (Watch(playability=says("UNPLAYABLE", "Join this channel to get access to members-only content")), "refused"),
        (Watch(playability=says("LIVE_STREAM_OFFLINE", "Premieres in 3 hours")), "refused"),
        (Watch(playability=says("LOGIN_REQUIRED", "Sign in to confirm your age")), "age"),
        (Watch(playability=says("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot")), "bot check"),
        (Watch(playability=says("UNPLAYABLE", "Video unavailable", "The uploader has not made this video available in your country")), "geo"),
        (Watch(playability=says("ERROR", "This content isn't available, try again later.")), "rate limit"),
        (Watch(playability=says("ERROR", "Es ist ein Fehler aufgetreten")), "unexpected"),
        (Watch(b"x", details={"isLive": True, "isLiveContent": True}), "wrong format"),
        (Watch(b"x", media=Answer(b"", 403)), "refused"),
        (Watch(b"x", media=Answer(b"", 429, {"Retry-After": "9"})), "rate limit"),
        (Watch(b"x", media=Answer(b"", 500)), "network"),
        (Watch(b"x", media=Answer(cut=True)), "network"),
        (Watch(b"x", media=Answer(b"<html>", headers={"Content-Type": "text/html"})), "wrong format"),
        (Watch(b"x", player=Answer(b"", 429)), "rate limit"),
        (Watch(b"x", player=Answer(b"", 500)), "network"),
        (Watch(b"x", player=Answer(cut=True)), "network"),
        (Watch(b"x", player=Answer(b"<html>")), "outdated yt-dlp"),
    ],
    ids=lambda one: str(one)[:60] if isinstance(one, str) else "",
)  # fmt: skip
def test_what_youtube_says(
    internet: Internet, settings: Settings, folder: Path, watch: Watch, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    internet(watch)
    told = refused(VIDEO, folder, settings)
    assert told.reason == reason, str(told)
    assert "YouTube" in str(told)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("has_javascript", "reason"), [(False, "missing JavaScript runtime"), (True, "outdated yt-dlp")]
)
def test_a_video_without_sound(
    internet: Internet,
    settings: Settings,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_javascript: bool,
    reason: str,
) -> None:
    monkeypatch.setattr(yt_errors, "has_javascript", lambda: has_javascript)
    internet(Watch())
    assert refused(VIDEO, folder, settings).reason == reason


def test_what_is_told_to_last_too_long_is_not_transferred(
    internet: Internet, settings: Settings, folder: Path, webm: bytes
) -> None:
    server = internet(Watch(webm, seconds=601))
    told = refused(VIDEO, folder, settings.model_copy(update={"max_audio_s": 600.0}))
    assert told.reason == "too long"
    assert {asked.host for asked in server.asked} == {"www.youtube.com"}


def test_what_is_told_to_be_too_large_is_not_transferred(
    internet: Internet, settings: Settings, folder: Path, webm: bytes
) -> None:
    server = internet(Watch(webm))
    assert refused(VIDEO, folder, settings.model_copy(update={"max_audio_bytes": 1000})).reason == "too long"
    assert {asked.host for asked in server.asked} == {"www.youtube.com"}


def test_a_server_that_cannot_prove_itself_is_not_believed(
    internet: Internet, settings: Settings, folder: Path, webm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = internet(Watch(webm))
    monkeypatch.undo()
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setattr("core.sources.sites.PAUSE_S", 0)
    told = refused(VIDEO, folder, settings)
    assert told.reason == "network" and "certificate" in str(told) and server.asked == []


# -- the others --------------------------------------------------------------------------------------------------------


def playing(pages: Callable[[Asked], Answer], sound: bytes, *paths: str) -> Callable[[Asked], Answer]:
    return lambda asked: ranged(asked, sound, "audio/mpeg") if asked.path in paths else pages(asked)


SONG = Song(1, "Song 1", "Artist 1", 5.0)


def test_a_track_of_bandcamp(internet: Internet, settings: Settings, folder: Path, sound: bytes) -> None:
    internet(playing(site_pages.bandcamp("Album", [SONG]), sound, "/1"))
    found = download("https://band.bandcamp.com/track/1", folder, settings)
    assert found.path.read_bytes() == sound and (found.title, found.duration_s) == ("Artist 1 - Song 1", 5.0)
    assert refused("https://band.bandcamp.com/track/2", folder, settings).reason == "gone"


def test_a_file_of_the_archive(internet: Internet, settings: Settings, folder: Path, sound: bytes) -> None:
    songs = [SONG, Song(2, "Song 2", "Artist 2", 5.0)]
    server = internet(playing(site_pages.archive("Item", songs), sound, "/download/a-item/1.flac"))
    found = download("https://archive.org/download/a-item/1.flac", folder, settings)
    assert found.path.read_bytes() == sound and (found.title, found.duration_s) == ("Song 1", 5.0)
    server.asked.clear()
    several = refused("https://archive.org/details/a-item", folder, settings)
    assert several.reason == "wrong format" and "several songs" in str(several)
    assert refused("https://archive.org/details/a-item/3.flac", folder, settings).reason == "gone"
    assert not [asked for asked in server.asked if asked.path.startswith("/download")]


def test_a_name_from_outside_names_no_file(
    internet: Internet, settings: Settings, folder: Path, sound: bytes, tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    for name in (
        "../../x.mp3",
        "a\0b.mp3",
        "x.mp3/../../../y.mp3",
        "%(id)s.mp3",
        "$HOME.mp3",
        "a.exe",
        "é" * 300 + ".mp3",
    ):

        def answer(asked: Asked, name: str = name) -> Answer:
            if asked.path.startswith("/embed"):
                told = html.escape(json.dumps([{"title": name, "artist": name, "orig": name}]))
                return Answer(f'<html><play-av playlist="{told}"></play-av></html>'.encode())
            if asked.path.startswith("/metadata"):
                files = [{"name": name, "title": name, "length": "5"}]
                return as_json({"metadata": {"identifier": name, "title": name}, "files": files})
            return ranged(asked, sound, "audio/mpeg", **{"Content-Disposition": "attachment; filename=../../z.mp3"})

        internet(answer)
        try:
            found = download("https://archive.org/details/item", folder, settings)
        except NotFetched as told:
            assert name == "a.exe" and told.reason == "wrong format"  # no kind of file that sound is in
        else:
            assert found.path.parent == folder and found.path.name.startswith("song-")
        assert all(path.name == "told.json" or path.name.startswith("song-") for path in folder.rglob("*"))
        for path in folder.iterdir():
            path.unlink()
    assert set(tmp_path.iterdir()) - before <= {folder, settings.home}


def of_soundcloud(sound: bytes, *, pieces: int, missing: int | None = None) -> Callable[[Asked], Answer]:
    """A song of SoundCloud that comes in pieces."""
    pages = site_pages.soundcloud("L", [])
    step = -(-len(sound) // pieces)

    def answer(asked: Asked) -> Answer:
        if asked.path == "/resolve":
            kind = {"protocol": "hls", "mime_type": "audio/mpeg"}
            coding = {"url": "https://api.soundcloud.com/media/1", "preset": "mp3_0_1", "format": kind}
            told = {"id": 1, "title": "Song 1", "user": {"username": "A"}, "duration": 5000, "full_duration": 5000}
            return as_json(told | {"media": {"transcodings": [coding]}, "policy": "ALLOW", "permalink_url": "x"})
        if asked.path == "/media/1":
            return as_json({"url": "https://cf.soundcloud.com/list.m3u8"})
        if asked.path == "/list.m3u8":
            listed = "".join(f"#EXTINF:1,\nhttps://cf.soundcloud.com/piece/{at}\n" for at in range(pieces))
            return Answer(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{listed}#EXT-X-ENDLIST\n".encode())
        if asked.path.startswith("/piece/"):
            at = int(asked.path.rpartition("/")[2])
            return Answer(b"", 404) if at == missing else Answer(sound[at * step : (at + 1) * step])
        return pages(asked)

    return answer


def test_a_song_in_pieces(
    internet: Internet,
    settings: Settings,
    folder: Path,
    sound: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    ffmpeg = tmp_path / "bin" / "ffmpeg"
    ffmpeg.parent.mkdir()
    ffmpeg.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\necho ffmpeg version 8.0\n")
    ffmpeg.chmod(0o755)
    monkeypatch.setenv("PATH", str(ffmpeg.parent), prepend=":")
    internet(of_soundcloud(sound, pieces=5))
    found = download("https://soundcloud.com/a/song-1", folder, settings)
    assert found.path.read_bytes() == sound and (found.title, found.duration_s) == ("Song 1", 5.0)
    assert not (tmp_path / "was-run").exists(), "no program that the guard does not see"


def test_a_song_with_a_hole_is_not_whole(internet: Internet, settings: Settings, folder: Path, sound: bytes) -> None:
    internet(of_soundcloud(sound, pieces=5, missing=3))
    assert refused("https://soundcloud.com/a/song-1", folder, settings).reason == "network"
    internet(of_soundcloud(sound, pieces=5))
    assert download("https://soundcloud.com/a/song-1", folder, settings).path.read_bytes() == sound


def test_a_track_of_audius(internet: Internet, settings: Settings, folder: Path, sound: bytes) -> None:
    pages = site_pages.audius("L", [])

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/resolve" and asked.query["url"].endswith("/song-1"):
            return as_json({"data": {"id": "T1", "title": "Song 1", "user": {"name": "A"}, "duration": 5}})
        return pages(asked)

    internet(playing(answer, sound, "/v1/tracks/T1/stream"))
    found = download("https://audius.co/a/song-1", folder, settings)
    assert found.path.read_bytes() == sound and (found.title, found.duration_s) == ("Song 1", 5.0)
    assert refused("https://audius.co/a/song-2", folder, settings).reason == "gone"


def test_only_the_extractor_of_the_place_is_loaded(
    internet: Internet, settings: Settings, folder: Path, webm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.collecting import reader

    loaded: list[set[str]] = []
    real = reader.Reader.process_ie_result

    def noted(self: Any, *args: Any, **options: Any) -> Any:
        loaded.append({one.IE_NAME for one in self._ies.values()})
        return real(self, *args, **options)

    monkeypatch.setattr(reader.Reader, "process_ie_result", noted)
    server = internet(Watch(webm))
    download(VIDEO, folder, settings)
    server.answer = lambda asked: ranged(asked, webm, "audio/webm")
    assert loaded == [{"youtube"}]
    assert downloading.TRIES == 3
