"""Answers kept in the run's folder as they come: a generation that was stopped goes on at the next unasked prompt."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from prefsweep.failures import StageError
from prefsweep.files import sha256_of_json, write_text
from prefsweep.records.base import Record
from prefsweep.records.measure import Generation

FOLDER = "measuring"
"""Below the run's folder, until the run is measured."""
_FILE = "answers.jsonl"
_SYNC_SECONDS = 5.0
"""A kill loses no answer that has come, a power cut those of so many seconds."""
_DISTRUSTED = frozenset({"wrong_model", "score"})
"""Failures after which no answer of that server counts."""


class Seal(Record):
    """The file's first line."""

    identity: str
    """A hash of all that decides the answers."""
    resumed_at_answers: list[int]
    """How many were there, each time that a job went on."""


class KeptAnswer(Record):
    """Each further line."""

    generation: Generation
    prompt_token_ids: list[int]
    """As the server read them."""
    seconds_until: float
    """Spent on answers until this one had come, in all jobs together."""


@dataclass
class KeptAnswers:
    """Of one run: those that are there already, by prompt, and a place for those that come."""

    answers: Mapping[str, Generation]
    resumed_at: list[int]
    seconds_before: float
    """Spent by earlier jobs on the answers that are there."""
    _stream: TextIO
    _began: float = field(default_factory=time.monotonic)
    _synced: float = field(default_factory=time.monotonic)

    def keep(self, generation: Generation, prompt_token_ids: Sequence[int]) -> None:
        """Add an answer to the file. Raises OSError when the disk is full."""
        now = time.monotonic()
        answer = KeptAnswer(
            generation=generation,
            prompt_token_ids=list(prompt_token_ids),
            seconds_until=self.seconds_before + now - self._began,
        )
        self._stream.write(_line(answer))
        self._stream.flush()
        if now - self._synced >= _SYNC_SECONDS:
            os.fsync(self._stream.fileno())
            self._synced = now


@contextmanager
def kept_answers(run_directory: Path, identity: Any, token_ids: Mapping[str, Sequence[int]]) -> Iterator[KeptAnswers]:
    """What a stopped job has kept of this very generation; the block is all of the run's measurement.

    `identity` is all that decides the answers, as a JSON value; answers of another one are removed. `token_ids` are
    those of each prompt by its id: an answer to other tokens is asked for again. What is kept stays when the job is
    stopped, however that may be. It goes when the run is measured, or when its server turns out not to be trusted.
    """
    path = run_directory / FOLDER / _FILE
    seal, kept = _read(path, sha256_of_json(identity), token_ids)
    write_text(path, "".join(map(_line, (seal, *kept))))
    if kept:
        print(f"{len(kept):,} answers are there from a job that was stopped", file=sys.stderr, flush=True)
    with path.open("a", encoding="utf-8") as stream:
        answers = {answer.generation.prompt: answer.generation for answer in kept}
        before = max((answer.seconds_until for answer in kept), default=0.0)
        try:
            yield KeptAnswers(answers, seal.resumed_at_answers, before, stream)
        except StageError as error:
            if error.failure in _DISTRUSTED:
                shutil.rmtree(path.parent)
            raise
    shutil.rmtree(path.parent)


def _read(path: Path, identity: str, token_ids: Mapping[str, Sequence[int]]) -> tuple[Seal, list[KeptAnswer]]:
    """The seal of the job that begins now, and the answers that it need not ask for."""
    try:
        first, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        seal = Seal.model_validate_json(first)
    except (OSError, ValueError):  # none, or cut short
        seal, lines = Seal(identity="", resumed_at_answers=[]), []
    if seal.identity != identity:
        return Seal(identity=identity, resumed_at_answers=[]), []
    answers = [
        answer
        for answer in _whole(lines)
        if answer.prompt_token_ids == list(token_ids.get(answer.generation.prompt, ()))
    ]
    resumed = [*seal.resumed_at_answers, len(answers)] if answers else []
    return Seal(identity=identity, resumed_at_answers=resumed), answers


def _whole(lines: Sequence[str]) -> Iterator[KeptAnswer]:
    """Those before the first that is none: a power cut may leave part of the last ones."""
    for line in lines:
        try:
            yield KeptAnswer.model_validate_json(line)
        except ValidationError:
            return


def _line(record: Record) -> str:
    return record.model_dump_json() + "\n"
