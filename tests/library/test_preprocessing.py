"""Preprocessing: each song once, the rest told; and a restart neither loses nor repeats anything."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.audio import spectrogram, waveform
from core.audio.codes import codes_of
from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import AudioError
from core.files import sha256_of
from core.library.importing import import_folder
from core.library.preprocessing import Made, MissingFileError, Order, learn_packets, make, mend, preprocess
from core.library.store import AudioToDo, Library, TrackRow
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.sounds import drone, edit_tags, tone, write_sound

RECIPE = SpectrogramRecipe()


def song(path: Path, *, seed: int = 0, seconds: float = 2.0) -> Path:
    return write_sound(path, drone(np.random.default_rng(seed), seconds, 16_000), sample_rate=16_000)


def silence(path: Path) -> Path:
    return write_sound(path, np.zeros(32_000), sample_rate=16_000)


def cut(path: Path, share: float = 0.5) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def order(path: Path, root: Path, recipe: SpectrogramRecipe = RECIPE, **limits: float) -> Order:
    limits = {"max_s": 3_600, "max_bytes": 10**9, **limits}
    sha256 = sha256_of(path) if path.is_file() else "0" * 64
    return Order(AudioToDo(1, str(path), sha256), root, recipe, **limits)  # type: ignore[arg-type]


# -- one song ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".webm", ".flac"])
def test_codes_are_the_quantised_spectrogram_of_the_sound(tmp_path: Path, suffix: str) -> None:
    path = song(tmp_path / f"a{suffix}", seconds=20)
    y = waveform.load(path)
    codes, report = codes_of(path, RECIPE)
    expected = spectrogram.log_mel(y, RECIPE)
    assert codes.dtype == np.uint8
    assert codes.shape == expected.shape == (RECIPE.n_frames(y.size), RECIPE.n_mels)
    within = (expected > -80) & (expected < 47)
    assert np.abs(spectrogram.dequantise(codes) - expected)[within].max() < 0.251
    assert report.duration_s == y.size / 16_000


def test_a_spectrogram_is_made_and_described(tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    made = make(order(path, tmp_path / "out"))
    codes = SpectrogramStore(tmp_path / "out", RECIPE.fingerprint).read(sha256_of(path))
    S = spectrogram.dequantise(codes)
    assert made.n_frames == codes.shape[0] == 63
    np.testing.assert_allclose(made.band_mean, S.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(made.band_std, S.std(axis=0), atol=1e-4)
    assert made.band_mean.dtype == made.band_std.dtype == np.float32
    assert (made.state, made.reason) == ("ok", "")
    assert 2.0 - RECIPE.frame_s <= made.duration_s <= 2.0


def test_a_spectrogram_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = song(tmp_path / "a.flac")
    first = make(order(path, tmp_path / "out"))
    file = SpectrogramStore(tmp_path / "out", RECIPE.fingerprint).path(sha256_of(path))
    before = file.stat()
    second = make(order(path, tmp_path / "out"))
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    np.testing.assert_array_equal(first.band_mean, second.band_mean)
    assert second.duration_s == pytest.approx(first.duration_s, abs=RECIPE.frame_s)
    assert (second.n_frames, second.state) == (first.n_frames, first.state)


def test_another_recipe_has_a_spectrogram_of_its_own(tmp_path: Path) -> None:
    path, small = song(tmp_path / "a.flac"), SpectrogramRecipe(n_mels=16, n_fft=512, hop_length=256)
    assert make(order(path, tmp_path / "out")).band_mean.shape == (128,)
    assert make(order(path, tmp_path / "out", small)).band_mean.shape == (16,)
    assert len(list((tmp_path / "out").rglob("*.npy"))) == 2


def test_a_cut_file_is_marked_and_usable_and_stays_marked(tmp_path: Path) -> None:
    path = cut(song(tmp_path / "a.flac", seconds=10))
    for _ in range(2):  # decoded, and then found there
        made = make(order(path, tmp_path / "out"))
        assert made.state == "truncated"
        assert "announces 10 s" in made.reason
        assert 100 < made.n_frames < 200


@pytest.mark.parametrize("what", ["silence", "text", "nothing"])
def test_what_has_no_sound_is_refused_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.flac"
    if what == "silence":
        silence(path)
    else:
        path.write_bytes(b"text " * 99 if what == "text" else b"")
    with pytest.raises(AudioError) as told:
        make(order(path, tmp_path / "out"))
    assert {"silence": "2 s of silence", "text": "not a sound file", "nothing": "empty"}[what] in str(told.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_quiet_music_is_no_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", tone(440, 2, sample_rate=16_000, amplitude=3e-4), sample_rate=16_000)
    assert make(order(path, tmp_path / "out")).n_frames == 63


def test_limits_are_held(tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="longer than 1 s"):
        make(order(path, tmp_path / "out", max_s=1))
    with pytest.raises(AudioError, match="limit of 1 KB"):
        make(order(path, tmp_path / "out", max_bytes=1_000))


def test_a_missing_file_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.flac any more"):
        make(order(tmp_path / "gone.flac", tmp_path / "out"))


def test_a_file_that_changed_since_its_import_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    asked = order(path, tmp_path / "out")
    song(path, seed=1)
    with pytest.raises(AudioError, match="changed"):
        make(asked)
    assert not list(tmp_path.rglob("*.npy"))


# -- the library -------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(library: Library) -> Callable[[], dict[str, TrackRow]]:
    """Tracks by the stem of their file."""
    return lambda: {Path(row.path).stem: row for row in library.tracks(RECIPE.fingerprint)}


def spectrogram_files(settings: Settings) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in settings.spectrograms.rglob("*") if path.is_file()}


def test_every_song_is_answered_and_failed_ones_are_tried_again(
    tmp_path: Path, library: Library, settings: Settings, rows: Callable[[], dict[str, TrackRow]]
) -> None:
    music = tmp_path / "music" / "rock"
    for number in range(3):
        song(music / f"good {number}.flac", seed=number)
    cut(song(music / "cut.flac", seed=8, seconds=10))
    silence(music / "silent.flac")
    gone = song(music / "gone.flac", seed=9)
    import_folder(library, settings, music, genre_from="folder")
    gone.rename(tmp_path / "away.flac")
    told: list[tuple[int, int]] = []
    preprocess(library, settings, RECIPE, job_id=1, on_progress=lambda done, total: told.append((done, total)))

    assert told == [(done, 6) for done in range(7)]
    assert {name: row.state for name, row in rows().items()} == {
        "good 0": "ready",
        "good 1": "ready",
        "good 2": "ready",
        "cut": "ready",
        "silent": "failed",
        "gone": "failed",
    }
    assert "only 5 s could be decoded" in rows()["cut"].reason
    assert "silence" in rows()["silent"].reason
    assert "not at" in rows()["gone"].reason
    made, audio_s, failed = library.spectrograms_of_job(1)
    assert (made, audio_s) == (4, pytest.approx(11, abs=0.4))
    assert {Path(failure["path"]).stem for failure in failed} == {"silent", "gone"}
    assert {song.title for song in library.songs(RECIPE.fingerprint)} == {"cut", "good 0", "good 1", "good 2"}

    before = spectrogram_files(settings)
    assert len(before) == 4
    (tmp_path / "away.flac").rename(gone)
    told.clear()
    preprocess(library, settings, RECIPE, job_id=2, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert rows()["gone"].state == "ready"
    assert rows()["gone"].reason == ""
    assert library.spectrograms_of_job(2)[0] == 1
    assert before.items() < spectrogram_files(settings).items()

    told.clear()
    preprocess(
        library, settings, RECIPE, retry_failed=False, on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 0)]


class Stop(Exception):
    pass


@pytest.mark.slow
def test_after_an_interruption_only_the_rest_is_made(
    tmp_path: Path, library: Library, settings: Settings, rows: Callable[[], dict[str, TrackRow]]
) -> None:
    music = tmp_path / "music" / "rock"
    for number in range(8):
        song(music / f"{number}.flac", seed=number)
    import_folder(library, settings, music, genre_from="folder")

    def stop_after_three() -> None:
        if library.counts(RECIPE.fingerprint)["ready"] >= 3:
            raise Stop

    with pytest.raises(Stop):
        preprocess(library, settings, RECIPE, job_id=1, check=stop_after_three)
    ready = library.counts(RECIPE.fingerprint)["ready"]
    assert 3 <= ready < 8
    whole = {
        path: time
        for path, time in spectrogram_files(settings).items()
        if path.suffix == ".npy" and path.name[0] != "."
    }
    assert len(whole) >= ready
    again: list[int] = []
    preprocess(library, settings, RECIPE, job_id=1, on_progress=lambda done, total: again.append(total))
    assert again[0] == 8 - ready
    assert library.spectrograms_of_job(1) == (8, pytest.approx(16, abs=8 * RECIPE.frame_s), [])
    after = spectrogram_files(settings)
    assert all(after[path] == time for path, time in whole.items())
    assert {row.state for row in rows().values()} == {"ready"}
    for row in rows().values():
        codes, _ = codes_of(Path(row.path), RECIPE)
        kept = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint).read(row.sha256)
        np.testing.assert_allclose(kept.astype(int), codes, atol=1)  # arithmetic on more threads may round otherwise


def test_some_songs_can_be_chosen_and_a_lost_spectrogram_is_made_again(
    tmp_path: Path, library: Library, settings: Settings, rows: Callable[[], dict[str, TrackRow]]
) -> None:
    music = tmp_path / "music" / "rock"
    for number in range(3):
        song(music / f"{number}.flac", seed=number)
    import_folder(library, settings, music, genre_from="folder")
    chosen = rows()["1"]
    preprocess(library, settings, RECIPE, track_ids=[chosen.id])
    assert {name: row.state for name, row in rows().items()} == {"0": "waiting", "1": "ready", "2": "waiting"}
    (file,) = spectrogram_files(settings)
    content = file.read_bytes()
    for damage in (file.unlink, lambda: file.write_bytes(content[:-1])):
        damage()
        preprocess(library, settings, RECIPE, track_ids=[chosen.id])
        assert file.read_bytes() == content
        assert rows()["1"].state == "ready"


@pytest.mark.slow
def test_what_was_lost_is_mended_before_all_are_worked_with(
    tmp_path: Path, database: Database, library: Library, settings: Settings, rows: Callable[[], dict[str, TrackRow]]
) -> None:
    music = tmp_path / "music" / "rock"
    for number, name in enumerate(("whole", "absent", "cut", "no file", "no sound", "never made")):
        song(music / f"{name}.flac", seed=number)
    import_folder(library, settings, music, genre_from="folder")
    sounds = {name: row for name, row in rows().items() if name != "never made"}
    preprocess(library, settings, RECIPE, track_ids=[row.id for row in sounds.values()])
    store = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint)
    files = {name: store.path(row.sha256) for name, row in sounds.items()}
    before = spectrogram_files(settings)
    contents = {name: path.read_bytes() for name, path in files.items()}
    for name in ("absent", "no file", "no sound"):
        files[name].unlink()
    files["cut"].write_bytes(contents["cut"][:-100])
    (music / "no file.flac").unlink()
    with database.write() as db:  # as where sound is deleted once its spectrogram is made
        db.execute("UPDATE audio_files SET path = '' WHERE sha256 = ?", (sounds["no sound"].sha256,))
    mend(library, settings, RECIPE, job_id=7)
    states = {row.sha256: (row.state, row.reason) for row in library.tracks(RECIPE.fingerprint)}
    told = {name: states[row.sha256] for name, row in sounds.items()}
    assert [told[name] for name in ("whole", "absent", "cut")] == [("ready", "")] * 3
    assert told["no file"][0] == told["no sound"][0] == "failed"
    assert "is not at" in told["no file"][1] and "Collect the song again" in told["no sound"][1]
    assert {name: path.read_bytes() for name, path in files.items() if path.exists()} == {
        name: contents[name] for name in ("whole", "absent", "cut")
    }
    assert files["whole"].stat().st_mtime_ns == before[files["whole"]], "what is whole is left alone"
    assert rows()["never made"].state == "waiting", "making the first ones is another job's work"
    _, _, failed = library.spectrograms_of_job(7)
    assert [Path(one["path"]).name for one in failed] == ["", "no file.flac"]


@pytest.mark.slow
def test_songs_that_are_removed_meanwhile_are_passed_over(
    tmp_path: Path, database: Database, library: Library, settings: Settings, rows: Callable[[], dict[str, TrackRow]]
) -> None:
    """As a person does who undoes a decision, or removes a playlist, while the worker is at its songs."""
    music = tmp_path / "music" / "rock"
    for number in range(4):
        song(music / f"{number}.flac", seed=number)
    silence(music / "silence.flac")
    import_folder(library, settings, music, genre_from="folder")

    def remove(done: int, total: int) -> None:
        if done == 0:
            with database.write() as db:
                db.execute("DELETE FROM audio_files WHERE path LIKE '%/0.flac'")
                db.execute("DELETE FROM tracks WHERE title IN ('1', 'silence')")
                db.execute(
                    "UPDATE audio_files SET sha256 = 'another' WHERE path LIKE '%/2.flac'"
                )  # its number was free

    preprocess(library, settings, RECIPE, on_progress=remove)
    assert {name: row.state for name, row in rows().items() if row.sha256} == {"2": "waiting", "3": "ready"}


def test_a_lost_library_finds_its_spectrograms_again(tmp_path: Path, library: Library, settings: Settings) -> None:
    music = tmp_path / "music" / "rock"
    for number in range(2):
        song(music / f"{number}.flac", seed=number)
    for path in music.iterdir():
        make(order(path, settings.spectrograms))
    before = spectrogram_files(settings)
    import_folder(library, settings, music, genre_from="folder")
    preprocess(library, settings, RECIPE)
    after = spectrogram_files(settings)
    assert sorted(after.values()) == sorted(before.values()), "none is made again"
    assert {path.stem for path in after} == {row.sha256 for row in library.tracks(RECIPE.fingerprint)}
    assert library.counts(RECIPE.fingerprint)["ready"] == 2


def test_a_retagged_song_keeps_its_spectrogram(tmp_path: Path, library: Library, settings: Settings) -> None:
    path = song(tmp_path / "music" / "rock" / "a.mp3")
    import_folder(library, settings, path.parent, genre_from="folder")
    preprocess(library, settings, RECIPE)
    before = spectrogram_files(settings)
    edit_tags(path, "New", cover=bytes(100_000))
    import_folder(library, settings, path.parent, genre_from="folder")
    preprocess(library, settings, RECIPE)
    assert spectrogram_files(settings) == before and library.counts(RECIPE.fingerprint)["ready"] == 1
    (file,) = before
    content = file.read_bytes()
    file.unlink()
    edit_tags(path, "Newer")  # and not imported again
    mend(library, settings, RECIPE)
    assert file.read_bytes() == content


def test_packets_of_what_an_earlier_version_imported_are_read_once_and_nothing_is_decoded(
    tmp_path: Path, database: Database, library: Library, settings: Settings
) -> None:
    music = tmp_path / "music" / "rock"
    paths = [song(music / f"{name}.mp3", seed=seed) for seed, name in enumerate(("same", "other", "gone", "retagged"))]
    import_folder(library, settings, music, genre_from="folder")
    packets = {file.path: file.packets_sha256 for file in library.known_files()[0].values()}
    with database.write() as db:
        db.execute("UPDATE audio_files SET sha256 = file_sha256, packets_sha256 = NULL")
    preprocess(library, settings, RECIPE)  # under the keys of before, as the earlier version did
    with database.write() as db:
        db.execute("UPDATE audio_files SET packets_sha256 = NULL")
    before = spectrogram_files(settings)
    song(paths[1], seed=9), paths[2].unlink(), edit_tags(paths[3], "New", cover=bytes(9_999))

    def stop() -> None:
        if len(library.without_packets()) < 4:
            raise Stop

    with pytest.raises(Stop):
        learn_packets(library, settings, on_progress=lambda done, total: stop())
    learn_packets(library, settings)
    known = library.known_files()[0]
    assert known[str(paths[0])].packets_sha256 == packets[str(paths[0])]
    assert [known[str(path)].packets_sha256 for path in paths[1:]] == [None] * 3, "not what they were, or not there"
    mend(library, settings, RECIPE)
    assert spectrogram_files(settings) == before
    assert {path.stem for path in before} == {file.sha256 for file in known.values()}, "their names stay"
    result = import_folder(library, settings, music, genre_from="folder")
    assert (result["imported"], result["already_known"]) == (1, 2), "what was retagged too early is known by its sound"
    assert library.known_files()[1][known[str(paths[3])].sha256].packets_sha256 == packets[str(paths[3])]


def test_nothing_to_do_is_done_at_once(library: Library, settings: Settings) -> None:
    told: list[tuple[int, int]] = []
    preprocess(library, settings, RECIPE, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 0)]
    assert not settings.spectrograms.exists()


# -- real files --------------------------------------------------------------------------------------------------------


def test_real_odd_uploads_are_all_answered(shared_data: Path, tmp_path: Path) -> None:
    answers: dict[str, Made | AudioError] = {}
    for path in sorted((shared_data / "uploads" / "odd").iterdir()):
        try:
            answers[path.name] = make(order(path, tmp_path))
        except AudioError as error:
            answers[path.name] = error
    used = {name: answer for name, answer in answers.items() if isinstance(answer, Made)}
    assert set(used) == {
        "truncated.mp3",
        "damaged_middle.mp3",
        "cover_and_audio.mp3",
        "flac_inside.mp3",
        "half_second.wav",
        "mono_8khz.wav",
        "six_channel_96khz.flac",
    }
    assert used["damaged_middle.mp3"].reason
    assert all(np.isfinite(made.band_mean).all() and np.isfinite(made.band_std).all() for made in used.values())
    assert all(made.n_frames == RECIPE.n_frames(round(made.duration_s * 16_000)) for made in used.values())
    assert "silence" in str(answers["silence_10s.flac"])
    assert all(str(answer) for answer in answers.values() if isinstance(answer, AudioError))
