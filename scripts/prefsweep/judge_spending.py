"""Replies that were paid for once and never again, and a limit that is not crossed by one request."""

from pathlib import Path

from pydantic import Field

from prefsweep.failures import StageError
from prefsweep.files import sha256_of_json
from prefsweep.records.base import Record
from prefsweep.settings import JudgeConfig


class Reply(Record):
    """What an endpoint said to one request."""

    text: str
    model: str
    """The endpoint's own name of what answered."""
    input_tokens: int
    output_tokens: int


class KeptReplies:
    """Replies by a hash of all that was asked, one small file each: shared by all studies of a results folder.

    A job that is killed continues after the last reply that had come, and what was asked before, whatever came between,
    is not asked again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, request: object) -> Reply | None:
        """The reply to such a request, if it was ever made."""
        path = self._path(request)
        return Reply.read(path) if path.is_file() else None

    def keep(self, request: object, reply: Reply) -> None:
        reply.write(self._path(request))

    def _path(self, request: object) -> Path:
        name = sha256_of_json(request)
        return self._folder / name[:2] / f"{name}.json"


class Spent(Record):
    """What a study has spent on its judge in all calls together."""

    requests: int = 0
    cost: float = Field(0.0, ge=0)
    """In the price's currency; 0 without a price."""


class Purse:
    """The limits of `evaluate.judge` and what is left of them. One process at a time may hold it.

    What a request may cost at most is taken out before it is sent, and the rest put back when the reply says how many
    tokens it took. A token is at least one byte, so that the limit holds for every tokenizer. What a killed job took
    out for requests that were on their way counts as spent: they may have been charged.
    """

    def __init__(self, file: Path, settings: JudgeConfig) -> None:
        self._file, self._settings = file, settings
        self.spent = Spent.read(file) if file.is_file() else Spent()

    def take(self, input_bytes: int) -> float:
        """Before a request; returns what was set aside. Raises StageError (`config`) where a limit could be crossed."""
        price, limit = self._settings.price, self._settings.max_requests
        most = price.cost(input_bytes, self._settings.max_tokens) if price else 0.0
        if limit is not None and self.spent.requests + 1 > limit:
            raise self._exhausted(f"max_requests {limit:,}")
        if self._settings.max_cost is not None and self.spent.cost + most > self._settings.max_cost:
            raise self._exhausted(f"max_cost {self._settings.max_cost:g}")
        self._set(Spent(requests=self.spent.requests + 1, cost=self.spent.cost + most))
        return most

    def put_back(self, taken: float, input_tokens: int, output_tokens: int) -> None:
        """After a reply: the difference between what was taken and what it cost."""
        price = self._settings.price
        real = price.cost(input_tokens, output_tokens) if price else 0.0
        self._set(self.spent.model_copy(update={"cost": max(self.spent.cost - taken + real, 0.0)}))

    def _set(self, spent: Spent) -> None:
        self.spent = spent
        spent.write(self._file)

    def _exhausted(self, limit: str) -> StageError:
        currency = self._settings.price.currency if self._settings.price else ""
        money = f" and {self.spent.cost:,.4g} {currency}" if currency else ""
        what = (
            f"the judge's limit is reached: after {self.spent.requests:,} requests{money} one more could exceed {limit}"
        )
        return StageError(
            "config", what, f"Raise evaluate.judge.{limit.split()[0]}: what is judged is kept and not asked again."
        )
