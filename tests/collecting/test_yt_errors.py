import errno

import pytest
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    ProxyError,
    TransportError,
)
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnavailableVideoError,
    UserNotLive,
)

from core.collecting import yt_errors
from core.collecting.failures import NotFetched
from core.collecting.yt_errors import not_fetched


def http(status: int, **headers: str) -> HTTPError:
    import io

    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPError(Response(io.BytesIO(b""), "https://x.example/?token=secret", told, status))


def said(text: str) -> ExtractorError:
    return ExtractorError(text, expected=True, video_id="abcdefghijk", ie="youtube")


def wrapped(error: BaseException) -> DownloadError:
    """As yt-dlp hands an error on: as text, and beside it where it came from."""
    return DownloadError(f"\x1b[0;31mERROR:\x1b[0m {error}", (type(error), error, None))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (http(404), "gone"),
        (http(410), "gone"),
        (said("Video unavailable. This video has been removed by the uploader"), "gone"),
        (said("This video is no longer available because the YouTube account has been terminated"), "gone"),
        (said("This video is not available"), "gone"),
        (http(403), "refused"),
        (http(401), "refused"),
        (said("Private video. Sign in if you've been granted access to this video"), "refused"),
        (said("Join this channel to get access to members-only content like this video"), "refused"),
        (said("This video requires payment to watch"), "refused"),
        (said("Premieres in 3 hours"), "refused"),
        (said("This live event will begin in 2 days."), "refused"),
        (http(451), "geo"),
        (GeoRestrictedError("The uploader has not made this video available in your country", countries=["DE"]), "geo"),
        (GeoRestrictedError("Blocked"), "geo"),
        (said("Sign in to confirm your age. This video may be inappropriate for some users."), "age"),
        (said("Sign in to confirm you’re not a bot. Use --cookies-from-browser"), "bot check"),
        (said("Hm. YouTube is requiring a captcha challenge before playback"), "bot check"),
        (http(429), "rate limit"),
        (http(503, Retry_After="60"), "rate limit"),
        (said("This content isn't available, try again later. The current session has been rate-limited"), "rate limit"),
        (http(503), "network"),
        (http(500), "network"),
        (TransportError(cause=ConnectionResetError("reset")), "network"),
        (TransportError("timed out"), "network"),
        (TimeoutError(), "network"),
        (IncompleteRead(partial=10, expected=90), "network"),
        (ContentTooShortError(10, 100), "network"),
        (CertificateVerifyError("self-signed"), "network"),
        (ProxyError("Tunnel failed"), "network"),
        (DownloadError("ERROR: \r[download] Got error: 10 bytes read, 90 more expected. Giving up after 2 retries"), "network"),
        (DownloadError("ERROR: Did not get any data blocks"), "damaged"),
        (said("This video is DRM protected"), "wrong format"),
        (UserNotLive(), "wrong format"),
        (said("This live stream recording is not available."), "wrong format"),
        (ExtractorError("Unable to extract title"), "outdated yt-dlp"),
        (ExtractorError("Failed to parse JSON", cause=ValueError("x")), "outdated yt-dlp"),
        (UnavailableVideoError(OSError(errno.ENOSPC, "No space left on device")), "unexpected"),
        (said("Es ist ein Fehler aufgetreten"), "unexpected"),
        (RuntimeError("what"), "unexpected"),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("wrap", [lambda error: error, wrapped], ids=["bare", "wrapped"])
def test_every_error_has_its_reason(error, reason, wrap) -> None:
    told = not_fetched(wrap(error), "YouTube")
    assert told.reason == reason
    text = str(told)
    assert text.endswith(".") and "\n" not in text and len(text) < 300
    for jargon in (
        "http://",
        "https://",
        "secret",
        "ERROR",
        "yt-dlp issue",
        "report this",
        "--",
        "\x1b",
        "abcdefghijk",
    ):
        assert jargon not in text


def test_an_error_that_another_came_from_counts_too() -> None:
    error = DownloadError("ERROR: Giving up")
    error.__cause__ = http(404)
    assert not_fetched(error, "YouTube").reason == "gone"


def test_what_is_told_already_stays() -> None:
    ours = NotFetched("too long", "Longer than four hours.")
    assert not_fetched(ours, "x") is ours
    assert not_fetched(DownloadError("ERROR: x", (NotFetched, ours, None)), "x") is ours


@pytest.mark.parametrize(
    ("header", "wait_s"), [("120", 120.0), ("nonsense", 60.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)]
)
def test_how_long_to_wait(header: str, wait_s: float) -> None:
    assert not_fetched(wrapped(http(429, Retry_After=header)), "YouTube").retry_after_s == wait_s
    assert not_fetched(http(429), "YouTube").retry_after_s is None


@pytest.mark.parametrize("text", ["Requested format is not available. Use --list-formats", "No video formats found!"])
def test_no_sound_on_youtube_is_for_want_of_javascript_or_of_a_newer_yt_dlp(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not_fetched(said(text), "Bandcamp").reason == "wrong format"
    for found, reason in ((False, "missing JavaScript runtime"), (True, "outdated yt-dlp")):
        monkeypatch.setattr(yt_errors, "has_javascript", lambda found=found: found)
        assert not_fetched(said(text), "YouTube").reason == reason


def test_a_runtime_is_looked_for_as_yt_dlp_does(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from yt_dlp.utils import _jsruntime

    def found(name: str, version: str) -> bool:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
        monkeypatch.setattr(_jsruntime, "_find_exe", lambda wanted: str(tmp_path / wanted))
        told = yt_errors.has_javascript()
        program.unlink()
        return told

    assert not found("other", "1.0")
    assert not found("node", "v20.20.2") and found("node", "v22.0.0")
    assert not found("deno", "deno 1.9.0") and found("deno", "deno 2.9.8")


def test_an_extractor_that_breaks_is_outdated() -> None:
    from yt_dlp import YoutubeDL

    with YoutubeDL({"quiet": True}) as reader:
        extractor = reader.get_info_extractor("Bandcamp")
        with pytest.raises(TypeError) as error:
            extractor._real_extract(None)
    assert not_fetched(error.value, "Bandcamp").reason == "outdated yt-dlp"
