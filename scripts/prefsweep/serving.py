"""One vLLM server, owned by one job: started, proven to be ours, and stopped with its whole process group."""

import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from prefsweep.failures import StageError
from prefsweep.gates.measure import check_served
from prefsweep.inside_vllm import key_asked
from prefsweep.memory import group_peak_resident_bytes
from prefsweep.plan import Device, GenerateSettings
from prefsweep.process_group import process_group
from prefsweep.records.merge import Probe
from prefsweep.stalling import stall_seconds

_DOOR = Path(key_asked.__file__)
START_ATTEMPTS = 2
"""A port can be taken, and a GPU's memory be given back late, between two looks at them."""
_WORTH_ANOTHER_START = frozenset({"server_crash", "wrong_model"})
READY_TIMEOUT_SECONDS = 900.0
_NAME_TIMEOUT_SECONDS = 60.0
LAST_BREATH_SECONDS = 3.0
"""A server whose engine has died still answers with errors for a moment before it ends."""
_BY_A_DEAD_SERVER = frozenset({"server_crash", "score", "network"})
"""Failures that a dead server can be the cause of; so can exceptions that nobody foresaw."""


@dataclass(frozen=True)
class Server:
    """A running server and what is needed to talk to it."""

    name: str
    url: str
    key: str
    argv: list[str]
    environment: dict[str, str]
    ready_seconds: float
    group: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def peak_memory_bytes(self) -> int:
        """Upper bound of the resident memory the server's processes held at their peaks."""
        return group_peak_resident_bytes(self.group)


@contextmanager
def serving(
    command: list[str],
    model: Path,
    name: str,
    settings: GenerateSettings,
    *,
    device: Device,
    max_length: int,
    seed: int,
    log: Path,
    arguments: Sequence[str] = (),
    swappable: bool = False,
) -> Iterator[Server]:
    """Serve `model` as `name` on the loopback interface, to whoever has its random key; stop it on every way out.

    `command` is what starts vLLM's server, such as `[".../bin/vllm", "serve"]`; `arguments` come after all others.
    Prefix caching is off, because it would make repeated timing passes look faster than they are. One that ends before
    it is ready, or whose port is somebody else's, is started once more. `swappable` lets `swapping.swapped` give it
    another model's weights. Raises StageError with the log's last lines.
    """
    argv = [
        *command,
        str(model),
        *("--served-model-name", name, "--host", "127.0.0.1", "--dtype", settings.precision),
        *("--max-model-len", str(max_length), "--seed", str(seed), "--generation-config", "vllm"),
        "--no-enable-prefix-caching",
        *("--middleware", f"{_DOOR.stem}.{key_asked.KeyAsked.__name__}"),
        *_device_arguments(device, settings),
        *arguments,
    ]
    environment = _environment(device) | ({"VLLM_SERVER_DEV_MODE": "1"} if swappable else {})
    log.unlink(missing_ok=True)
    with ExitStack() as stack:
        server, process = _ready_server(stack, argv, environment, name, log)
        with _trouble_told(process, log):
            yield server


def _ready_server(
    stack: ExitStack, argv: list[str], environment: dict[str, str], name: str, log: Path
) -> tuple[Server, subprocess.Popen[bytes]]:
    """The first of `START_ATTEMPTS` that gets ready; `stack` stops it."""
    for attempt in range(1, START_ATTEMPTS):
        try:
            return stack.enter_context(_started(argv, environment, name, log))
        except StageError as error:
            if error.failure not in _WORTH_ANOTHER_START:
                raise
            what = f"start {attempt} of at most {START_ATTEMPTS} failed ({error.failure}): {error}"
            print(f"{what}\nstarting the server once more", file=sys.stderr, flush=True)
    return stack.enter_context(_started(argv, environment, name, log))


@contextmanager
def _started(
    argv: list[str], environment: dict[str, str], name: str, log: Path
) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """A server that is ready and is ours, on a free port, with a new key; stopped when the block ends."""
    port, key = _free_port(), secrets.token_urlsafe(24)
    argv = [*argv, "--port", str(port)]
    door = {"VLLM_API_KEY": key, "PYTHONPATH": str(_DOOR.parent)}
    started = time.perf_counter()
    # vLLM leaves its sockets behind in the temporary directory; their paths must be short, so not below results/.
    with (
        tempfile.TemporaryDirectory(prefix="prefsweep-", ignore_cleanup_errors=True) as sockets,
        log.open("ab") as stream,
        process_group(argv, environment | door | {"TMPDIR": sockets}, stream) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, url, log)
        server = Server(
            name=name,
            url=url,
            key=key,
            argv=argv,
            environment=environment,
            ready_seconds=time.perf_counter() - started,
            group=process.pid,
        )
        _check_name(server)
        yield server, process


