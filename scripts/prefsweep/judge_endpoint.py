"""One request to an OpenAI-compatible endpoint: sent again where that helps, else an error that says what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import httpx2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from prefsweep.failures import StageError
from prefsweep.judge_spending import Purse, Reply
from prefsweep.settings import JudgeConfig

_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_ASKED_PAUSE_SECONDS = 600.0
"""Of `Retry-After`; an endpoint that wants to be left alone for longer is one that is down."""
_LATER = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_NO_KEY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_SHOWN = 300
"""Characters of an endpoint's error."""
_pause = wait_random_exponential(multiplier=1, max=_LONGEST_PAUSE_SECONDS)


class _TryLaterError(Exception):
    """A failure that may pass by itself."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Endpoint:
    """`POST <url>/chat/completions`, paid for out of a purse."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        settings: JudgeConfig,
        key: str | None,
        purse: Purse,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._settings, self._key, self._purse, self._sleep = client, settings, key, purse, sleep
        self._url = url.rstrip("/")
        self.requests = 0
        """Sent by this process."""

    async def reply(self, body: dict[str, Any]) -> Reply:
        """The reply to a chat request.

        Raises StageError: `network` when the endpoint cannot be reached or does not recover, `config` when it refuses
        the key or the request, or when a limit is reached, `wrong_model` when another than the study's own server
        answers.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(_TryLaterError),
            stop=stop_after_attempt(self._settings.retries + 1),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return await attempts(self._send, body)
        except _TryLaterError as error:
            tried = f"the judge at {self._url} failed {self._settings.retries + 1} times: {error}"
            remedy = "See that it runs and can be reached, then run the same command: replies that came are kept."
            raise StageError("network", tried, remedy) from None

    async def _send(self, body: dict[str, Any]) -> Reply:
        taken = self._purse.take(sum(len(turn["content"].encode()) for turn in body["messages"]) + FRAME_BYTES)
        self.requests += 1
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            response = await self._client.post(f"{self._url}/chat/completions", json=body, headers=headers)
        except httpx2.TransportError as error:  # what was taken stays taken: the reply may have been charged
            raise _TryLaterError(f"{type(error).__name__} {error}".strip()) from None
        if response.status_code != HTTPStatus.OK:
            self._purse.put_back(taken, 0, 0)
            raise self._error(response)
        reply = _as_reply(response)
        self._purse.put_back(taken, reply.input_tokens, reply.output_tokens)
        if self._settings.serve is not None and reply.model != body["model"]:
            raise StageError("wrong_model", f"the reply came from {reply.model}, not {body['model']}")
        return reply

    def _error(self, response: httpx2.Response) -> Exception:
        said = " ".join(response.text.split())[:_SHOWN]
        if self._key:
            said = said.replace(self._key, "***")
        what = f"status {response.status_code}: {said}"
        if response.status_code in _LATER or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _TryLaterError(what, _retry_after(response))
        settings = self._settings
        if response.status_code in _NO_KEY:
            source = f"in {settings.api_key_env}" if settings.api_key_env else "missing (evaluate.judge.api_key_env)"
            return StageError("config", f"the judge at {self._url} refused the key, which is {source}: {what}")
        remedy = (
            "Check evaluate.judge: url (with its /v1), model, max_tokens; `verdicts: text` where schemas are unknown."
            if settings.serve is None
            else "Lower evaluate.judge.max_tokens, or serve a judge that reads longer texts."
        )
        return StageError("config", f"the judge at {self._url} refused the request: {what}", remedy)


FRAME_BYTES = 256
"""More than roles, separators and a schema's prompt take of a request."""


def _wait(state: RetryCallState) -> float:
    """As long as the endpoint asks for, else longer each time and never in step with others."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after_seconds if isinstance(error, _TryLaterError) else None
    return float(_pause(state)) if asked is None else min(asked, _LONGEST_ASKED_PAUSE_SECONDS)


def _retry_after(response: httpx2.Response) -> float | None:
    """`Retry-After` in seconds; None where it is a date, or not there."""
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else None


def _as_reply(response: httpx2.Response) -> Reply:
    """Raises StageError of class `config` for an answer in another form than OpenAI's."""
    try:
        document = response.json()
        usage = document["usage"]
        return Reply(
            text=document["choices"][0]["message"]["content"] or "",
            model=document["model"],
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        said = " ".join(response.text.split())[:_SHOWN]
        what = f"{response.url} did not answer as OpenAI's chat completions do ({type(error).__name__}): {said}"
        raise StageError("config", what, "Check evaluate.judge.url: it ends where /chat/completions begins.") from None
