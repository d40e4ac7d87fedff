"""The reward model of a study as its plan keeps it: which one, by content, and how it is served."""

from pathlib import Path

from prefsweep.files import sha256_of_json
from prefsweep.records.base import Record
from prefsweep.settings import RewardModelConfig


class PlannedRewardModel(Record):
    """`evaluate.reward_model`, resolved."""

    settings: RewardModelConfig
    directory: str
    """Where its files are, relative to the project's root when they are below it."""
    revision: str
    """SHA-256 over the names and hashes of its files."""

    @property
    def asked(self) -> str:
        """A hash of all that decides a score but the conversation. Where the folder is decides nothing."""
        return sha256_of_json([self.revision, self.settings.precision])[:16]

    @property
    def name(self) -> str:
        """Its folder's, for people."""
        return Path(self.directory).name

    def folder(self, root: Path) -> Path:
        """Where its files are on a machine that has the project at `root`."""
        return (root / self.directory).resolve()
