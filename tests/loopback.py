"""A real web server on 127.0.0.1 that answers as a test tells it to, and remembers what it was asked."""

import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `at` is the time in seconds (monotonic)."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Answer:
    """What is sent back; a body of several pieces is sent `pause_s` apart, and `cut` hangs up before any of it."""

    body: bytes | tuple[bytes, ...] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    cut: bool = False


def as_json(content: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(content).encode(), status, {"Content-Type": "application/json"} | headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed hang up at any moment: that is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Loopback:
    """The server's address, and its diary."""

    def __init__(self, answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> None:
        """With `tls` it is a proxy as well, behind which it plays every host of the world."""
        self.answer = answer
        self.tls = tls
        self.asked: list[Asked] = []
        self.server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    self.headers.get("Host", ""),
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    dict(self.headers),
                    body,
                    time.monotonic(),
                )
                loopback.asked.append(asked)
                self._send(loopback.answer(asked))

            do_POST = do_HEAD = do_GET  # noqa: N815 - the base class names it so

            def do_CONNECT(self) -> None:
                """Where a tunnel to another host is wanted, be that host at its end."""
                if loopback.tls is None:
                    self.send_error(405)
                    return
                self.send_response(200)
                self.end_headers()
                try:
                    self.connection = loopback.tls.wrap_socket(self.connection, server_side=True)
                except OSError:  # the other side trusts no one
                    self.close_connection = True
                    return
                self.rfile = self.connection.makefile("rb", -1)
                self.wfile = self.connection.makefile("wb", 0)
                self.close_connection = False

            def _send(self, answer: Answer) -> None:
                pieces = answer.body if isinstance(answer.body, tuple) else (answer.body,)
                if answer.cut:
                    self.close_connection = True
                    return
                try:
                    self.send_response(answer.status)
                    for name, value in ({"Content-Length": str(sum(map(len, pieces)))} | dict(answer.headers)).items():
                        self.send_header(name, value)
                    self.end_headers()
                    for piece in pieces if self.command != "HEAD" else ():
                        self.wfile.write(piece)
                        time.sleep(answer.pause_s)
                except OSError:  # who asked has gone
                    self.close_connection = True

        return Handler


@contextmanager
def serving(answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """A server that runs as long as the block does."""
    loopback = Loopback(answer, tls)
    thread = threading.Thread(target=loopback.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.server.shutdown()
        loopback.server.server_close()
        thread.join()
