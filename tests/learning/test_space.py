"""The space of a network's features: what lies far away is told, and so is what is no music."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.spectrogram import log_mel, mel_filters, quantise
from core.audio.store import SpectrogramStore
from core.errors import JobStopped, ModelError
from core.learning import model, space_fitting
from core.learning.not_music import sounds
from core.learning.space import PREFIX, FeatureSpace
from core.learning.space_fitting import FALSE_ALARMS, fit_space
from core.learning.splits import Split
from core.music import CodeArray, FloatArray, GenreDistribution, Song
from core.recipes import SpectrogramRecipe
from tests import sounds as made
from tests.models import GENRES, publish

RECIPE = SpectrogramRecipe(n_fft=512, hop_length=256, n_mels=32)
FRAMES = 32


def answer(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
    """A network whose features are how loud each band is, and how much that changes."""
    levels = codes.astype(np.float32)
    features = np.concatenate([levels.mean(axis=1), levels.std(axis=1)], axis=1)
    return features[:, :2], features


def song(store: SpectrogramStore, number: int, genre: str) -> Song:
    rng, sha256 = np.random.default_rng(number), f"{number:064d}"
    codes = quantise(log_mel(made.GENRES[genre](rng, 3.0, RECIPE.sample_rate).astype(np.float32), RECIPE))
    store.write(sha256, codes)
    return Song(number, "t", f"a{number}", 3.0, sha256, len(codes), GenreDistribution(((genre, 1.0),)))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpectrogramStore, Split]:
    store = SpectrogramStore(tmp_path_factory.mktemp("space"), RECIPE.fingerprint)
    songs = [song(store, number, ("drone", "hiss")[number % 2]) for number in range(40)]
    return store, Split(tuple(songs[:20]), tuple(songs[20:]), ())


@pytest.fixture(scope="module")
def space(prepared: tuple[SpectrogramStore, Split]) -> FeatureSpace:
    store, split = prepared
    return fit_space(answer, split, ("drone", "hiss"), store, RECIPE, crop_frames=FRAMES)


def features_of(y: np.ndarray) -> FloatArray:
    codes = quantise(log_mel(np.asarray(y, np.float32), RECIPE, filters=mel_filters(RECIPE)))
    return answer(np.stack([codes[i : i + FRAMES] for i in range(0, len(codes) - FRAMES + 1, FRAMES // 2)]))[1]


@pytest.mark.slow
def test_songs_like_those_it_learned_from_are_near_and_few_are_refused(
    space: FeatureSpace, prepared: tuple[SpectrogramStore, Split]
) -> None:
    rng = np.random.default_rng(99)
    told = np.array(
        [
            space.measures(features_of(make(rng, 3.0, RECIPE.sample_rate))).mean(axis=0)
            for make in (made.drone, made.hiss) * 20
        ]
    )
    assert (told > space.song_limits).any(axis=1).mean() <= 0.25
    assert (told[:, 1] < 0).mean() > 0.9, "music is likelier music"


@pytest.mark.slow
def test_another_kind_of_sound_is_far_away(space: FeatureSpace) -> None:
    far = features_of(0.5 * np.sin(2 * np.pi * 3000 * np.arange(48_000) / RECIPE.sample_rate))
    assert space.distances(far).mean() > space.song_limits[0]


@pytest.mark.slow
def test_voices_and_weather_are_no_music(space: FeatureSpace) -> None:
    others = [
        space.measures(features_of(y)).mean(axis=0) for y in sounds(24, 3.0, sample_rate=RECIPE.sample_rate, seed=7)
    ]
    assert (np.array(others)[:, 1] > space.song_limits[1]).mean() > 0.7


def test_limits_hold_for_the_validation_songs(space: FeatureSpace, prepared: tuple[SpectrogramStore, Split]) -> None:
    store, split = prepared
    told = []
    for one in split.validation:
        codes = store.read(one.sha256)
        crops = np.stack(
            [codes[i : i + FRAMES] for i in [*range(0, len(codes) - FRAMES, FRAMES // 2), len(codes) - FRAMES]]
        )
        told.append(space.measures(answer(crops)[1]).mean(axis=0))
    assert (np.array(told) > space.song_limits + 1e-4).any(axis=1).mean() <= FALSE_ALARMS


def test_the_same_songs_give_the_same_space(space: FeatureSpace, prepared: tuple[SpectrogramStore, Split]) -> None:
    store, split = prepared
    again = fit_space(answer, split, ("drone", "hiss"), store, RECIPE, crop_frames=FRAMES)
    for name, array in space.as_arrays().items():
        assert np.array_equal(array, again.as_arrays()[name]), name


def test_a_genre_of_no_song_is_no_crash(prepared: tuple[SpectrogramStore, Split]) -> None:
    store, split = prepared
    fitted = fit_space(answer, split, ("drone", "hiss", "jazz"), store, RECIPE, crop_frames=FRAMES)
    assert len(fitted.centres) == 3 and np.isfinite(fitted.centres).all()


def test_it_can_be_stopped(prepared: tuple[SpectrogramStore, Split]) -> None:
    store, split = prepared

    def stop() -> None:
        raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        fit_space(answer, split, ("drone", "hiss"), store, RECIPE, crop_frames=FRAMES, check=stop)


def test_made_up_sounds_are_sounds_and_the_same_each_time() -> None:
    some = sounds(12, 1.0, sample_rate=8000, seed=1)
    assert all(y.shape == (8000,) and y.dtype == np.float32 and np.isfinite(y).all() for y in some)
    assert all(0 < np.abs(y).max() <= 1 + 1e-6 for y in some)
    assert all(np.array_equal(a, b) for a, b in zip(some, sounds(12, 1.0, sample_rate=8000, seed=1), strict=True))
    assert not np.array_equal(some[0], sounds(1, 1.0, sample_rate=8000, seed=2)[0])
    assert all(np.isfinite(y).all() for y in sounds(12, 0.1, sample_rate=4000, seed=3)), "short ones too"


def small_space(n_features: int) -> FeatureSpace:
    rng = np.random.default_rng(0)

    def array(*shape: int) -> FloatArray:
        return rng.normal(size=shape).astype(np.float32)

    eye = np.eye(4, dtype=np.float32)
    return FeatureSpace(
        array(n_features),
        array(n_features, 4),
        array(len(GENRES), 4),
        eye,
        array(n_features),
        array(1),
        array(2),
        array(2),
    )


def test_it_is_published_with_a_model_and_comes_back(tmp_path: Path) -> None:
    space = small_space(512)
    loaded = model.load(publish(tmp_path / "mine", space=space))
    assert loaded.space is not None
    for name, array in space.as_arrays().items():
        assert np.array_equal(loaded.space.as_arrays()[name], array)
    assert model.load(publish(tmp_path / "older")).space is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda space: replace(space, centres=space.centres[:2]), "space.centres"),
        (lambda space: replace(space, mean=space.mean * np.nan), "finite"),
        (lambda space: replace(space, song_limits=space.song_limits.astype(np.float64)), "float32"),
        (lambda space: replace(space, basis=space.basis[0]), "space."),
        (lambda space: small_space(7), "7 features, the network has 512"),
    ],
)
def test_one_that_does_not_fit_is_refused(tmp_path: Path, spoil: object, reason: str) -> None:
    folder = publish(tmp_path / "mine", space=spoil(small_space(512)))  # type: ignore[operator]
    with pytest.raises(ModelError, match=reason):
        model.load(folder)


def test_half_a_space_is_refused() -> None:
    arrays = small_space(512).as_arrays()
    del arrays[PREFIX + "foreign"]
    with pytest.raises(ModelError, match=r"lacks space\.foreign"):
        FeatureSpace.from_arrays(arrays, n_genres=len(GENRES))
    assert FeatureSpace.from_arrays({}, n_genres=3) is None


def test_many_songs_give_one_crop_each_of_some(
    prepared: tuple[SpectrogramStore, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, split = prepared
    monkeypatch.setattr(space_fitting, "MAX_CROPS", 10)
    assert fit_space(answer, split, ("drone", "hiss"), store, RECIPE, crop_frames=FRAMES).basis.shape[1] == 10


def test_of_few_validation_songs_the_limits_are_wide() -> None:
    """The largest of four songs is exceeded by every fifth song; a limit should be by few."""
    rng = np.random.default_rng(0)

    def refused(n_songs: int) -> float:
        shares = []
        for _ in range(200):
            songs = [rng.normal(5, 1, (1, 2)).astype(np.float32) for _ in range(n_songs)]
            shares.append(float((rng.normal(5, 1, (200, 2)) > space_fitting._limits(songs)).any(axis=1).mean()))
        return float(np.mean(shares))

    assert refused(4) < 0.09 and refused(12) < 0.09 and 0.02 < refused(200) < 0.09
