"""One fold of a cross-validation: trained here, or on a worker of a cluster, which is the same.

A worker needs no database: what it trains on is in its order, and the spectrograms lie in the shared workspace, as do the
checkpoint and a note of how far it is. It goes on as long as the run's folder holds the turn that its order names.
"""

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.audio.store import SpectrogramStore
from core.errors import JobStopped
from core.files import write_json
from core.jobs.cluster import threads_here
from core.learning.evaluation import song_spectra
from core.learning.networks import as_logits
from core.learning.plan import Plan
from core.learning.trainer import Trainer
from core.learning.training import fit
from core.library.store import BandStatistics
from core.music import FloatArray
from core.recipes import TrainingRecipe

EVERY_S = 0.5
"""A worker looks for its turn, and notes how far it is, this often at most."""
TURN, TOLD = "turn.txt", "told.json"


@dataclass(frozen=True)
class FoldOrder:
    """All that is needed to train a fold.

    `plan` has no steps yet; `statistics` are of its training songs. `spectrograms` is the root of their store; `folder`
    holds the fold's checkpoint. `turn` names the attempt at the whole cross-validation ('' where it is done in place).
    """

    number: int
    plan: Plan
    recipe: TrainingRecipe
    statistics: BandStatistics
    spectrograms: Path
    folder: Path
    turn: str = ""


@dataclass(frozen=True)
class FoldAnswer:
    """What came of a fold: `note` (as a report tells it), and the spectra of its test songs, (n_songs, n_genres)."""

    note: dict[str, Any]
    spectra: FloatArray


def train_fold(
    order: FoldOrder,
    store: SpectrogramStore,
    check: Callable[[], None],
    on_progress: Callable[[int, int, str, float | None], None],
) -> FoldAnswer:
    """Train a network for a fold, from its checkpoint if there is one, and let it answer. Arguments as `training.fit`."""
    trainer = Trainer(order.plan, order.recipe, order.folder, store, order.statistics)
    trainer.plan = _settled(trainer, check)
    network = fit(trainer, check=check, on_progress=on_progress)
    crop_frames, split = order.recipe.crop_frames, order.plan.split
    spectra, _ = song_spectra(
        split.test, store, as_logits(network), crop_frames=crop_frames, stride=crop_frames // 2, check=check
    )
    progress = trainer.progress
    note = {
        "seconds": round(progress.seconds, 1),
        "steps": progress.step,
        "best_epoch": progress.best_epoch,
        "temperature": float(network.temperature),
        "train": len(split.train),
        "validation": len(split.validation),
    }
    return FoldAnswer(note, spectra)


def train_fold_far(order: FoldOrder) -> FoldAnswer:
    """`train_fold` on a worker of a cluster, with its threads. `JobStopped` once the turn is another's or nobody's."""
    torch.set_num_threads(threads_here())
    torch.use_deterministic_algorithms(True)
    looked_at = told_at = -EVERY_S

    def check() -> None:
        nonlocal looked_at
        if time.monotonic() - looked_at < EVERY_S:
            return
        looked_at = time.monotonic()
        if not has_turn(order.folder.parent, order.turn):
            raise JobStopped("This fold was called off, or is done by another.")

    def tell(step: int, steps: int, message: str, left: float | None) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= EVERY_S:
            told_at = time.monotonic()
            write_json(order.folder / TOLD, {"step": step, "steps": steps})

    check()
    with closing(SpectrogramStore(order.spectrograms, order.plan.spectrogram.fingerprint)) as store:
        return train_fold(order, store, check, tell)


def has_turn(folder: Path, turn: str) -> bool:
    """Whether the run in `folder` is still (or again) that of this turn."""
    try:
        return (folder / TURN).read_text(encoding="utf-8") == turn
    except FileNotFoundError:
        return False


@dataclass
class Watch:
    """How far the folds of a run are that workers train: `left` of `n_folds` are not done. Arguments as `crossvalidate`."""

    folder: Path
    n_folds: int
    left: set[int]
    check: Callable[[], None]
    on_progress: Callable[[int, int, str, float | None], None]
    steps: int = 0
    """Of one fold, as far as any has told."""
    looked_at: float = 0.0

    def look(self) -> None:
        """`check`, and tell how far they are, now and then."""
        self.check()
        if time.monotonic() - self.looked_at >= EVERY_S:
            self.looked_at = time.monotonic()
            self._tell()

    def is_done(self, number: int, steps: int) -> None:
        """One is done, after so many steps (it may have stopped early, and counts whole)."""
        self.left.remove(number)
        self.steps = max(self.steps, steps)
        self._tell()

    def _tell(self) -> None:
        """Nobody knows how long it takes: folds that wait are begun as workers get free."""
        told = [far for number in self.left if (far := _how_far(self.folder / str(number)))]
        self.steps = max([self.steps, *(steps for _, steps in told)])
        if self.steps:
            done = self.n_folds - len(self.left)
            steps = done * self.steps + sum(round(self.steps * step / of) for step, of in told)
            message = f"{done} of {self.n_folds} folds are done; a cluster trains the others."
            self.on_progress(steps, self.n_folds * self.steps, message, None)


def _how_far(folder: Path) -> tuple[int, int] | None:
    """(steps done, steps) of the fold in `folder`, as its worker noted last; None if it has not."""
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return told["step"], told["steps"]


def _settled(trainer: Trainer, check: Callable[[], None]) -> Plan:
    """The plan of a fold with its steps: as they were settled when it was begun, if it was."""
    settled = trainer.folder / "plan.json"
    if settled.exists():
        return Plan(**{**vars(trainer.plan), "steps": json.loads(settled.read_text(encoding="utf-8"))["steps"]})
    plan = trainer.limit(check)
    write_json(settled, {"steps": plan.steps})
    return plan
