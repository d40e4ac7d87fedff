"""Can this folder score conversations? Asked before anything runs, of its headers and JSON only."""

from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.files import from_root
from prefsweep.model_files import chat_template, check_weights, read_json, refuse_code
from prefsweep.models import directory_revision
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.settings import RewardModelConfig

_CLASSIFIER = "ForSequenceClassification"
_LABELS_BY_DEFAULT = 2
"""What transformers takes a classifier to have whose configuration does not say."""


def planned_reward_model(settings: RewardModelConfig | None, root: Path) -> PlannedRewardModel | None:
    """Resolve the reward model of a study and hash its files; None without one.

    Raises StageError of class `model` as `check_reward_model` does.
    """
    if settings is None:
        return None
    directory = Path(settings.path).expanduser().absolute()
    check_reward_model(directory)
    return PlannedRewardModel(
        settings=settings,
        directory=from_root(directory, root),
        revision=directory_revision(directory),
    )


def reward_costs(reward_model: PlannedRewardModel | None, runs: int, heldout: int | None) -> list[str]:
    """What scoring takes at most, in a sentence."""
    if reward_model is None:
        return []
    number = f"{runs * heldout:,}" if heldout else "an unknown number of"
    return [f"reward model {reward_model.name} at {reward_model.directory}: {number} answers to score"]


def check_reward_model(directory: Path) -> None:
    """Raise StageError of class `model`, with file and remedy, unless it is a reward model that vLLM serves safely.

    That is a complete safetensors model without code of its own, whose architecture classifies whole sequences into one
    label, with a chat template that renders what it scores.
    """
    if not directory.is_dir():
        what = f"evaluate.reward_model.path: {directory}: no such directory"
        raise StageError("model", what, "Correct the path; a model on a hub has to be downloaded first.")
    config = read_json(directory / "config.json")
    refuse_code(directory, "A reward model must be one that transformers knows without code of its own.")
    _check_head(directory / "config.json", config)
    check_weights(directory)
    chat_template(directory)


def _check_head(path: Path, config: dict[str, Any]) -> None:
    architectures = config.get("architectures") or []
    if not any(name.endswith(_CLASSIFIER) for name in architectures):
        found = ", ".join(architectures) or "none"
        what = f"{path}: not a reward model that gives a conversation one score (architectures: {found})"
        raise StageError("model", what, f"Use a model whose architecture ends in {_CLASSIFIER}, with one label.")
    labels = len(config["id2label"]) if "id2label" in config else config.get("num_labels", _LABELS_BY_DEFAULT)
    if labels != 1:
        what = f"{path}: a reward model has one label, this classifier {labels}"
        raise StageError("model", what, "Use a model that was trained to give one score, with num_labels 1.")
