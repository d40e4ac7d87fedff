"""What a study asks of lm-eval's tasks, checked before anything is spent: that they exist, and heed their settings."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path

from prefsweep.settings import EvaluateConfig
from prefsweep.study_problems import StudyError
from prefsweep.task_index import TaskFacts, TaskIndex
from prefsweep.task_settings import TaskSettings
from prefsweep.tasks import brings_documents, located
from prefsweep.wording import count, joined
from prefsweep.yaml_file import load_yaml

Index = Callable[[], TaskIndex | None]
"""lm-eval's own tasks, looked up only where one is asked for; None while nothing is known of them."""


def check_tasks(file: Path, evaluate: EvaluateConfig, directory: Path, index: Index) -> None:
    """Refuse tasks that nobody knows or that overlap, and settings that lm-eval would pass over.

    `directory` is config/tasks. Raises StudyError with the line of each.
    """
    document = load_yaml(file)
    owners: dict[str, str] = {}
    problems = [
        f"{file}:{document.line_of(('evaluate', 'tasks', number))}: evaluate.tasks.{number}: {task.name}: {fault}"
        for number, task in enumerate(evaluate.tasks)
        if (fault := next(_faults(task, directory, index, owners), None))
    ]
    if problems:
        raise StudyError(problems)


def _faults(task: TaskSettings, directory: Path, index: Index, owners: dict[str, str]) -> Iterator[str]:
    """`owners` has the tasks before this one: lm-eval's name of each that is run → the study's entry it belongs to."""
    name = located([task], directory)[0].name
    own = name.endswith(".yaml")
    facts = _of_file(Path(name)) if own else _of_lm_eval(name, directory, index())
    if isinstance(facts, str):
        yield facts
        return
    if own and task.changes and not brings_documents(name):
        keys = joined(list(task.changes))
        yield f"reads the study's own held-out rows, all of them and as the model's template has them; remove {keys}"
    for leaf, about in facts.items():
        if (owner := owners.setdefault(leaf, task.name)) != task.name:
            yield f"has {leaf} in common with {owner}, and lm-eval has one result for it; remove one of the two"
        which = "" if own or leaf == name else f"its task {leaf} "
        yield from (f"{which}{fault}" for fault in _unheeded(task, about))


def _of_file(path: Path) -> dict[str, TaskFacts] | str:
    """A file's task by the name under which lm-eval reports it, or what is wrong with the file."""
    if not path.is_file():
        return "there is no such file; correct the path, or name a file in config/tasks/ without its ending"
    definition = load_yaml(path).value
    if not isinstance(definition.get("task"), str):
        return f"{path} does not say what lm-eval is to call it; add `task: {path.stem}`"
    return {definition["task"]: TaskFacts.of(definition)}


def _of_lm_eval(name: str, directory: Path, index: TaskIndex | None) -> dict[str, TaskFacts] | str:
    """The tasks that a name of lm-eval's stands for, as far as known, or that it has none of this name."""
    if index is None:
        return {}
    if name not in index.names:
        own = [path.stem for path in directory.glob("*.yaml")]
        close = joined([repr(one) for one in get_close_matches(name, [*own, *index.names])])
        hint = f"did you mean {close}?" if close else f"correct it, or add config/tasks/{name}.yaml"
        return f"is no file in config/tasks/ and no task, group or tag of lm-eval {index.lm_eval}; {hint}"
    return {leaf: index.tasks[leaf] for leaf in index.leaves(name) if leaf in index.tasks}


def _unheeded(task: TaskSettings, facts: TaskFacts) -> Iterator[str]:
    """What lm-eval would pass over or stop at, long after training."""
    shots = task.num_fewshot or 0
    chat = ["apply_chat_template"] if task.apply_chat_template else []
    if facts.output_type == "loglikelihood_rolling" and (keys := ["num_fewshot"] * (shots > 0) + chat):
        yield f"scores whole texts, with nothing before them and as they are; remove {joined(keys)}"
    elif shots and facts.num_fewshot == 0:
        yield "is defined without solved examples, and lm-eval keeps to that; remove num_fewshot"
    elif facts.examples is not None and shots > facts.examples:
        yield f"has {count(facts.examples, 'solved example')} of its own; lower num_fewshot to that"
    if facts.unsafe_code:
        yield "runs code that a model has written, which prefsweep does on no machine; remove it"
