"""Folds on the workers of a real cluster: the same figures, whatever is interrupted."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import ClusterError, GenrescopeError, JobStopped, LeakError
from core.jobs.compute import fan_out_far
from core.learning import crossvalidation, fold
from core.learning.crossvalidation import DIED, Division, Request, divide
from core.learning.fold import TOLD, TURN, FoldOrder, Watch
from core.learning.plan import Plan
from core.recipes import TrainingRecipe
from tests.cluster import are_idle, asking, pids, running
from tests.jobs.test_compute import go_on, until
from tests.learning.test_crossvalidation import (  # noqa: F401
    QUICK,
    SPECTROGRAM,
    Workspace,
    _one_thread,
    prepared,
    workspace,
)

pytestmark = pytest.mark.slow

REQUEST = Request(folds=2, seed=3)
RECIPE = TrainingRecipe(steps=18, **QUICK)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("cluster")) as address:
        with asking(address) as client:
            client.run(_load)
        yield address


def _load() -> None:
    """Begin as a worker that has trained before: torch takes seconds to load."""
    import core.learning.crossvalidation  # noqa: F401


@pytest.fixture
def far(workspace: Workspace, scheduler: str) -> Workspace:  # noqa: F811
    workspace.settings = workspace.settings.model_copy(update={"dask_scheduler": scheduler})
    return workspace


@pytest.fixture(scope="module")
def near(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, bytes]]:  # noqa: F811
    """What comes out in this process, with one thread: figures, and answers song by song."""
    here = Workspace(prepared, tmp_path_factory.mktemp("near") / "workspace")
    return outcome(here, here.run(REQUEST, RECIPE))


def outcome(workspace: Workspace, report: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:  # noqa: F811
    """All but how long it took, and its number."""
    folds = [{name: told for name, told in one.items() if name != "seconds"} for one in report["folds"]]
    answers = {sha256: song.spectrum.tobytes() for sha256, song in workspace.answers(report).items()}
    return {**report, "folds": folds, "evaluation": None}, answers


def folder(workspace: Workspace) -> Path:  # noqa: F811
    (one,) = workspace.settings.runs.glob("cv-*")
    return one


def begun(workspace: Workspace) -> bool:  # noqa: F811
    """Whether both folds are in the midst of it, with a checkpoint each, side by side."""
    return all((folder(workspace) / f"{n}" / name).exists() for n in (0, 1) for name in (TOLD, "last.safetensors"))


def once(condition: Callable[[], bool], act: Callable[[], None]) -> Callable[[], None]:
    """A check that acts once, when the condition holds."""
    left = [act]

    def check() -> None:
        if left and condition():
            left.pop()()

    return check


def stop() -> None:
    raise JobStopped("Stopped.")


def test_the_same_comes_out(
    far: Workspace,
    near: tuple[dict[str, Any], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crossvalidation, "train_fold", lambda *_: pytest.fail("a fold is trained in this process"))
    progress: list[tuple[int, int, str, float | None]] = []
    report = far.run(REQUEST, RECIPE, on_progress=lambda *told: progress.append(told))
    assert outcome(far, report) == near
    told = [(done, total) for done, total, message, _ in progress if "a cluster trains" in message]
    assert told == sorted(told) and told[-1] == (36, 36) and {total for _, total in told} == {36}
    assert any(done not in (0, 18, 36) for done, _ in told), "also in between"
    assert not list(far.settings.runs.iterdir())


def test_more_folds_than_workers_take_turns(far: Workspace) -> None:
    request, recipe = Request(folds=5), TrainingRecipe(steps=1, **QUICK)
    report = far.run(request, recipe)
    far.settings = far.settings.model_copy(update={"dask_scheduler": ""})
    assert outcome(far, report) == outcome(far, far.run(request, recipe))
    assert len(report["folds"]) == 5 and report["songs"] == 24


def test_a_stop_stops_the_workers_and_the_next_call_goes_on(
    far: Workspace, scheduler: str, near: tuple[dict[str, Any], dict[str, bytes]]
) -> None:
    with pytest.raises(JobStopped):
        far.run(REQUEST, RECIPE, check=once(lambda: begun(far), stop))
    assert until(lambda: are_idle(scheduler), within_s=10)
    left = folder(far)
    assert not (left / TURN).exists() and (left / "0" / "last.safetensors").exists()
    assert far.evaluations.finished() == []
    told: list[int] = []
    report = far.run(REQUEST, RECIPE, on_progress=lambda done, *_: told.append(done))
    assert outcome(far, report) == near


def test_a_worker_that_is_killed_loses_nothing_but_time(
    far: Workspace, scheduler: str, near: tuple[dict[str, Any], dict[str, bytes]]
) -> None:
    before = pids(scheduler)
    victim = min(before)
    report = far.run(REQUEST, RECIPE, check=once(lambda: begun(far), lambda: os.kill(victim, signal.SIGKILL)))
    assert outcome(far, report) == near
    assert until(lambda: len(pids(scheduler)) == 2) and victim not in pids(scheduler)


def test_what_was_begun_on_a_cluster_is_gone_on_with_here(
    far: Workspace, near: tuple[dict[str, Any], dict[str, bytes]]
) -> None:
    with pytest.raises(JobStopped):
        far.run(REQUEST, RECIPE, check=once(lambda: begun(far), stop))
    far.settings = far.settings.model_copy(update={"dask_scheduler": ""})
    steps: list[int] = []
    report = far.run(REQUEST, RECIPE, on_progress=lambda done, *_: steps.append(done))
    assert outcome(far, report) == near and min(step for step in steps if step) > 1


def test_a_fold_whose_turn_is_anothers_is_not_gone_on_with(far: Workspace, scheduler: str) -> None:
    division = divide(far.library, REQUEST, SPECTROGRAM, ())
    split = division.splits[0]
    statistics = far.library.band_statistics([song.sha256 for song in split.train], SPECTROGRAM.fingerprint)
    home = far.settings.runs / "cv-1"
    home.mkdir(parents=True)
    (home / TURN).write_text("the next one's")
    plan = Plan(division.genres, split, SPECTROGRAM, "data")
    order = FoldOrder(0, plan, RECIPE, statistics, far.settings.spectrograms, home / "0", "mine")
    ((_, answer),) = fan_out_far(
        fold.train_fold_far, [order], check=go_on, scheduler=scheduler, whole_workers=True, crashed=DIED
    )
    assert isinstance(answer, JobStopped) and not (home / "0").exists()


def test_an_error_of_a_fold_stops_the_others_and_is_told(far: Workspace, scheduler: str) -> None:
    def lose_a_spectrogram() -> None:
        for file in far.settings.spectrograms.rglob("*.npy"):
            file.unlink()

    with pytest.raises(GenrescopeError, match="is missing or damaged"):
        far.run(REQUEST, RECIPE, check=once(lambda: begun(far), lose_a_spectrogram))
    assert not (folder(far) / TURN).exists() and until(lambda: are_idle(scheduler), within_s=10)


def test_a_leak_stops_it_before_any_worker_is_asked(far: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = divide(far.library, REQUEST, SPECTROGRAM, ())
    split = honest.splits[0]
    leaky = type(split)((*split.train, split.test[0]), split.validation, split.test)
    monkeypatch.setattr(
        crossvalidation, "divide", lambda *_: Division(honest.genres, honest.songs, (leaky, honest.splits[1]))
    )
    with pytest.raises(LeakError, match="artist"):
        far.run(REQUEST, RECIPE)
    assert not (folder(far) / "0").exists()


def test_a_scheduler_that_is_not_there_is_told_and_nothing_is_lost(
    far: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.jobs import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    far.settings = far.settings.model_copy(update={"dask_scheduler": "tcp://127.0.0.1:1"})
    with pytest.raises(ClusterError, match="does not answer"):
        far.run(REQUEST, RECIPE)


def test_what_is_told_counts_whole_folds_and_shares_of_others(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    watch = Watch(tmp_path, 3, {0, 1, 2}, go_on, lambda done, total, message, left: told.append((done, total)))
    watch.look()
    assert told == [], "nothing is known yet"
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / TOLD).write_text('{"step": 5, "steps": 20}')
    watch.is_done(0, 12)
    watch.is_done(1, 20)
    assert told == [(25, 60), (40, 60)]
