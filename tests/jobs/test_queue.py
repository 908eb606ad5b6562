"""The queue: one job a key, claims that are unique, leases that run out."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import LibraryError
from core.jobs.queue import MAX_ATTEMPTS, Job, Queue

LEASE_S = 10.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_lease(self) -> None:
        self.now += LEASE_S + 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(database: Database, clock: Clock) -> Queue:
    return Queue(database, lease_s=LEASE_S, clock=clock)


def claimed(queue: Queue, worker: str) -> Job:
    job = queue.claim(worker)
    assert job is not None
    return job


# -- asking ------------------------------------------------------------------------------------------------------------


def test_the_same_key_twice_is_one_job_until_it_ends(queue: Queue) -> None:
    first = queue.submit("import", {"directory": "a"}, key="k")
    assert queue.submit("import", {"directory": "a"}, key="k").id == first.id
    job = claimed(queue, "w")
    assert queue.submit("import", {"directory": "a"}, key="k").id == first.id == job.id, "a running job counts too"
    queue.finish(job, "w", "done", result={})
    assert queue.submit("import", {"directory": "a"}, key="k").id != first.id


@pytest.mark.parametrize("state", ["done", "failed", "stopped"])
def test_a_job_that_has_ended_in_any_way_can_be_asked_for_again(queue: Queue, state: str) -> None:
    queue.submit("import", {}, key="k")
    job = claimed(queue, "w")
    queue.finish(job, "w", state)
    again = queue.submit("import", {}, key="k")
    assert (again.state, again.attempt, again.id > job.id) == ("queued", 0, True)


def test_asked_for_by_many_threads_at_once_it_is_one_job(queue: Queue) -> None:
    together = threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        return queue.submit("preprocess", {}, key="same").id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(queue.unfinished()) == 1


@given(
    parameters=st.dictionaries(
        st.text(max_size=5), st.none() | st.integers() | st.text() | st.lists(st.booleans()), max_size=4
    )
)
def test_parameters_and_results_come_back_as_they_were(queue: Queue, parameters: dict) -> None:
    job = queue.submit("import", parameters, key="round trip")
    assert claimed(queue, "w").parameters == queue.get(job.id).parameters == parameters
    queue.finish(job, "w", "done", result=parameters)
    assert (queue.get(job.id).result or {}) == parameters


# -- claiming ----------------------------------------------------------------------------------------------------------


def test_the_oldest_job_is_claimed_first_and_each_once(queue: Queue) -> None:
    asked = [queue.submit("import", {}, key=str(n)).id for n in range(3)]
    assert [claimed(queue, "w").id for _ in asked] == asked
    assert queue.claim("w") is None


def test_one_job_can_be_claimed_by_its_number(queue: Queue) -> None:
    first, second = (queue.submit("import", {}, key=key) for key in "ab")
    job = queue.claim("w", job_id=second.id)
    assert job and (job.id, job.state, job.attempt) == (second.id, "running", 1)
    assert queue.claim("x", job_id=second.id) is None, "it is taken"
    assert queue.get(first.id).state == "queued"


def test_claims_are_unique_over_threads(queue: Queue) -> None:
    asked = {queue.submit("import", {}, key=str(n)).id for n in range(40)}
    together = threading.Barrier(6)

    def take(number: int) -> list[int]:
        together.wait()
        return take_all(queue, f"w{number}")

    with ThreadPoolExecutor(6) as pool:
        taken = [job for jobs in pool.map(take, range(6)) for job in jobs]
    assert len(taken) == 40 and set(taken) == asked


def test_claims_are_unique_over_processes(database: Database, queue: Queue) -> None:
    asked = {queue.submit("import", {}, key=str(n)).id for n in range(60)}
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        shares = list(pool.map(take_in_a_process, [database.path] * 3, "abc"))
    taken = [job for jobs in shares for job in jobs]
    assert len(taken) == 60 and set(taken) == asked


def take_in_a_process(path: Path, worker: str) -> list[int]:
    return take_all(Queue(Database(path), lease_s=600), worker)


def take_all(queue: Queue, worker: str) -> list[int]:
    taken = []
    while job := queue.claim(worker):
        taken.append(job.id)
    return taken


# -- leases ------------------------------------------------------------------------------------------------------------


def test_a_job_is_claimed_again_only_when_its_lease_ran_out(queue: Queue, clock: Clock) -> None:
    job = queue.submit("import", {}, key="k")
    claimed(queue, "old")
    clock.now += LEASE_S - 1
    assert queue.claim("new") is None and not queue.claimable()
    clock.now += 2
    assert queue.claimable()
    again = claimed(queue, "new")
    assert (again.id, again.attempt) == (job.id, 2)


def test_renewing_keeps_the_lease(queue: Queue, clock: Clock) -> None:
    queue.submit("import", {}, key="k")
    job = claimed(queue, "w")
    for _ in range(5):
        clock.now += LEASE_S - 1
        assert queue.renew(job, "w") == (True, False)
        assert queue.claim("other") is None


def test_the_old_worker_of_a_lost_job_has_no_more_say(queue: Queue, clock: Clock) -> None:
    queue.submit("train", {}, key="k")
    old = claimed(queue, "old")
    clock.pass_lease()
    new = claimed(queue, "new")
    assert queue.renew(old, "old") == (False, False)
    queue.report(old, "old", done=99, total=100, message="nonsense", seconds_left=1.0)
    queue.finish(old, "old", "failed", message="nonsense", traceback="nonsense")
    told = queue.get(new.id)
    assert (told.state, told.done, told.message, told.traceback) == ("running", 0, "", None)
    queue.finish(new, "new", "done", result={"a": 1})
    queue.finish(new, "new", "failed", message="too late")
    told = queue.get(new.id)
    assert (told.state, told.result, told.message) == ("done", {"a": 1}, "")


def test_a_job_that_takes_its_worker_down_again_and_again_is_hopeless(queue: Queue, clock: Clock) -> None:
    queue.submit("train", {}, key="k")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = claimed(queue, f"w{attempt}")
        assert (job.attempt, job.hopeless) == (attempt, False)
        clock.pass_lease()
    assert claimed(queue, "one more").hopeless


def test_a_job_that_gets_further_each_time_is_not_given_up(queue: Queue, clock: Clock) -> None:
    queue.submit("train", {}, key="k")
    for attempt in range(3 * MAX_ATTEMPTS):
        job = claimed(queue, "w")
        queue.report(job, "w", done=attempt + 1, total=100, message="", seconds_left=None)
        clock.pass_lease()
    assert claimed(queue, "w").state == "running"


def test_a_job_whose_rest_shrinks_each_time_is_not_given_up(queue: Queue, clock: Clock) -> None:
    """Spectrograms count what is done in this attempt, of what was left: (2 of 80), then (2 of 78), ..."""
    queue.submit("preprocess", {}, key="k")
    for attempt in range(3 * MAX_ATTEMPTS):
        job = claimed(queue, "w")
        for done in (0, 1, 2):
            queue.report(job, "w", done=done, total=80 - 2 * attempt, message="", seconds_left=None)
        clock.pass_lease()
    assert claimed(queue, "w").state == "running"


def test_going_over_the_same_ground_again_is_no_progress(queue: Queue, clock: Clock) -> None:
    """A training that crashes at step 30 each time begins again at 20: its count falls and rises, and gets nowhere."""
    queue.submit("train", {}, key="k")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        taken = claimed(queue, "w")
        assert taken.attempt == attempt
        for done in (20, 25, 30):
            queue.report(taken, "w", done=done, total=100, message="", seconds_left=None)
        clock.pass_lease()
    assert claimed(queue, "w").hopeless


def test_a_report_is_seen_by_everyone(queue: Queue) -> None:
    job = queue.submit("train", {}, key="k")
    claimed(queue, "w")
    queue.report(job, "w", done=3, total=9, message="Epoch 1", seconds_left=12.5)
    told = queue.get(job.id)
    assert (told.done, told.total, told.message, told.seconds_left) == (3, 9, "Epoch 1", 12.5)


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_waiting_job_stops_at_once(queue: Queue) -> None:
    job = queue.submit("import", {}, key="k")
    queue.request_stop(job.id)
    told = queue.get(job.id)
    assert (told.state, told.message, told.stop_requested) == ("stopped", "Stopped before it began.", True)
    assert told.finished_at and queue.claim("w") is None


def test_a_running_job_hears_of_the_stop_when_it_renews(queue: Queue) -> None:
    queue.submit("import", {}, key="k")
    job = claimed(queue, "w")
    queue.request_stop(job.id)
    told = queue.get(job.id)
    assert (told.state, told.stop_requested, told.finished_at) == ("running", True, None)
    assert queue.renew(job, "w") == (True, True)
    queue.finish(job, "w", "stopped", message="Stopped.")
    assert queue.get(job.id).state == "stopped"


def test_a_job_whose_worker_died_after_the_stop_tells_the_next_one_of_it(queue: Queue, clock: Clock) -> None:
    queue.submit("import", {}, key="k")
    job = claimed(queue, "w")
    queue.request_stop(job.id)
    clock.pass_lease()
    again = queue.claim("new")
    assert again
    assert (again.id, again.stop_requested) == (job.id, True)


def test_a_job_that_has_ended_cannot_be_stopped(queue: Queue) -> None:
    queue.submit("import", {}, key="k")
    job = claimed(queue, "w")
    queue.finish(job, "w", "done", result={})
    queue.request_stop(job.id)
    assert (queue.get(job.id).state, queue.get(job.id).stop_requested) == ("done", False)


# -- looking back ------------------------------------------------------------------------------------------------------


def test_history_is_newest_first_and_by_kind(queue: Queue) -> None:
    kinds = ["import", "preprocess", "train", "import"]
    ids = [queue.submit(kind, {}, key=str(n)).id for n, kind in enumerate(kinds)]
    assert [job.id for job in queue.history()] == ids[::-1]
    assert [job.id for job in queue.history("import")] == [ids[3], ids[0]]
    assert [job.id for job in queue.history("import", "train", limit=2)] == [ids[3], ids[2]]
    latest = queue.latest("preprocess")
    assert latest and latest.id == ids[1]
    assert queue.latest("evaluate") is None


def test_unfinished_jobs_are_those_waiting_and_running(queue: Queue) -> None:
    ended, running, waiting = (queue.submit("import", {}, key=key) for key in "abc")
    queue.finish(claimed(queue, "w"), "w", "failed", message="m", traceback="t")
    claimed(queue, "w")
    assert [(job.id, job.state) for job in queue.unfinished()] == [(running.id, "running"), (waiting.id, "queued")]
    told = queue.get(ended.id)
    assert (told.unfinished, told.message, told.traceback) == (False, "m", "t")


def test_a_job_that_was_never_asked_for_is_refused_in_words(queue: Queue) -> None:
    with pytest.raises(LibraryError, match="There is no job 77"):
        queue.get(77)
