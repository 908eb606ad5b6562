"""The guard in front of Streamlit, at real servers: the app as `streamlit run app/main.py` starts it, and the demo of guests."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import requests
import streamlit as st
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLs
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from app import answers, session
from app.ui import plain
from tests.browser.conftest import Server
from tests.sounds import drone, hiss, write_sound
from tests.visitor import Visitor

LIMITS = {
    "GENRESCOPE_MODE": "demo",
    "GENRESCOPE_GUEST_UPLOAD_BYTES": "2000000",
    "GENRESCOPE_GUEST_KEEP_BYTES": "2000000",
    "GENRESCOPE_GUEST_PENDING_BYTES": "5000000",
}
"""3 MB a session, with the form around its files, and 5 MB in all."""
DEVELOPER_MESSAGES = [
    BackMsg(clear_cache=True),
    BackMsg(clear_cache=False),
    BackMsg(set_run_on_save=True),
    BackMsg(load_git_info=True),
    BackMsg(debug_disconnect_websocket=True),
    BackMsg(debug_shutdown_runtime=True),
    BackMsg(backend_operation_request={"request_id": "1", "session_id": "x", "install_skills": {}}),
    BackMsg(backend_operation_request={"request_id": "2", "session_id": "x", "dismiss_skills_nudge": {}}),
    BackMsg(backend_operation_request={"request_id": "3", "session_id": "x"}),
    BackMsg(file_urls_request={"request_id": "4", "file_names": ["a"] * 10_000}),
    BackMsg(),
]
PATHS = ["/", "/predict", "/nowhere", "/_stcore/health", "/_stcore/host-config", "/media/none.mp3", "/favicon.png"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The builder's app."""
    running = Server(tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The guests' demo as `make demo` starts it, under whatever name a proxy has, and with one more origin."""
    options = {"STREAMLIT_SERVER_ALLOWED_HOSTS": "*", "STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS": "https://cors.example"}
    running = Server(tmp_path_factory.mktemp("home"), {**LIMITS, **options})
    running.start()
    yield running
    running.kill()


@pytest.fixture(params=["app", "demo"])
def server(request: pytest.FixtureRequest) -> Server:
    """One of them after the other."""
    running: Server = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    return write_sound(path, drone(np.random.default_rng(0), 5.0)).read_bytes()


# -- where requests come from ------------------------------------------------------------------------------------------


def origins(port: int) -> list[str]:
    """Pages that are not of `127.0.0.1:port`."""
    return [
        f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", "http://127.0.0.1:80", f"http://localhost:{port}",
        f"http://[::1]:{port}", f"http://0.0.0.0:{port}", f"https://127.0.0.1:{port}", f"ws://127.0.0.1:{port}",
        f"http://127.0.0.1.evil.example:{port}", f"http://evil.example:{port}", "http://evil.example", "null", "", "*",
        f"http://user@127.0.0.1:{port}", f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}#", f"//127.0.0.1:{port}",
        f"http://127.0.0.1:{port}, http://evil.example", f"http://127.0.0.1:0{port}", "file://", "https://share.streamlit.io",
        "chrome-extension://abcdefgh", f"http://127.1:{port}", f"http://2130706433:{port}", f"http://127.0.0.1.:{port}",
    ]  # fmt: skip


