"""Prediction: from a sound file to its genre spectrum, from half a second to hours."""

import io
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from core.audio import waveform
from core.audio.spectrogram import mel_filters
from core.errors import AudioError
from core.inference.prediction import (
    AT_ONCE,
    NO_GENRE,
    TOLD_EVERY_S,
    UNSURE_BELOW,
    Prediction,
    coarse,
    predict,
    predict_each,
)
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe
from tests.sounds import drone, hiss, tone, write_sound

RECIPE = SpectrogramRecipe(n_mels=32)
N_LOW = 8
"""Bands below about 600 Hz, where a drone is and hiss is not."""


@dataclass
class ByPitch:
    """A model that says drone or hiss by where a crop is louder; `sureness` 0 says both alike."""

    sureness: float = 1.0
    genres: tuple[str, ...] = ("drone", "hiss", "jazz")
    recipe: SpectrogramRecipe = RECIPE
    crop_frames: int = 64
    largest_batch: int = 0
    filters: FloatArray = field(default_factory=lambda: mel_filters(RECIPE))
    space: "Bands | None" = None

    def answer(self, codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        self.largest_batch = max(self.largest_batch, len(codes))
        low, high = (codes[:, :, part].mean(axis=(1, 2)) for part in (slice(N_LOW), slice(N_LOW, None)))
        features = np.stack([low, high, np.minimum(low, high)], axis=1).astype(np.float32)
        return self.sureness * features, features


@dataclass
class Bands:
    """A space: a sound is far away if its low bands are loud, and no music if its high bands are."""

    song_limits: FloatArray
    crop_limits: FloatArray

    def embed(self, features: FloatArray) -> FloatArray:
        return features[:, :2]

    def measures(self, features: FloatArray) -> FloatArray:
        return features[:, :2]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_song_gets_a_spectrum_that_sums_to_1(tmp_path: Path, rng: np.random.Generator) -> None:
    answer = predict(write_sound(tmp_path / "a.mp3", drone(rng, 8.0)), ByPitch())
    assert (answer.top, answer.unsure, answer.doubts) == ("drone", False, ())
    assert answer.genres == ("drone", "hiss", "jazz")
    assert answer.spectrum.sum() == pytest.approx(1, abs=1e-5) and answer.spectrum[0] > 0.9
    assert np.allclose(answer.taggram.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(answer.spectrum, answer.taggram.mean(axis=0), atol=1e-6)
    assert answer.duration_s == pytest.approx(8.0, abs=0.1)


def test_half_a_second_is_answered_and_unsure(tmp_path: Path, rng: np.random.Generator) -> None:
    answer = predict(write_sound(tmp_path / "a.wav", drone(rng, 0.5)), ByPitch())
    assert answer.unsure and answer.top in answer.genres
    assert "only 0.5 s long, less than the 2.0 s" in answer.doubts[0]
    assert answer.taggram.shape == (1, 3) and answer.crop_starts_s.tolist() == [0.0]
    assert answer.spectrum.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("n_samples", [1, 511, 512, 1025])
def test_a_few_samples_are_no_crash(tmp_path: Path, n_samples: int) -> None:
    sound = write_sound(tmp_path / "a.wav", np.full(n_samples, 0.5), sample_rate=16_000)
    answer = predict(sound, ByPitch())
    assert answer.unsure and answer.duration_s == pytest.approx(n_samples / 16_000)


def test_no_genre_at_half_is_unsure(tmp_path: Path, rng: np.random.Generator) -> None:
    answer = predict(write_sound(tmp_path / "a.wav", drone(rng, 4.0)), ByPitch(sureness=0.0))
    assert answer.spectrum == pytest.approx(1 / 3) and UNSURE_BELOW > 1 / 3
    assert answer.doubts == ("No genre reaches half: the model does not know, or the song is a blend.",)


def test_a_file_that_is_cut_off_is_answered_and_unsure(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = write_sound(tmp_path / "a.flac", drone(rng, 20.0))
    sound.write_bytes(sound.read_bytes()[: sound.stat().st_size // 2])
    answer = predict(sound, ByPitch())
    assert answer.top == "drone" and answer.unsure
    assert any("could" in doubt and "decoded" in doubt for doubt in answer.doubts)


def test_the_course_over_time_follows_the_song_to_its_end(tmp_path: Path, rng: np.random.Generator) -> None:
    song = np.concatenate([drone(rng, 10.0), hiss(rng, 10.3)])
    answer = predict(write_sound(tmp_path / "a.wav", song), ByPitch())
    starts, crop_s = answer.crop_starts_s, answer.crop_s
    assert crop_s == pytest.approx(64 * 512 / 16_000)
    assert answer.taggram.shape == (len(starts), 3)
    assert starts[0] == 0 and (np.diff(starts) > 0).all() and (np.diff(starts) <= crop_s / 2 + 1e-9).all()
    assert np.allclose(np.diff(starts)[:-1], crop_s / 2)
    assert starts[-1] + crop_s == pytest.approx(answer.duration_s, abs=512 / 16_000 + 1e-9), "the end is heard"
    said = answer.taggram.argmax(axis=1)
    assert (said[starts + crop_s < 9.9] == 0).all() and (said[starts > 10.1] == 1).all()


def test_an_upload_is_read_from_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = write_sound(tmp_path / "a.webm", hiss(rng, 4.0))
    from_memory = predict(io.BytesIO(sound.read_bytes()), ByPitch())
    assert from_memory.top == "hiss"
    assert np.array_equal(from_memory.taggram, predict(sound, ByPitch()).taggram)


def test_a_prediction_is_the_same_twice(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = write_sound(tmp_path / "a.m4a", hiss(rng, 5.0))
    one, two = predict(sound, ByPitch()), predict(sound, ByPitch())
    assert np.array_equal(one.spectrum, two.spectrum) and np.array_equal(one.taggram, two.taggram)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no sound")
    silence = write_sound(tmp_path / "silence.wav", np.zeros(48_000))
    for file in (tmp_path / "text.mp3", silence, tmp_path / "nowhere.mp3", tmp_path):
        with pytest.raises(AudioError):
            predict(file, ByPitch())


def test_limits_are_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    sound = write_sound(tmp_path / "a.wav", drone(rng, 3.0))
    with pytest.raises(AudioError, match="longer than 2 s"):
        predict(sound, ByPitch(), max_s=2.0)
    with pytest.raises(AudioError, match="more than the limit of 1 KB"):
        predict(sound, ByPitch(), max_bytes=1000)


@pytest.mark.slow
def test_twenty_minutes_take_little_memory_and_are_told_of(tmp_path: Path) -> None:
    minute = tone(220, 60.0, sample_rate=16_000).astype(np.float32)
    sound = write_sound(tmp_path / "long.wav", np.tile(minute, 20), sample_rate=16_000)
    model, progress = ByPitch(), []
    tracemalloc.start()
    try:
        answer = predict(sound, model, on_progress=progress.append)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.duration_s == pytest.approx(1200) and answer.top == "drone"
    assert answer.crop_starts_s[-1] + answer.crop_s == pytest.approx(1200, abs=0.05)
    assert model.largest_batch <= 64
    assert peak < 40_000_000, "its samples alone are 77 MB"
    assert progress == sorted(progress) and progress[-1] == 1.0 and len(progress) > 10


def test_a_spectrum_can_be_shown_coarse(tmp_path: Path, rng: np.random.Generator) -> None:
    fine = predict(write_sound(tmp_path / "a.mp3", drone(rng, 8.0)), ByPitch(sureness=0.0))
    assert fine.doubts == (NO_GENRE,)
    answer = coarse(fine, {"drone": "noise", "hiss": "noise", "noise": "sound"})
    assert answer.genres == ("sound", "jazz")
    np.testing.assert_allclose(answer.spectrum, [2 / 3, 1 / 3], atol=1e-5)
    np.testing.assert_allclose(answer.taggram, np.tile([2 / 3, 1 / 3], (len(fine.taggram), 1)), atol=1e-5)
    assert answer.doubts == (), "what was no genre's half is one's now"
    same = coarse(fine, {})
    assert same.genres == fine.genres and same.doubts == fine.doubts
    np.testing.assert_array_equal(same.spectrum, fine.spectrum)


NEVER = np.array([1e9, 1e9], np.float32)


def test_what_is_known_is_claimed_and_a_model_without_a_space_refuses_nothing(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    song = write_sound(tmp_path / "a.wav", np.concatenate([drone(rng, 10.0), hiss(rng, 10.0)]))
    answer = predict(song, ByPitch())
    assert answer.verdict.kind == "mixed" and set(answer.verdict.genres) == {"drone", "hiss"}
    assert answer.embeddings is None and answer.embedding() is None
    first, *_, last = answer.stretches
    assert (first.verdict.genres, last.verdict.genres) == (("drone",), ("hiss",))
    assert first.end_s == pytest.approx(10, abs=1.5) and last.end_s == answer.duration_s


def test_a_song_and_a_stretch_of_it_are_refused_by_their_own_limits(tmp_path: Path, rng: np.random.Generator) -> None:
    song = write_sound(tmp_path / "a.wav", np.concatenate([drone(rng, 10.0), hiss(rng, 10.0)]))
    plain = predict(song, ByPitch(space=Bands(NEVER, NEVER)))
    assert not plain.unsure and plain.embeddings is not None and plain.embeddings.shape == (len(plain.taggram), 2)
    loud = np.median(plain.embeddings[:, 1])
    answer = predict(song, ByPitch(space=Bands(NEVER, np.array([1e9, loud], np.float32))))
    assert answer.verdict == plain.verdict
    assert [one.verdict.kind for one in answer.stretches if one.verdict.refused] == ["not music"]
    assert answer.stretches[-1].verdict.kind == "not music" and answer.stretches[-1].start_s > 8
    answer = predict(song, ByPitch(space=Bands(np.array([0, 1e9], np.float32), NEVER)))
    assert answer.verdict.kind == "none of these" and answer.unsure


def test_a_stretch_has_an_embedding_of_its_own(tmp_path: Path, rng: np.random.Generator) -> None:
    song = write_sound(tmp_path / "a.wav", np.concatenate([drone(rng, 10.0), hiss(rng, 10.0)]))
    answer = predict(song, ByPitch(space=Bands(NEVER, NEVER)))
    assert answer.embeddings is not None
    whole, low, high = answer.embedding(), answer.embedding(0, 9), answer.embedding(12, 20)
    assert whole is not None and low is not None and high is not None
    assert low[0] > whole[0] > high[0] and high[1] > whole[1] > low[1]
    assert np.allclose(whole, answer.embeddings.mean(axis=0), atol=1e-3)
    assert np.array_equal(answer.embedding(5, 5.01), answer.embedding(5.005, 5.005)), "a moment has that of its crop"


def test_coarse_claims_are_made_of_coarse_genres(tmp_path: Path, rng: np.random.Generator) -> None:
    song = write_sound(tmp_path / "a.wav", np.concatenate([drone(rng, 10.0), hiss(rng, 10.0)]))
    coarsely = coarse(predict(song, ByPitch()), {"drone": "noise", "hiss": "noise"})
    assert coarsely.verdict.kind == "confident" and coarsely.verdict.genres == ("noise",)
    assert [one.verdict.genres for one in coarsely.stretches] == [("noise",)]
    refused = coarse(predict(song, ByPitch(space=Bands(-NEVER, -NEVER))), {"drone": "noise", "hiss": "noise"})
    assert refused.verdict.kind == "not music" and {one.verdict.kind for one in refused.stretches} == {"not music"}


def sounds(n: int) -> list[io.BytesIO]:
    """Tones of rising length, so that the first would be done last if order did not matter."""
    made = [waveform.as_wav(tone(100 + 50 * i, 4 - 3 * i / n, sample_rate=16_000).astype(np.float32)) for i in range(n)]
    return [io.BytesIO(data) for data in made]


def test_several_songs_are_answered_in_their_order_as_each_alone() -> None:
    together = list(predict_each(sounds(6), ByPitch()))
    for answer, alone in zip(together, (predict(source, ByPitch()) for source in sounds(6)), strict=True):
        assert isinstance(answer, Prediction)
        assert answer.duration_s == alone.duration_s
        np.testing.assert_array_equal(answer.taggram, alone.taggram)


def test_what_is_no_song_stops_no_other() -> None:
    answers = list(predict_each([*sounds(1), io.BytesIO(b"no sound"), *sounds(1)], ByPitch()))
    assert [type(answer) for answer in answers] == [Prediction, AudioError, Prediction]


def test_an_error_that_is_not_ours_is_not_swallowed() -> None:
    class Broken(ByPitch):
        def answer(self, codes: CodeArray) -> tuple[FloatArray, FloatArray]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(predict_each(sounds(2), Broken()))


def test_songs_are_opened_only_a_little_ahead() -> None:
    opened = []

    def one_after_another() -> Iterator[io.BytesIO]:
        for number, source in enumerate(sounds(10)):
            opened.append(number)
            yield source

    answers = predict_each(one_after_another(), ByPitch())
    next(answers)
    next(answers)
    assert len(opened) == 1 + AT_ONCE + 1
    answers.close()  # type: ignore[attr-defined]


def test_progress_of_several_songs_is_told_in_the_callers_thread() -> None:
    told: list[tuple[float, threading.Thread]] = []
    slow = ByPitch()
    answer = slow.answer

    def slowly(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        time.sleep(3 * TOLD_EVERY_S)
        return answer(codes)

    slow.answer = slowly  # type: ignore[method-assign]
    list(predict_each(sounds(3), slow, on_progress=lambda done: told.append((done, threading.current_thread()))))
    assert {thread for _, thread in told} == {threading.current_thread()}
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert shares[0] >= 0 and shares[-1] <= 3


def test_a_song_that_nobody_waits_for_is_given_up() -> None:
    long = io.BytesIO(waveform.as_wav(tone(200, 600, sample_rate=16_000).astype(np.float32)))
    model, asked, left = ByPitch(), 0, threading.Event()
    answer = model.answer

    def slowly(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        nonlocal asked
        asked += 1
        left.wait(20)  # as long as the one who asked is there
        return answer(codes)

    class Gone(Exception):
        pass

    def leave(done: float) -> None:
        if asked:
            raise Gone

    model.answer = slowly  # type: ignore[method-assign]
    before = threading.active_count()
    with pytest.raises(Gone):
        list(predict_each([long], model, on_progress=leave))
    left.set()
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked == 1, "of several batches"
