"""A result handed on: its page holds no foreign code, and its words are true."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from core.audio.crops import softmax
from core.inference import result
from core.inference.neighbours import Similar
from core.inference.prediction import COURSE_POINTS, Prediction
from core.inference.result import Sound, as_html, clock, hertz, reasons_document, reasons_in_words, verdict_document
from core.inference.unknown import Verdict
from core.inference.why import Reasons

NAME = "<script>alert(1)</script>"
GENRES = (NAME, "hiss")


def prediction(**changes: object) -> Prediction:
    sure, other = Verdict("confident", (NAME,)), Verdict("not music")
    told: dict[str, object] = {
        "genres": GENRES,
        "duration_s": 12.0,
        "spectrum": np.array([0.9, 0.1], np.float32),
        "taggram": np.array([[0.9, 0.1], [0.9, 0.1]], np.float32),
        "crop_starts_s": np.array([0.0, 4.0]),
        "crop_s": 8.0,
        "doubts": (NAME,),
        "verdict": sure,
        "crop_verdicts": (sure, other),
        "embeddings": None,
    }
    return Prediction(**{**told, **changes})  # type: ignore[arg-type]


def reasons(sign: float = 1.0) -> Reasons:
    influence = np.full((3, 8), -0.1, np.float32)
    influence[1, 2] = sign
    edges_hz = np.array([0, 100, 300, 700, 1000, 2000, 4000, 6000, 8000], np.float64)
    return Reasons(
        NAME, 0.9, influence, influence.mean(axis=1), influence.mean(axis=0), np.arange(60.0, 64.0), edges_hz
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_a_page_tells_all_and_runs_nothing() -> None:
    similar = [Similar(1, NAME, NAME, NAME, NAME, 0.87)]
    page = as_html(NAME, prediction(), similar, reasons())
    tags = Tags()
    tags.feed(page)
    assert not {"script", "audio"} & set(tags.found) and {"svg", "table", "h1"} <= set(tags.found)
    assert "&lt;script&gt;" in page and "87%" in page and "default-src 'none'" in page
    assert "This does not sound like music." in page and "0:06" in page
    assert "From 1:01 to 1:02, between 300 Hz and 700 Hz" in page
    assert "Sounds like" not in as_html("a", prediction()) and "What spoke for" not in as_html("a", prediction())


def test_a_page_with_its_sound_allows_one_script_and_no_other() -> None:
    page = as_html("a", prediction(), sound=Sound(b"\x00sound", "audio/mpeg"), colours=["#123456", "#654321"])
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search('Content-Security-Policy\' content="([^"]*)"', page)
    assert policy and f"script-src 'sha256-{digest}'" in policy[1] and "media-src data:" in policy[1]
    assert "data:audio/mpeg;base64," + base64.b64encode(b"\x00sound").decode() in page
    assert "#123456" in page and "&lt;script&gt;alert(1)" in page


def test_a_sound_that_is_too_long_for_a_page_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "LARGEST_SOUND", 3)
    page = as_html("a", prediction(), sound=Sound(b"four", "audio/mpeg"))
    assert "<audio" not in page and "<script>" not in page


@pytest.mark.parametrize("n_crops", [1, 2, 397, 398, 399, 5000])
def test_the_course_is_thinned_and_keeps_its_mean(n_crops: int) -> None:
    taggram = softmax(np.random.default_rng(0).normal(size=(n_crops, 2)).astype(np.float32))
    times, shares = prediction(taggram=taggram, crop_starts_s=np.arange(n_crops) * 4.0).course
    assert len(times) == len(shares) <= COURSE_POINTS
    assert (times[0], times[-1]) == (0.0, (n_crops - 1) * 4.0 + 8.0)
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(shares[1:-1].mean(axis=0), taggram.mean(axis=0), atol=0.01)  # its ends are told twice


def test_documents() -> None:
    told = verdict_document(prediction())
    assert told["kind"] == "confident" and told["genres"] == [NAME]
    assert [(one["start_s"], one["end_s"], one["kind"]) for one in told["stretches"]] == [
        (0.0, 6.0, "confident"),
        (6.0, 12.0, "not music"),
    ]
    document = reasons_document(reasons())
    assert document["strongest"] == {"start_s": 61.0, "end_s": 62.0, "low_hz": 300.0, "high_hz": 700.0}
    assert np.shape(document["influence"]) == (3, 8)


def test_where_nothing_speaks_for_a_genre_that_is_said() -> None:
    assert reasons_in_words(reasons(-1.0)) == f"Nothing here speaks for {NAME}."


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (65.04, "1:05"), (65.5, "1:05.5"), (59.99, "1:00")])
def test_moments(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@pytest.mark.parametrize(("frequency", "told"), [(440.2, "440 Hz"), (999.0, "999 Hz"), (2125.0, "2.1 kHz")])
def test_frequencies(frequency: float, told: str) -> None:
    assert hertz(frequency) == told
