"""A judge that the study serves itself: the planned files, on the study's device, while there is a question."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefsweep.devices import claimed
from prefsweep.failures import StageError
from prefsweep.model_files import read_json
from prefsweep.model_store import verify_manifest
from prefsweep.models import directory_revision
from prefsweep.plan import Plan
from prefsweep.planned_judge import SERVED_AS, ServedJudge
from prefsweep.serving import Server, serving

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served_judge(plan: Plan, judge: ServedJudge, vllm: Path, most_tokens: int, log: Path) -> Iterator[Server]:
    """Wait for the study's device and serve the judge on it; `vllm` is the command that starts a server.

    A question with its reply may have `most_tokens`, as far as the model reads so many. Raises StageError:
    `wrong_model` or `model` where the files are not those that were planned with, else as `serving` does.
    """
    folder = judge.folder(_ROOT)
    check_files(judge, folder)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        claimed(plan.device, count=plan.generate.tensor_parallel),
        serving(
            [str(vllm.absolute()), "serve"],
            folder,
            SERVED_AS,
            plan.generate.model_copy(update={"precision": judge.precision}),
            device=plan.device,
            max_length=min(most_tokens, _context(folder)),
            seed=0,
            log=log,
        ) as server,
    ):
        yield server


def check_files(judge: ServedJudge, folder: Path) -> None:
    """Raise StageError unless the files are those that were planned with, or those that were fetched."""
    if judge.fetched:
        verify_manifest(folder / "model.json")
    elif directory_revision(folder) != judge.revision:
        remedy = "Run the same command again: the plan then knows the files as they are."
        raise StageError("wrong_model", f"{folder}: its files are not those that were planned with", remedy)


def _context(folder: Path) -> int:
    """The most tokens the model reads. Raises StageError of class `model` where its configuration does not say."""
    path = folder / "config.json"
    config = read_json(path)
    most = config.get("text_config", config).get("max_position_embeddings")
    if not isinstance(most, int):
        raise StageError("model", f"{path}: has no max_position_embeddings", "Say there how many tokens it reads.")
    return most
