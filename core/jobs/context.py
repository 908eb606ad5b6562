"""What a running job may use: the workspace, and a way to tell how far it is and to hear of a stop."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.database import Database
from core.errors import JobFailed, JobStopped
from core.jobs.queue import GIVEN_UP, Job, Queue
from core.settings import Settings

REPORT_EVERY_S = 0.25


@dataclass
class JobContext:
    """A claimed job and its surroundings. `stop` and `lost` are set by the thread that renews the lease."""

    settings: Settings
    database: Database
    job: Job
    queue: Queue
    worker: str
    on_report: Callable[[int, int | None, str, float | None], None] = lambda done, total, message, left: None
    stop: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    _reported_at: float = 0.0
    _begun: tuple[float, int] | None = None

    def check(self) -> None:
        """Raise `JobStopped` if a stop was asked for, or the job is no longer ours; `JobFailed` if it is hopeless."""
        if self.lost.is_set():
            raise JobStopped("Another worker has taken this job over.")
        if self.stop.is_set():
            raise JobStopped("Stopped.")
        if self.job.hopeless:
            raise JobFailed(GIVEN_UP)

    def report(self, done: int, total: int | None, message: str = "", seconds_left: float | None = None) -> None:
        """Tell how far the job is, a few times a second at most; also a `check`."""
        self.check()
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, done
        if now - self._reported_at < REPORT_EVERY_S and done != total:
            return
        self._reported_at = now
        begun_at, begun_done = self._begun
        if seconds_left is None and total and done > begun_done:
            seconds_left = (now - begun_at) / (done - begun_done) * (total - done)
        self.queue.report(self.job, self.worker, done=done, total=total, message=message, seconds_left=seconds_left)
        self.on_report(done, total, message, seconds_left)
