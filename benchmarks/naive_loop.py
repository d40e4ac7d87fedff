"""A study as it is run without prefsweep: a loop over the engines' own commands, each started anew for each run.

Every command gets the settings that prefsweep gave its engine in the same study: they are read from its records, so
that the two differ in nothing but how the work is arranged. What prefsweep proves beside it (parity, identity,
rendering) the loop leaves out.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from transformers import AutoTokenizer

from prefsweep.environments import python_of
from prefsweep.evaluation import task_rows
from prefsweep.files import write_jsonl
from prefsweep.generation import generate
from prefsweep.lm_eval_form import task
from prefsweep.methods import load_method
from prefsweep.plan import Plan, run_directory
from prefsweep.prepared import heldout_prompts
from prefsweep.process_group import process_group
from prefsweep.records.base import read_document
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Throughput
from prefsweep.records.merge import MergeRecord
from prefsweep.serving import Server, serving
from prefsweep.swift_settings import as_arguments
from prefsweep.training_rows import write_training_rows


class NaiveLoop:
    """The loop over the runs of a study that prefsweep has finished in `project`; its own files go to `folder`."""

    def __init__(self, project: Path, study: str, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.study = project / "results" / study
        self.plan = Plan.read(self.study / "plan.json")
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Stage → wall time, of all runs together."""
        self.useful_seconds = 0.0
        """Of these, optimiser steps and decoding, as the engines themselves measured them."""

    def run(self) -> None:
        """All runs. Raises RuntimeError with the log of a command that failed."""
        for run in self.plan.runs:
            self._arm(run.id, self.folder / run.id)

    def _arm(self, run: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        ours = run_directory(self.study, run)
        model = self.plan.model.folder(self.project)
        if (ours / "train.json").exists():
            with self._stage("train"):
                adapter = self._train(run, ours, folder)
            with self._stage("merge"):
                model = self._merge(MergeRecord.read(ours / "merge.json").argv, adapter, folder)
        throughput = Throughput.read(ours / "throughput.json")
        length = int(throughput.server_argv[throughput.server_argv.index("--max-model-len") + 1])
        waited = time.perf_counter()
        with serving(
            [str(python_of("serve", "cpu").with_name("vllm")), "serve"],
            model,
            run,
            self.plan.generate,
            device=self.plan.device,
            max_length=length,
            seed=self.plan.run(run).seed,
            log=folder / "server.log",
        ) as server:
            self.seconds["server_start"] += time.perf_counter() - waited
            prompts = heldout_prompts(self.study / "data")
            rendered = _rendered(prompts, model)
            with self._stage("answers") as answers:
                seed, tokens = self.plan.run(run).seed, {name: ids for name, (_, ids) in rendered.items()}
                answered = asyncio.run(generate(server, prompts, tokens, self.plan.generate, seed))
                write_jsonl(folder / "generations.jsonl", [one.model_dump() for one in answered])
            self.useful_seconds += answers["seconds"]
            with self._stage("timing"):
                mean = round(sum(map(len, tokens.values())) / len(tokens))
                self.useful_seconds += self._time(server, model, mean, folder)
            with self._stage("lm_eval"):
                pairs = [prompt for prompt in prompts if prompt.part == "heldout"]
                rows = task_rows(pairs, [rendered[pair.id][0] for pair in pairs])
                self._evaluate(server, model, length, rows, folder)

    def _train(self, run: str, ours: Path, folder: Path) -> Path:
        """`swift rlhf` with the run's settings; returns the adapter's folder.

        But for the ids of rows, which only prefsweep's trainer takes out before the model sees a batch.
        """
        method = load_method(self.project / "config" / "methods" / f"{self.plan.point_of(run).method}.yaml")
        rows = write_training_rows(method.data, self.study / "data", folder / "rows.jsonl")
        checkpoints = folder / "checkpoints"
        settings = read_document(ours / "settings.json") | {
            "dataset": [str(rows)],
            "output_dir": str(checkpoints),
            "logging_dir": str(folder / "tensorboard"),
            "remove_unused_columns": True,
        }
        _command(python_of("train", "cpu").with_name("swift"), ["rlhf", *as_arguments(settings)], folder)
        (log,) = checkpoints.rglob("logging.jsonl")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        self.useful_seconds += next(float(line["train_runtime"]) for line in lines if "train_runtime" in line)
        (adapter,) = checkpoints.glob("checkpoint-*")
        return adapter

    @staticmethod
    def _merge(argv: list[str], adapter: Path, folder: Path) -> Path:
        """`swift export --merge_lora` as prefsweep calls it; returns the merged model's folder."""
        model, arguments = folder / "merged", argv[1:]
        for name, value in (("--output_dir", model), ("--adapters", adapter)):
            arguments[arguments.index(name) + 1] = str(value)
        _command(python_of("train", "cpu").with_name("swift"), arguments, folder)
        return model

    def _time(self, server: Server, model: Path, prompt_tokens: int, folder: Path) -> float:
        """`vllm bench serve` once per concurrency, with all repeats' requests; returns the seconds it measured."""
        measured = 0.0
        settings = self.plan.generate
        for concurrency in settings.concurrency:
            requests = settings.repeats * settings.requests_of_a_pass(concurrency)
            arguments = [
                *("bench", "serve", "--base-url", server.url, "--model", server.name, "--tokenizer", str(model)),
                *("--dataset-name", "random", "--random-input-len", str(prompt_tokens)),
                *("--random-output-len", str(settings.timed_tokens), "--ignore-eos", "--temperature", "0"),
                *("--num-prompts", str(requests), "--max-concurrency", str(concurrency), "--num-warmups", "2"),
                *("--save-result", "--result-dir", str(folder), "--result-filename", f"timing-{concurrency}.json"),
            ]
            key = {"OPENAI_API_KEY": server.key, "HF_HUB_OFFLINE": "1"}
            _command(python_of("serve", "cpu").with_name("vllm"), arguments, folder, key)
            measured += float(read_document(folder / f"timing-{concurrency}.json")["duration"])
        return measured

    def _evaluate(self, server: Server, model: Path, length: int, rows: list[dict[str, str]], folder: Path) -> None:
        """`lm_eval` on the study's tasks, whose rows are rendered for it beforehand."""
        write_jsonl(folder / "task-rows.jsonl", rows)
        files = [self._task_file(one.name, folder) for one in self.plan.tasks]
        model_arguments = {
            "base_url": f"{server.url}/v1/completions",
            "model": server.name,
            "tokenizer": model,
            "tokenizer_backend": "huggingface",
            "num_concurrent": max(self.plan.generate.concurrency),
            "max_length": length,
        }
        arguments = [
            *("run", "--model", "local-completions"),
            *("--model_args", ",".join(f"{name}={value}" for name, value in model_arguments.items())),
            *("--tasks", ",".join(files), "--log_samples", "--output_path", str(folder / "lm-eval")),
        ]
        environment = {"OPENAI_API_KEY": server.key, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        datasets = {"HF_DATASETS_CACHE": str(folder / "datasets")}
        _command(python_of("evaluate", "cpu").with_name("lm_eval"), arguments, folder, environment | datasets)

    def _task_file(self, name: str, folder: Path) -> str:
        source = self.project / "config" / "tasks" / f"{name}.yaml"
        target = folder / source.name
        target.write_text(yaml.safe_dump(task(str(source), folder / "task-rows.jsonl")), encoding="utf-8")
        return str(target)

    @contextmanager
    def _stage(self, name: str) -> Iterator[dict[str, float]]:
        """Add what is done within to the stage's time; afterwards the dictionary has it, too, under `seconds`."""
        started, took = time.perf_counter(), {}
        yield took
        took["seconds"] = time.perf_counter() - started
        self.seconds[name] += took["seconds"]


def _rendered(prompts: list[HeldOutPrompt], model: Path) -> dict[str, tuple[str, list[int]]]:
    """Prompt → its text as the model sees it, and the tokens of that."""
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    texts = {
        prompt.id: str(tokenizer.apply_chat_template(prompt.messages, tokenize=False, add_generation_prompt=True))
        for prompt in prompts
    }
    return {name: (text, tokenizer.encode(text, add_special_tokens=False)) for name, text in texts.items()}


def _command(program: Path, arguments: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run one of the engines' commands to its end. Raises RuntimeError with the last lines of its output."""
    log = folder / f"{program.name}-{arguments[0]}.log"
    with log.open("wb") as stream, process_group([str(program), *arguments], environment or {}, stream) as process:
        status = process.wait()
    if status:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        raise RuntimeError(f"{program.name} {arguments[0]} ended with status {status}:\n{last}")