def upgrade(port: int, headers: list[tuple[str, str]]) -> http.client.HTTPResponse:
    """What the app answers a browser that wants to talk with it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    handshake = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "streamlit",
    }  # fmt: skip
    for name, value in [*handshake.items(), *headers]:
        connection.putheader(name, value)
    connection.endheaders()
    with contextlib.closing(connection):
        return connection.getresponse()


def test_a_page_of_elsewhere_does_not_connect(server: Server) -> None:
    here = f"127.0.0.1:{server.port}"
    assert upgrade(server.port, [("Host", here), ("Origin", f"http://{here}")]).status == 101
    for origin in origins(server.port):
        answer = upgrade(server.port, [("Host", here), ("Origin", origin)])
        assert answer.status in (400, 403), origin
        if answer.status == 403:
            assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert upgrade(server.port, [("Host", here)]).status == 403, "a browser always says where it comes from"
    twice = [("Host", here), ("Origin", f"http://{here}"), ("Origin", "http://evil.example")]
    assert upgrade(server.port, twice).status in (400, 403)


def test_a_page_of_elsewhere_is_not_answered_over_http(server: Server) -> None:
    for origin in filter(None, origins(server.port)):
        for method, path in [("GET", "/"), ("GET", "/_stcore/health"), ("OPTIONS", "/_stcore/upload_file/a/b")]:
            answer = requests.request(method, f"{server.url}{path}", headers={"Origin": origin}, timeout=20)
            assert answer.status_code == 403, (origin, path)
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert requests.get(server.url, headers={"Origin": server.url}, timeout=20).ok


def test_a_name_that_is_not_allowed_is_answered_for_health_alone(app: Server) -> None:
    for host in ("evil.example", f"evil.example:{app.port}", f"127.0.0.1.evil.example:{app.port}", "a@127.0.0.1"):
        for path in ("/", "/_stcore/host-config", "/_stcore/metrics", "/_stcore/upload_file/a/b"):
            assert requests.get(f"{app.url}{path}", headers={"Host": host}, timeout=20).status_code in (403, 404)
        assert requests.get(f"{app.url}/_stcore/health", headers={"Host": host}, timeout=20).ok


@pytest.mark.parametrize(
    ("host", "origin", "forwarded", "status"),
    [
        ("demo.example.org", "https://demo.example.org", "https", 101),
        ("demo.example.org:8443", "https://demo.example.org:8443", "https", 101),
        ("demo.example.org", "https://demo.example.org", "HTTPS, http", 101),
        ("demo.example.org", "http://demo.example.org", "http", 101),
        ("demo.example.org", "https://other.example", "https", 403),
        ("demo.example.org", "http://demo.example.org", "https", 403),
        ("demo.example.org", "https://demo.example.org:8443", "https", 403),
        ("demo.example.org", "https://demo.example.org", "gopher", 403),
        ("other.example", "https://www.demo.example.org", "https", 403),
        ("anything.example", "https://cors.example", "https", 101),
        ("anything.example", "https://cors.example:8443", "https", 403),
    ],
)
def test_behind_a_proxy_the_name_that_the_browser_knows_is_its_own(
    demo: Server, host: str, origin: str, forwarded: str, status: int
) -> None:
    headers = [("Host", host), ("Origin", origin), ("X-Forwarded-Proto", forwarded)]
    assert upgrade(demo.port, headers).status == status


def test_no_site_frames_any_response(server: Server) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
        for path in [
            *PATHS,
            "/_stcore/metrics",
            "/_stcore/upload_file/a/b",
            "/..%2f..%2fetc/passwd",
            "/static/none.js",
        ]:
            answer = requests.request(method, f"{server.url}{path}", timeout=20)
            told = (method, path, answer.status_code)
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], told
            assert answer.headers["X-Frame-Options"] == "DENY", told


def test_no_window_may_send_a_page_messages(server: Server) -> None:
    assert requests.get(f"{server.url}/_stcore/host-config", timeout=20).json()["allowedOrigins"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics", "/_stcore/metrics/", "/_stcore//metrics", "/_stcore/%6detrics", "/_stcore/metrics?families=x",
        "/_stcore/script-health-check", "/_stcore/agent/interact", "/_stcore/agent/openapi.json", "/_stcore/agent/mcp",
        "/_stcore", "/_stcore/new",
    ],
)  # fmt: skip
def test_guests_reach_nothing_that_is_for_operators(demo: Server, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = requests.request(method, f"{demo.url}{path}", timeout=20)
        assert answer.status_code in (400, 404), (method, path)
        assert "memory" not in answer.text and "session" not in answer.text


# -- what a page may say -----------------------------------------------------------------------------------------------


@dataclass
class Listener(Visitor):
    """A visitor that remembers the kinds of messages that came."""

    kinds: list[str] = field(default_factory=list)

    def _read(self, told: ForwardMsg) -> None:
        self.kinds.append(str(told.WhichOneof("type")))
        super()._read(told)

    def say(self, *messages: BackMsg) -> None:
        """Send messages, and wait until all that came before the answer to the last was read."""
        for message in messages:
            self._say(message)
        self._say(BackMsg(app_heartbeat=True))
        before = self.kinds.count("heartbeat_ack")
        self.wait(lambda: self.kinds.count("heartbeat_ack") > before)


def test_messages_for_developers_have_no_effect(server: Server, song: bytes) -> None:
    with Visitor(server.url, "predict") as other, Listener(server.url, "predict") as page:
        for one in (other, page):
            one.drop("mine.wav", song)
            one.wait(lambda one=one: one.reads(f"##### {plain('mine.wav')}"))
            one.rest()
        page.say()
        page.kinds.clear()
        page.say(*(message for message in DEVELOPER_MESSAGES if server_is_demo(server) or "4" not in str(message)))
        assert set(page.kinds) == {"heartbeat_ack"}, page.kinds
        for one in (other, page):
            one.again()
            one.rest()
            assert one.reads(f"##### {plain('mine.wav')}") and not one.reads("not kept here any more")
            assert one.errors == []
    assert requests.get(f"{server.url}/_stcore/health", timeout=20).ok


def server_is_demo(server: Server) -> bool:
    return server.surroundings.get("GENRESCOPE_MODE") == "demo"


def test_what_must_last_is_in_no_cache_of_streamlit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "demo")
    st.cache_resource.clear()
    turns = answers.turns()
    given = answers.Upload.of("a.wav", b"sound")
    monkeypatch.setitem(session._ON_CLOSE, "another session", lambda: answers._let_all_go([given]))
    with turns.turn(patience_s=1):
        st.cache_resource.clear()
        st.cache_data.clear()
        assert session.is_guest() and answers.turns() is turns
    session.close(lambda session_id: True)
    assert given.data == b"sound"
    session.close(lambda session_id: session_id != "another session")
    assert given.data is None and "another session" not in session._ON_CLOSE
    st.cache_resource.clear()


@pytest.mark.parametrize("data", ["text", b"\xff" * 100, b"\0" * 26_500_000], ids=["text", "no message", "large"])
def test_a_message_that_no_page_sends_ends_its_own_connection_alone(demo: Server, data: str | bytes) -> None:
    with Visitor(demo.url) as other:
        with Visitor(demo.url) as page:
            page._socket.send(data)
            with pytest.raises(ConnectionClosed):
                page.wait(lambda: False, 20)
        other.again()
        other.rest()
        assert other.reads("Drop in any song") and other.errors == []


# -- values that no widget has -----------------------------------------------------------------------------------------

LONG = "x" * 100_000


def values() -> Iterator[dict[str, object]]:
    """A value of every kind that there is, and several where they differ."""
    yield {}
    for value in (True, False):
        yield {"bool_value": value}
        yield {"trigger_value": value}
    yield from ({"double_value": value} for value in (float("nan"), float("inf"), -1e300, 0.5))
    yield from ({"int_value": value} for value in (0, -1, 2**62, -(2**63)))
    yield from (
        {"string_value": value} for value in ("", "none of these", LONG, "\0", "\u202e<script>", "1", "0", "coarse")
    )
    yield from (
        {"string_array_value": {"data": value}} for value in ([], ["coarse", "fine"], [LONG[:999]] * 50, ["none"])
    )
    yield from ({"double_array_value": {"data": value}} for value in ([], [float("nan")] * 3))
    yield from ({"int_array_value": {"data": value}} for value in ([], [99, -1, 2**62], [0, 0, 0, 1]))
    for text in ("", "{", "null", "[]", "1e999", '{"selection": 5}', "[" * 50_000, '{"value": null}', '"x"', "{}"):
        yield {"json_value": text}
        yield {"json_trigger_value": text}
    yield {"bytes_value": b"\xff" * 1000}
    yield {"arrow_value": {}}
    yield {"string_trigger_value": {"data": "none"}}
    yield {"chat_input_value": {"data": "none"}}
    yield {"file_uploader_state_value": {}}
    files = [{"name": f"{LONG[:5000]}\0.mp3", "size": 2**62, "file_id": "none"}, {"file_id": "../../x"}, {}]
    yield {"file_uploader_state_value": {"uploaded_file_info": files}}


def widgets(message: Message) -> Iterator[tuple[str, str]]:
    """(id, kind) of the widgets in a message."""
    for descriptor, value in message.ListFields():
        if descriptor.name == "id" and str(value).startswith("$$ID"):
            yield str(value), message.DESCRIPTOR.name
        for one in (value if descriptor.is_repeated else [value]) if descriptor.message_type else ():
            if isinstance(one, Message):
                yield from widgets(one)


@pytest.mark.slow
def test_no_value_breaks_a_guest_s_page(demo: Server, tmp_path: Path) -> None:
    """Every kind of value at every widget; none of them changes what the next guest of the widget sees."""
    songs = [
        write_sound(tmp_path / f"{n}.wav", make(np.random.default_rng(n), 5.0)).read_bytes()
        for n, make in enumerate((drone, hiss))
    ]
    with Visitor(demo.url) as page:
        for number, data in enumerate(songs):
            page.drop(f"{number}.wav", data)
            page.rest()
        assert page.reads("2 songs side by side")
        there = {found: kind for element in page.elements.values() for found, kind in widgets(element)}
        assert {"FileUploader", "AudioInput", "Button", "DownloadButton", "Selectbox"} <= set(there.values())
        for number, value in enumerate(values()):
            chosen = [
                found for found, kind in there.items() if not (kind == "Button" and value == {"trigger_value": True})
            ]
            states = [WidgetState(id=found, **value) for found in chosen]  # type: ignore[arg-type]
            for some in [states] if number % 12 else [[one] for one in states]:
                page._rerun(*some)
                page.rest()
                assert page.errors == [] and page.reads("2 songs side by side"), (number, value, some[0].id)
        for size_bytes in (300_000, 1_100_000, 8_000_000):
            page._rerun(*(WidgetState(id=found, string_value="x" * size_bytes) for found in list(there)[-2:]))
            page.rest()
            page._rerun(
                *(
                    WidgetState(id=found, string_value="x" * size_bytes)
                    for found, kind in there.items()
                    if kind == "Selectbox"
                )
            )
            page.rest()
            assert page.errors == [] and page.reads("2 songs side by side"), size_bytes
        page._rerun(WidgetState(id="$$ID-0-none", int_value=1), WidgetState(id=LONG, string_value="x"), WidgetState())
        page.rest()
        page.press("Remove all")
        page.rest()
        page.drop("again.wav", songs[0])
        page.rest()
        assert page.reads(f"##### {plain('again.wav')}") and page.errors == []


@pytest.mark.parametrize(
    "name", ["song.exe", "a\0.mp3", "none", ".", f"{'x' * 5000}.mp3", "\u202e3pm.exe", "../../etc/passwd.mp3"]
)
def test_no_name_of_a_file_breaks_a_guest_s_page(demo: Server, song: bytes, name: str) -> None:
    with Visitor(demo.url) as page:
        for kind in ("file_uploader", "audio_input"):
            address = page.address(name)
            assert page.put(address, name, song).status_code in (204, 400)
            box = next(getattr(one, kind) for one in page.elements.values() if one.HasField(kind))  # type: ignore[arg-type]
            state = FileUploaderState()
            state.uploaded_file_info.add(name=name, size=len(song), file_id=address.file_id, file_urls=address)
            page._rerun(WidgetState(id=box.id, file_uploader_state_value=state))
            page.rest()
            page.again()
            page.rest()
            assert page.errors == [] and page.reads("Drop in any song")


@pytest.mark.parametrize(
    "asked",
    [
        {"query_string": LONG}, {"query_string": "page=%00&x=%ff&=&&"}, {"page_name": "../../etc/passwd"}, {"page_name": LONG},
        {"page_script_hash": "none"}, {"page_script_hash": LONG}, {"context_info": {"url": "http://[::1"}},
        {"context_info": {"url": f"http://x/{LONG}"}}, {"context_info": {"url": "http://x/a b/ /%00/\0/é"}},
        {"context_info": {"url": "not a url"}}, {"context_info": {"url": "http://x/predict/guest"}},
        {"context_info": {"timezone": "Nowhere/None", "locale": LONG, "timezone_offset": 2**31 - 1}},
        {"context_info": {"color_scheme": "purple"}}, {"cached_message_hashes": [LONG] * 3}, {"is_history_navigation": True},
    ],
    ids=lambda asked: str(asked)[:50],
)  # fmt: skip
def test_no_address_breaks_a_guest_s_page(demo: Server, asked: dict[str, object]) -> None:
    with Visitor(demo.url) as page:
        page._busy = True
        page._say(BackMsg(rerun_script=asked))  # type: ignore[arg-type]
        page.rest()
        assert page.errors == []
        page.again()
        page.rest()
        assert page.errors == [] and page.reads("Drop in any song")


# -- uploads -----------------------------------------------------------------------------------------------------------


def put(page: Visitor, size_bytes: int, address: FileURLs | None = None) -> requests.Response:
    return page.put(address or page.address("a.mp3"), "a.mp3", b"\0" * size_bytes)


def wait_until_taken(page: Visitor, size_bytes: int) -> None:
    """Until an upload is taken: the server notices in a moment that a page was closed."""
    deadline = time.monotonic() + 10
    while put(page, size_bytes).status_code != 204:
        assert time.monotonic() < deadline, "what closed pages uploaded is still there"
        time.sleep(0.1)


def test_uploads_that_no_page_takes_are_bounded_per_session_and_in_all_and_freed_with_the_page(demo: Server) -> None:
    with Visitor(demo.url) as page, Visitor(demo.url) as second, Visitor(demo.url) as third:
        wait_until_taken(page, 1_400_000)  # other tests' pages are gone by then
        assert put(page, 1_400_000).status_code == 204
        refused = put(page, 1_400_000)
        assert refused.status_code == 413 and "Drop fewer files at once" in refused.text
        assert put(second, 1_400_000).status_code == 204
        for visitor in (second, third):
            refused = put(visitor, 1_400_000)
            assert refused.status_code == 413 and "Try again in a minute" in refused.text
    with Visitor(demo.url) as fourth:
        wait_until_taken(fourth, 1_400_000)
        assert put(fourth, 1_400_000).status_code == 204


def test_an_upload_of_unknown_length_is_bounded_too(demo: Server) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(60):
            yield b"\0" * 100_000
        yield b"\r\n--x--\r\n"

    with Visitor(demo.url) as page:
        answer = page._http.put(
            f"{demo.url}{page.address('a').upload_url}",
            data=body(),
            headers={
                "X-Xsrftoken": page.token,
                "Content-Type": "multipart/form-data; boundary=x",
                "Connection": "close",
            },
            timeout=20,
        )
        assert answer.status_code == 413
        wait_until_taken(page, 1_900_000)


def test_what_a_page_takes_over_or_removes_counts_no_more(demo: Server, song: bytes) -> None:
    with Visitor(demo.url) as page:
        for number in range(4):  # 4.6 MB of them, more than fit at once
            page.drop(f"{number}.wav", song + b"\0" * 1_000_000)
            page.rest()
        for _ in range(4):
            address = page.address("a.mp3")
            wait_until_taken(page, 100)
            assert put(page, 1_900_000, address).status_code == 204
            headers = {"X-Xsrftoken": page.token}
            assert page._http.delete(f"{demo.url}{address.delete_url}", headers=headers, timeout=20).status_code == 204


def test_an_upload_that_outlasts_its_page_is_freed(demo: Server) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + b"\0" * 1_900_000 + b"\r\n--x--\r\n"
    )
    slow = []
    for _ in range(2):
        with Visitor(demo.url) as page:
            address = page.address("a.mp3")
            connection = socket.create_connection(("127.0.0.1", demo.port), timeout=20)
            head = (
                f"PUT {address.upload_url} HTTP/1.1\r\nHost: 127.0.0.1:{demo.port}\r\nX-Xsrftoken: {page.token}\r\n"
                f"Cookie: _streamlit_xsrf={page.token}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                f"Content-Length: {len(form)}\r\nConnection: close\r\n\r\n"
            )
            connection.sendall(head.encode() + form[:1_000_000])
            time.sleep(0.2)
            slow.append(connection)
    for connection in slow:
        with connection:
            connection.sendall(form[1_000_000:])
            connection.recv(10_000)
    with Visitor(demo.url) as page, Visitor(demo.url) as second:
        wait_until_taken(page, 2_400_000 - 500_000)
        assert put(second, 1_900_000).status_code == 204


def test_a_hostile_upload_breaks_nothing(demo: Server) -> None:
    with Visitor(demo.url) as page:
        headers = {"X-Xsrftoken": page.token, "Connection": "close"}
        url = f"{demo.url}{page.address('a').upload_url}"
        for body, kind in [(b"", "multipart/form-data; boundary=x"), (b"x" * 1000, "text/plain"), (b"--x\r\n" * 999, "multipart/form-data; boundary=x")]:  # fmt: skip
            answer = page._http.put(url, data=body, headers={**headers, "Content-Type": kind}, timeout=20)
            assert 400 <= answer.status_code < 500, (kind, answer.status_code)
        for path in (
            "/_stcore/upload_file/a",
            "/_stcore/upload_file/a/b/c",
            "/_stcore/upload_file//",
            "/_stcore/upload_file/\u00e9/b",
        ):
            answer = page._http.put(f"{demo.url}{path}", data=b"x", headers=headers, timeout=20)
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
        wait_until_taken(page, 100)