def _device_arguments(device: Device, settings: GenerateSettings) -> list[str]:
    """On the CPU nothing is compiled: it would take longer than it saves."""
    if device == "cpu":
        return ["--enforce-eager"]
    return [
        *("--tensor-parallel-size", str(settings.tensor_parallel)),
        *("--gpu-memory-utilization", str(settings.gpu_memory_utilization)),
        *(["--enforce-eager"] if settings.enforce_eager else []),
    ]


def _environment(device: Device) -> dict[str, str]:
    settings = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if device == "cpu":
        # All cores serve (one is held back by default), a small cache suffices, and nothing is worth compiling
        # in eager mode: the first log-probability request alone would wait 15 s for it.
        settings |= {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
            "TORCHDYNAMO_DISABLE": "1",
        }
        settings["CUDA_VISIBLE_DEVICES"] = ""
    return settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StageError("server_crash", f"the server ended with status {process.returncode}:\n{tail(log)}")
        try:
            if httpx2.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise StageError("timeout", f"the server was not ready after {READY_TIMEOUT_SECONDS:.0f} s:\n{tail(log)}")


@contextmanager
def _trouble_told(process: subprocess.Popen[bytes], log: Path) -> Iterator[None]:
    """Whatever failed while the server was in use failed because of it, if the server has died or does not answer."""
    try:
        yield
    except Exception as error:
        if isinstance(error, StageError) and error.failure not in _BY_A_DEAD_SERVER:
            raise
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(LAST_BREATH_SECONDS)
            message = f"the server ended with status {status} while it was in use:\n{tail(log)}"
            raise StageError("server_crash", message) from error
        if isinstance(error, httpx2.TimeoutException):
            what = f"the server runs and left a request unanswered for {stall_seconds():g} s:\n{tail(log)}"
            raise StageError("timeout", what) from error
        if isinstance(error, httpx2.TransportError):
            raise StageError("server_crash", f"the server broke off: {error}\n{tail(log)}") from error
        raise


def tail(log: Path, lines: int = 20) -> str:
    """A log's last lines."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def check_identity(server: Server, probes: list[Probe], precision: str) -> list[list[float]]:
    """Prove that this server serves this run's merged model, by its log-probabilities of the probes; returns them.

    Raises StageError("wrong_model") with both values; a stale, swapped or foreign model cannot pass.
    """
    found = []
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=stall_seconds()) as client:
        for probe in probes:
            found.append(_prompt_log_probs(client, server.name, probe.token_ids))
            check_served(probe, found[-1], precision)
    return found


def version_of(server: Server) -> str:
    """vLLM's, as it says itself: it need not be in this process's environment."""
    answer = httpx2.get(f"{server.url}/version", headers=server.headers, timeout=_NAME_TIMEOUT_SECONDS)
    return str(answer.raise_for_status().json()["version"])


def _check_name(server: Server) -> None:
    """Raise StageError("wrong_model") unless who answers at the address takes our key and serves our model alone."""
    try:
        answer = httpx2.get(f"{server.url}/v1/models", headers=server.headers, timeout=_NAME_TIMEOUT_SECONDS)
        served = [model["id"] for model in answer.raise_for_status().json()["data"]]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        raise StageError("wrong_model", f"what answers at {server.url} is no server of ours: {error}") from None
    if served != [server.name]:
        raise StageError("wrong_model", f"the server at {server.url} serves {served}, not {server.name}")


def _prompt_log_probs(client: httpx2.Client, name: str, token_ids: list[int]) -> list[float]:
    body = {"model": name, "prompt": token_ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    answer = client.post("/v1/completions", json=body).raise_for_status().json()
    if answer["model"] != name:
        raise StageError("wrong_model", f"the answer came from {answer['model']}, not {name}")
    positions = answer["choices"][0]["prompt_logprobs"][1:]
    return [float(position[str(token)]["logprob"]) for position, token in zip(positions, token_ids[1:], strict=True)]
