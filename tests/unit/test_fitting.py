"""The job that owns trainers lives to say what became of them."""

import signal
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.fitting import fit, report, reported
from prefsweep.records.train import Fit

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PREAMBLE = "import os, signal, sys; from pathlib import Path; directory = Path(sys.argv[4])\n"
FITTED = Fit(
    checkpoint=Path("checkpoint-2"),
    rows=16,
    row_counts={"a": 1},
    steps=2,
    sequences=32,
    tokens=640,
    history=[],
    seconds=1.5,
    trainable_parameters=8,
    adapter_norm=0.1,
    peak_memory_bytes=1 << 20,
    memory_kind="resident",
)


def run(directory: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Fit:
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    trainer = directory / "trainer.py"
    trainer.write_text(PREAMBLE + body)
    return fit(trainer, directory / "settings.json", directory, processes=1, threads=3, environment={"TRACKED": "yes"})


def test_what_a_trainer_reports_reaches_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(FITTED, tmp_path / "reported")
    body = "os.rename(directory / 'reported' / 'fit.json', directory / 'fit.json')\n"
    body += "assert (os.environ['OMP_NUM_THREADS'], os.environ['TRACKED']) == ('3', 'yes')"
    assert run(tmp_path, body, monkeypatch) == FITTED


def test_a_trainer_that_stumbles_after_its_report_has_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(FITTED, tmp_path / "reported")
    body = "os.rename(directory / 'reported' / 'fit.json', directory / 'fit.json')\nos.abort()"
    assert run(tmp_path, body, monkeypatch) == FITTED


def test_a_known_failure_keeps_its_class_and_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """
from prefsweep.failures import StageError
from prefsweep.fitting import reported
with reported(directory):
    raise StageError("nan", "step 7: the loss is nan", "Lower the rate.")
"""
    with pytest.raises(StageError, match="step 7: the loss is nan") as error:
        run(tmp_path, body, monkeypatch)
    assert (error.value.failure, error.value.remedy) == ("nan", "Lower the rate.")


def test_of_several_trainers_the_first_to_fail_is_heard(tmp_path: Path) -> None:
    for error in (MemoryError("CUDA out of memory"), RuntimeError("connection closed by peer")):
        with pytest.raises(type(error)), reported(tmp_path):
            raise error
    assert '"oom"' in (tmp_path / "trouble.json").read_text()


@pytest.mark.parametrize(
    ("body", "failure", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "oom", "ended by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed", "stopped by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "internal", f"status -{int(signal.SIGSEGV)}"),
        ("sys.exit(3)", "internal", "status 3"),
        ("sys.exit(0)", "internal", "status 0"),
    ],
)
def test_a_trainer_that_ends_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, failure: str, message: str
) -> None:
    with pytest.raises(StageError, match=message) as error:
        run(tmp_path, body, monkeypatch)
    assert error.value.failure == failure
