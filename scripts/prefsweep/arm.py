"""One merged model as it is about to be measured: its prompts in tokens, its tasks, what its server must take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefsweep.evaluation import PREFERENCE_TASK
from prefsweep.failures import StageError
from prefsweep.gates.files import check_files
from prefsweep.gates.measure import check_rendering
from prefsweep.plan import Plan
from prefsweep.prepared import heldout_prompts
from prefsweep.records.base import hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.merge import MergeRecord
from prefsweep.task_settings import TaskSettings
from prefsweep.tasks import brings_documents, located

ANSWER_ROOM = 64
"""Tokens of context beyond the longest prompt and answer."""
TASK_CONTEXT = 2048
"""Tokens of context for tasks with documents of their own, which may stand behind several solved ones."""


@dataclass(frozen=True)
class Arm:
    """Of a run, or of the rung of one."""

    run: str
    seed: int
    screening: bool
    merge: MergeRecord
    merged: Path
    prompts: list[HeldOutPrompt]
    texts: list[str]
    """The prompts as the model sees them."""
    token_ids: list[list[int]]
    tasks: list[TaskSettings]
    task_length: int
    """Tokens of the longest prompt of a task."""
    max_length: int
    """Tokens that its server must take."""

    @classmethod
    def of(cls, plan: Plan, run: str, folder: Path, data: Path, tasks_directory: Path) -> "Arm":
        """Read what the merge left in the run's folder; what a server is about to load is checked by its gates."""
        from transformers import AutoTokenizer

        merge, merged = MergeRecord.read(folder / "merge.json"), folder.resolve() / "merged"
        screening = plan.run(run).rung is not None
        check_files("merge.json", "merged", merge.model, hashed_files(merged))
        prompts = heldout_prompts(data, run)
        tokenizer = AutoTokenizer.from_pretrained(merged, local_files_only=True)
        texts = [tokenizer.apply_chat_template(p.messages, tokenize=False, add_generation_prompt=True) for p in prompts]
        token_ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        by_tokenizer = {prompt.id: ids for prompt, ids in zip(prompts, token_ids, strict=True)}
        for one in merge.rendered:
            check_rendering(one.prompt, {"the trainer": one.token_ids, "the tokenizer": by_tokenizer[one.prompt]})
        longest = max(map(len, token_ids)) + longest_answer(tokenizer, _pairs(prompts), plan.generate.max_tokens)
        tasks = located(screening_tasks(plan) if screening else plan.tasks, tasks_directory)
        task_length = max(longest + ANSWER_ROOM, task_context(tasks, merged))
        return cls(
            run=run,
            seed=plan.run(run).seed,
            screening=screening,
            merge=merge,
            merged=merged,
            prompts=prompts,
            texts=texts,
            token_ids=token_ids,
            tasks=tasks,
            task_length=task_length,
            max_length=max(task_length, plan.generate.timed_tokens + ANSWER_ROOM),
        )

    @property
    def pairs(self) -> list[HeldOutPrompt]:
        """The held-out prompts, without those of the showcase."""
        return _pairs(self.prompts)

    @property
    def tokens_by_prompt(self) -> dict[str, list[int]]:
        """`token_ids` by the prompts' ids."""
        return {prompt.id: ids for prompt, ids in zip(self.prompts, self.token_ids, strict=True)}

    @property
    def texts_of_pairs(self) -> list[str]:
        return [text for prompt, text in zip(self.prompts, self.texts, strict=True) if prompt.part == "heldout"]

    def served_alike(self, other: "Arm") -> bool:
        """Whether a server started for one is told and asked the same as one for the other: all but weights agree."""
        return self._apart_from_weights == other._apart_from_weights

    @property
    def _apart_from_weights(self) -> tuple[object, ...]:
        files = {file.name: file.sha256 for file in self.merge.model if not file.name.endswith(".safetensors")}
        return self.seed, self.tasks, self.max_length, files


def _pairs(prompts: list[HeldOutPrompt]) -> list[HeldOutPrompt]:
    return [prompt for prompt in prompts if prompt.part == "heldout"]


def screening_tasks(plan: Plan) -> list[TaskSettings]:
    """A rung is decided by what is known of each prompt: benchmarks wait for the points that are left."""
    return [task for task in plan.tasks if task.name == PREFERENCE_TASK] or plan.tasks


def task_context(tasks: list[TaskSettings], merged: Path) -> int:
    """Tokens that a prompt of these tasks may have; 0 where they read nothing but the study's own rows."""
    from transformers import AutoConfig

    if not any(brings_documents(task.name) for task in tasks):
        return 0
    config = AutoConfig.from_pretrained(merged, local_files_only=True)
    return min(TASK_CONTEXT, int(config.get_text_config().max_position_embeddings))


def longest_answer(tokenizer: Any, pairs: list[HeldOutPrompt], max_tokens: int) -> int:
    """Tokens of the longest answer the server will meet, generated or given."""
    if not pairs:
        raise StageError("data", "there are no held-out pairs to score")
    given = [answer for pair in pairs for answer in (pair.chosen, pair.rejected) if answer]
    return max(max_tokens, *(len(tokenizer.encode(answer, add_special_tokens=False)) for answer in given))
