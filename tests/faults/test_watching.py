"""A training of many epochs, watched all the time: the server keeps nothing of what it has shown (`-s` shows the figures)."""

import pytest

from core.database import Database
from core.jobs import kinds
from core.jobs.queue import Queue
from core.library.runs import Runs
from core.recipes import TrainingRecipe
from core.settings import Settings
from tests.app.test_pages import home, ready  # noqa: F401
from tests.app.test_train import ANSWERED, FAST, begun, prepared, runs  # noqa: F401
from tests.browser.conftest import Server
from tests.faults.test_guests import own_megabytes
from tests.library.test_runs import epoch
from tests.soak import often
from tests.visitor import Visitor

pytestmark = pytest.mark.slow

LOOKS = often(40, 400)
"""How often the page is drawn anew. One that is watched does so every four seconds."""
EPOCHS = 20
"""Then no more come: what is measured is the watching, not longer curves."""
BOUND_MB = 25
"""So much more than after the first looks the server may hold after the last."""


def test_watching_costs_no_memory(prepared: Settings, runs: Runs) -> None:  # noqa: F811
    run = begun(runs, prepared, "watched")
    queue = Queue(Database(prepared.database), lease_s=3600)
    job = kinds.submit_train(queue, "watched", TrainingRecipe(), {})
    assert queue.claim("a worker elsewhere", job_id=job.id)
    measured = queue.claim("a worker elsewhere", job_id=kinds.submit_speed(queue, TrainingRecipe()).id)
    assert measured
    queue.finish(measured, "a worker elsewhere", "done", result={"speed": FAST.as_json()})
    server = Server(prepared.home, {"GENRESCOPE_LEASE_S": "3600"})
    server.start()
    held: list[float] = []
    try:
        with Visitor(server.url, "train") as page:
            assert server.process
            for look in range(LOOKS):
                if look < EPOCHS:
                    runs.add_epoch(run, epoch(look + 1), ANSWERED)
                page.refresh()
                assert page.reads(f"{min(look + 1, EPOCHS)} of"), "the page shows the epoch"
                held.append(own_megabytes(server.process.pid))
            assert page.errors == []
    finally:
        server.kill()
    first, last = sum(held[EPOCHS : EPOCHS + 10]) / 10, sum(held[-10:]) / 10
    print(f"{LOOKS} looks: {first:.0f} MB after the first {EPOCHS}, {last:.0f} MB at the end")  # noqa: T201
    assert last < first + BOUND_MB
