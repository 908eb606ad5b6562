"""A small internet on 127.0.0.1, for what can only ask hosts by their own names."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import certifi
import pytest

from core.sources import sites
from tests.loopback import Answer, Asked, Loopback, serving

HOSTS = (
    "youtube.com",
    "*.youtube.com",
    "*.bandcamp.com",
    "soundcloud.com",
    "*.soundcloud.com",
    "archive.org",
    "*.jamendo.com",
    "*.audius.co",
)

Internet = Callable[[Callable[[Asked], Answer]], Loopback]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for these hosts that nobody but this test run trusts, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate of the test, is not on this machine")
    folder = tmp_path_factory.mktemp("certificate")
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=loopback"]
    files = ["-addext", f"subjectAltName={names}", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return both


def for_other_processes(internet: Loopback, certificate: Path, folder: Path) -> dict[str, str]:
    """Surroundings in which another process, and all that it begins, finds `internet` outside, and trusts it."""
    (folder / "sitecustomize.py").write_text(f"import certifi\n\ncertifi.where = lambda: {str(certificate)!r}\n")
    proxies = {"https_proxy": internet.url, "http_proxy": "", "all_proxy": "", "no_proxy": "127.0.0.1"}
    return {**proxies, **{name.upper(): value for name, value in proxies.items()}, "PYTHONPATH": str(folder)}


@pytest.fixture
def internet(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """Call it with what all hosts answer; from then on everything goes there: by proxy, encrypted, and trusted."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    for name in ("http_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    monkeypatch.setattr(sites, "PAUSE_S", 0)
    with ExitStack() as stack:

        def play(answer: Callable[[Asked], Answer]) -> Loopback:
            server = stack.enter_context(serving(answer, tls))
            monkeypatch.setenv("HTTPS_PROXY", server.url)
            monkeypatch.setenv("HTTP_PROXY", server.url)
            return server

        yield play
