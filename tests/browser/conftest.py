"""A real server and a real browser."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Server:
    """The app on a free port of 127.0.0.1, with a workspace of its own."""

    home: Path
    surroundings: dict[str, str] = field(default_factory=dict)
    script: str = "app/main.py"
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.port = self.port or free_port()
        environment = {
            **os.environ,
            "GENRESCOPE_HOME": str(self.home),
            "GENRESCOPE_LEASE_S": "3",
            "GENRESCOPE_WORKER_IDLE_S": "20",
            **self.surroundings,
        }
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", self.script, "--server.headless=true"),
                    *(f"--server.port={self.port}", "--server.fileWatcherType=none"),
                ],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                return
            time.sleep(0.1)
        raise TimeoutError((self.home / "server.log").read_text())

    def kill(self) -> None:
        """End the server as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def worker_ids(self) -> set[int]:
        """Process ids of workers that have claimed a job here, dead or alive."""
        library = self.home / "data" / "library.db"
        if not library.exists():
            return set()
        with contextlib.closing(sqlite3.connect(library)) as db, contextlib.suppress(sqlite3.OperationalError):
            return {int(row[0].split(":")[1]) for row in db.execute("SELECT worker FROM jobs WHERE worker <> ''")}
        return set()  # ended before the library was made

    def kill_workers(self) -> None:
        for process_id in self.worker_ids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


def chromium() -> str:
    """Where Chromium is; the test is skipped if it is nowhere."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return executable


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    running = Server(home)
    running.start()
    yield running
    running.kill()
    running.kill_workers()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()
