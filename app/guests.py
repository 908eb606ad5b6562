"""What guests are served with: one model, and the broad genres above its own. Knows no library."""

from collections.abc import Mapping

from app import answers, session
from core.learning import model as models
from core.library.vocabulary import seeds


def model() -> models.Entry | None:
    """The model that answers guests: the one that the settings name, else the newest; None if there is none."""
    usable = [entry for entry in answers.model_entries() if entry.card]
    name = session.settings().guest_model
    return next((entry for entry in usable if not name or entry.name == name), None)


def parents() -> Mapping[str, str]:
    """The genre above each genre that has one, as Genrescope comes."""
    return {seed.name: seed.parent for seed in seeds().values() if seed.parent}
