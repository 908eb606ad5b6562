"""The worker: how a job ends, who does it, and what happens to those who do not listen."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import Timeout

from core.database import Database
from core.errors import JobFailed, JobStopped, LibraryError
from core.jobs import kinds
from core.jobs.context import JobContext
from core.jobs.queue import GIVEN_UP, MAX_ATTEMPTS, Job, Queue
from core.jobs.worker import FORCED_EXIT, ensure_worker, lock_of, open_queue, run_here, run_job, work
from core.library.runs import Runs
from core.library.store import Library
from core.settings import Settings
from tests.sounds import tone, write_sound

PROJECT = Path(__file__).resolve().parents[2]
Doing = Callable[[JobContext], dict]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Leases so short that a stop is heard at once."""
    return Settings(home=tmp_path / "workspace", processes=1, lease_s=0.6)


@pytest.fixture
def queue(settings: Settings, database: Database) -> Queue:
    return open_queue(settings, database)


def until(condition: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    """Poll `condition` until it holds; False if it does not in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def begin(settings: Settings, database: Database, queue: Queue, worker: str = "w") -> JobContext:
    """A claimed job of the kind `test`."""
    queue.submit("test", {"a": 1}, key="test")
    job = queue.claim(worker)
    assert job
    return JobContext(settings, database, job, queue, worker)


def do(context: JobContext, doing: Doing) -> Job:
    run_job(context, force=False, kinds={"test": doing})
    return context.queue.get(context.job.id)


# -- how a job ends ----------------------------------------------------------------------------------------------------


def test_a_job_that_is_done_keeps_its_result(settings: Settings, database: Database, queue: Queue) -> None:
    job = do(begin(settings, database, queue), lambda context: {"asked": context.job.parameters})
    assert (job.state, job.result, job.message, job.traceback) == ("done", {"asked": {"a": 1}}, "", None)
    assert job.finished_at and job.seconds_left is None


def test_an_expected_error_keeps_its_sentence_and_its_traceback(
    settings: Settings, database: Database, queue: Queue
) -> None:
    def refuse(context: JobContext) -> dict:
        raise LibraryError("No such folder. Choose another.")

    job = do(begin(settings, database, queue), refuse)
    assert (job.state, job.message, job.result) == ("failed", "No such folder. Choose another.", None)
    assert job.traceback and "in refuse" in job.traceback and "LibraryError" in job.traceback


def test_an_unexpected_error_is_named_and_keeps_its_traceback(
    settings: Settings, database: Database, queue: Queue
) -> None:
    job = do(begin(settings, database, queue), lambda context: {"never": 1 // 0})
    assert job.state == "failed"
    assert "ZeroDivisionError" in job.message
    assert job.traceback and "1 // 0" in job.traceback


def test_a_stop_is_heard_at_the_next_check(settings: Settings, database: Database, queue: Queue) -> None:
    context = begin(settings, database, queue)
    rounds = 0

    def listen(context: JobContext) -> dict:
        nonlocal rounds
        queue.request_stop(context.job.id)
        until(lambda: context.stop.is_set())
        rounds += 1
        context.check()
        rounds += 1
        return {}

    job = do(context, listen)
    assert (job.state, job.message, rounds) == ("stopped", "Stopped.", 1)


def test_control_c_stops_the_job_and_goes_on_up(settings: Settings, database: Database, queue: Queue) -> None:
    def interrupt(context: JobContext) -> dict:
        raise KeyboardInterrupt

    context = begin(settings, database, queue)
    with pytest.raises(KeyboardInterrupt):
        do(context, interrupt)
    assert queue.get(context.job.id).state == "stopped"


def test_the_lease_of_a_long_job_is_kept(settings: Settings, database: Database, queue: Queue) -> None:
    def outlast(context: JobContext) -> dict:
        end = time.monotonic() + 3 * settings.lease_s
        while time.monotonic() < end:
            assert queue.claim("thief") is None
            time.sleep(0.05)
        return {}

    assert do(begin(settings, database, queue), outlast).state == "done"


def test_a_worker_that_lost_its_job_stops_and_leaves_the_row_to_the_new_one(
    settings: Settings, database: Database, queue: Queue
) -> None:
    context = begin(settings, database, queue, "old")
    later = Queue(database, lease_s=600, clock=lambda: time.time() + 600)

    def be_robbed(context: JobContext) -> dict:
        taken = later.claim("new")
        assert taken and taken.id == context.job.id
        until(lambda: context.lost.is_set())
        context.check()
        raise AssertionError("the check must raise")

    job = do(context, be_robbed)
    assert (job.state, job.attempt, job.message) == ("running", 2, "")
    later.finish(job, "new", "done", result={"by": "new"})
    assert queue.get(job.id).result == {"by": "new"}


def test_what_a_job_reports_is_in_its_row_and_told_to_the_caller(
    settings: Settings, database: Database, queue: Queue
) -> None:
    context = begin(settings, database, queue)
    told: list[tuple] = []
    context.on_report = lambda *report: told.append(report)

    def tell(context: JobContext) -> dict:
        context.report(0, 4, "Counting")
        for n in range(1, 4):
            context.report(n, 4, "too soon after the first to be written")
        first = queue.get(context.job.id)
        assert (first.done, first.total, first.message) == (0, 4, "Counting")
        context.report(4, 4, "The last is always written")
        return {}

    job = do(context, tell)
    assert (job.done, job.total) == (4, 4)
    assert [(done, total, message) for done, total, message, _ in told] == [
        (0, 4, "Counting"),
        (4, 4, "The last is always written"),
    ]


# -- run_here ----------------------------------------------------------------------------------------------------------


def test_run_here_does_a_real_job_in_the_caller(settings: Settings, database: Database, songs_folder: Path) -> None:
    reports: list[int] = []
    queue = open_queue(settings, database)
    job = run_here(
        settings,
        database,
        kinds.submit_import(queue, songs_folder, "folder"),
        on_report=lambda done, *_: reports.append(done),
    )
    assert job.state == "done" and job.result
    assert (job.result["imported"], job.result["failed"]) == (24, [])
    assert reports[-1] == 24
    assert len(Library(database).tracks("")) == 24


def test_run_here_raises_what_the_job_said(settings: Settings, database: Database, tmp_path: Path) -> None:
    asked = kinds.submit_import(open_queue(settings, database), tmp_path / "nowhere", "folder")
    with pytest.raises(JobFailed, match="is not a folder on this computer"):
        run_here(settings, database, asked)
    job = open_queue(settings, database).get(asked.id)
    assert job.traceback and "look_through" in job.traceback


def test_run_here_tells_of_a_job_that_was_stopped(settings: Settings, database: Database, queue: Queue) -> None:
    asked = queue.submit("import", {}, key="k")
    queue.request_stop(asked.id)
    with pytest.raises(JobStopped, match="Stopped before it began"):
        run_here(settings, database, queue.get(asked.id))


def test_a_training_that_is_interrupted_leaves_a_stopped_run(
    settings: Settings, database: Database, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.learning import training
    from core.recipes import TrainingRecipe

    def interrupted(library: Library, runs: Runs, settings: Settings, name: str, recipe, request, **rest) -> dict:
        runs.begin(name, recipe, request.as_json())
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    asked = kinds.submit_train(queue, "a", TrainingRecipe(steps=1), {})
    with pytest.raises(KeyboardInterrupt):
        run_here(settings, database, asked)
    assert queue.get(asked.id).state == "stopped"
    assert Runs(database).get("a").state == "stopped"


def test_a_training_whose_worker_died_after_a_stop_leaves_a_stopped_run(
    settings: Settings, database: Database, queue: Queue
) -> None:
    from core.recipes import TrainingRecipe

    asked = kinds.submit_train(queue, "a", TrainingRecipe(steps=1), {})
    queue.claim("dead")
    Runs(database).begin("a", TrainingRecipe(steps=1), {})
    queue.request_stop(asked.id)
    assert until(queue.claimable), "its lease runs out"
    work(settings, until_empty=True)
    assert queue.get(asked.id).state == "stopped"
    assert Runs(database).get("a").state == "stopped"


def test_a_job_that_took_its_workers_down_too_often_fails_and_its_run_too(
    settings: Settings, database: Database, queue: Queue
) -> None:
    from core.recipes import TrainingRecipe

    later = time.time() - 2 * MAX_ATTEMPTS
    crashing = Queue(database, lease_s=0.1, clock=lambda: later)
    jobs = [
        kinds.submit_train(queue, "a", TrainingRecipe(steps=1), {}),
        kinds.submit_import(queue, settings.home, "folder"),
        kinds.submit_preprocess(queue),
        kinds.submit_evaluate(queue, "a"),
    ]
    Runs(database).begin("a", TrainingRecipe(steps=1), {})
    for _ in range(MAX_ATTEMPTS):
        assert all(crashing.claim("dead", job_id=job.id) for job in jobs)
        later += 1
    assert until(lambda: time.time() > later + 1)
    work(settings, until_empty=True)
    assert [(queue.get(job.id).state, queue.get(job.id).message) for job in jobs] == [("failed", GIVEN_UP)] * 4
    run = Runs(database).get("a")
    assert (run.state, run.message) == ("failed", GIVEN_UP)
    assert queue.submit("import", {}, key=jobs[1].key).attempt == 0, "asked for again, it is tried again"


SAME_JOB = """
import json, sys, time
from pathlib import Path
from core.database import Database
from core.jobs.kinds import KINDS
from core.jobs.worker import open_queue, run_here
from core.settings import Settings

home, log, ready = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

def slow(context):
    with log.open("a") as stream:
        stream.write("done once\\n")
    for n in range(1, 9):
        time.sleep(0.2)
        context.report(n, 8, f"Round {n}")
    return {"by": context.worker}

KINDS["slow"] = slow
settings = Settings(home=home, lease_s=0.9)
database = Database(settings.database)
queue = open_queue(settings, database)
ready.mkdir(parents=True, exist_ok=True)
(ready / sys.argv[4]).touch()
while len(list(ready.iterdir())) < 2:
    time.sleep(0.01)
reports = []
job = run_here(settings, database, queue.submit("slow", {}, key="slow"), on_report=lambda *told: reports.append(told[0]))
print(json.dumps({"id": job.id, "state": job.state, "result": job.result, "reports": reports}))
"""


def test_two_processes_that_ask_for_the_same_give_one_run_which_the_other_follows(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", SAME_JOB, settings.home, log, tmp_path / "ready"]
    both = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True, cwd=PROJECT) for name in ("one", "two")
    ]
    outs = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert log.read_text() == "done once\n"
    assert outs[0]["id"] == outs[1]["id"] and outs[0]["state"] == outs[1]["state"] == "done"
    assert outs[0]["result"] == outs[1]["result"]
    follower = min(outs, key=lambda out: len(out["reports"]))
    assert follower["reports"] and follower["reports"] == sorted(follower["reports"]), "it heard how far the job was"


# -- force -------------------------------------------------------------------------------------------------------------

DEAF = """
import sys, threading
from pathlib import Path
from core.jobs.kinds import KINDS
from core.jobs.worker import work
from core.library.runs import Runs
from core.recipes import TrainingRecipe
from core.settings import Settings

def deaf(context):
    Runs(context.database).begin(context.job.parameters["name"], TrainingRecipe(), {})
    context.report(1, 2, "hard at work")
    threading.Event().wait()

KINDS["train"] = deaf
work(Settings(home=Path(sys.argv[1]), lease_s=0.6, force_stop_s=0.5))
"""


def test_a_job_that_ignores_a_stop_is_ended_by_force_with_its_process(
    settings: Settings, database: Database, queue: Queue
) -> None:
    job = queue.submit("train", {"name": "deaf"}, key="train:deaf")
    process = subprocess.Popen([sys.executable, "-c", DEAF, settings.home], cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: queue.get(job.id).message == "hard at work" or process.poll() is not None)
        queue.request_stop(job.id)
        assert process.wait(timeout=60) == FORCED_EXIT
    finally:
        process.kill()
        process.wait()
    told = queue.get(job.id)
    assert (told.state, told.message) == ("stopped", "Stopped by force.")
    assert Runs(database).get("deaf").state == "stopped"
    with lock_of(settings).acquire(timeout=0):
        pass  # and another worker may begin


# -- one worker a workspace --------------------------------------------------------------------------------------------


def test_there_is_one_worker_a_workspace(settings: Settings, database: Database, queue: Queue) -> None:
    queue.submit("import", {}, key="k")
    with lock_of(settings):
        assert work(settings, until_empty=True) is False
        assert ensure_worker(settings, queue) is False
    assert queue.unfinished()[0].state == "queued"


def test_a_worker_does_what_waits_and_ends_when_nothing_is_left(
    settings: Settings, database: Database, queue: Queue, songs_folder: Path
) -> None:
    good = kinds.submit_import(queue, songs_folder / "drone", "folder")
    bad = kinds.submit_import(queue, settings.home / "nowhere", "folder")
    unknown = queue.submit("a kind of a later version", {}, key="k")
    assert work(settings, until_empty=True) is True
    assert [queue.get(job.id).state for job in (good, bad, unknown)] == ["done", "failed", "failed"]
    assert lock_is_free(settings)


def test_a_worker_without_work_ends_itself(settings: Settings, database: Database) -> None:
    assert work(settings.model_copy(update={"worker_idle_s": 0.2})) is True


def test_a_waiting_worker_sees_new_jobs(settings: Settings, database: Database, queue: Queue, tmp_path: Path) -> None:
    working = threading.Thread(target=work, args=(settings.model_copy(update={"worker_idle_s": 2.0}),))
    working.start()
    write_sound(tmp_path / "songs" / "a.wav", tone(440, 1.0))
    job = kinds.submit_import(queue, tmp_path / "songs", "folder")
    assert until(lambda: queue.get(job.id).state == "done")
    working.join()


def lock_is_free(settings: Settings) -> bool:
    try:
        with lock_of(settings).acquire(timeout=0):
            return True
    except Timeout:
        return False


ASK = """
import sys
from pathlib import Path
from core.database import Database
from core.jobs import kinds
from core.jobs.worker import ensure_worker, open_queue
from core.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
queue = open_queue(settings, Database(settings.database))
print(ensure_worker(settings, queue))
kinds.submit_import(queue, Path(sys.argv[2]), "folder")
print(ensure_worker(settings, queue))
"""


@pytest.fixture
def impatient() -> Iterator[dict[str, str]]:
    """An environment in which workers end soon."""
    yield {**os.environ, "GENRESCOPE_WORKER_IDLE_S": "1", "GENRESCOPE_LEASE_S": "2"}


def test_a_worker_is_started_when_there_is_work_and_outlives_who_started_it(
    settings: Settings, database: Database, queue: Queue, songs_folder: Path, impatient: dict[str, str]
) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK, settings.home, songs_folder],
        cwd=PROJECT,
        env=impatient,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert asked.stdout.split() == ["False", "True"]
    job = queue.latest("import")
    assert job
    assert until(lambda: not queue.get(job.id).unfinished)
    told = queue.get(job.id)
    assert told.state == "done" and told.result and told.result["imported"] == 24
    assert until(lambda: lock_is_free(settings)), "it ends by itself"
    assert f"job {job.id} is done" in (settings.logs / "worker.log").read_text()
