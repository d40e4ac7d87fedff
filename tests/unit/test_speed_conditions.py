"""What answers were timed under: load that is not ours, the client's own time, servers that are not alike."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from compare import compared
from prefsweep.host_load import CpuClock, cpu_clock, other_cpu_share
from prefsweep.page import render_page
from prefsweep.records.measure import Throughput
from prefsweep.results import read_study
from prefsweep.run_table import runs_table
from prefsweep.speed_conditions import conditions, disturbances, server_facts
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "orpo"), heldout=4, showcase=1, steps=4)


@pytest.mark.parametrize(
    ("busy", "ours", "share"),
    [
        (16.0, 10.0, 0.3),
        (10.0, 10.0, 0.0),
        (9.9, 10.0, 0.0),
        (0.0, 10.0, None),
    ],
)
def test_what_is_neither_idle_nor_ours_is_others(busy: float, ours: float, share: float | None) -> None:
    before = CpuClock(now=100.0, cores=2, busy=50.0, ours=7.0)
    after = CpuClock(now=110.0, cores=2, busy=50.0 + busy, ours=7.0 + ours)
    assert other_cpu_share(before, after) == share


def test_work_in_the_servers_group_is_ours() -> None:
    work = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ntime.sleep(60)"
    server = subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert server.stdout
        server.stdout.readline()
        client = psutil.Process().cpu_times()
        assert 0.45 <= cpu_clock(server.pid).ours - client.user - client.system < 2
    finally:
        server.kill()
        server.wait()


def changed(folder: Path, point: str, record: dict[str, Any], timed: dict[str, Any]) -> None:
    """Change a run's throughput.json, and each of its passes."""
    path = folder / "runs" / point / "seed-0" / "throughput.json"
    found = Throughput.read(path)
    passes = [one.model_copy(update=timed) for one in found.passes]
    found.model_copy(update={"passes": passes, **record}).write(path)


def test_a_quiet_machine_is_said_and_is_no_caveat(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, SHAPE))
    assert disturbances(study) == []
    others, client = (sentence for sentence, _ in conditions(study))
    assert others.startswith("Other processes took at most 0.8 % of the processor")
    assert client.startswith("The timing client's own work is at most 0.")


@pytest.mark.parametrize(
    ("timed", "said"),
    [
        ({"other_cpu_share": 0.34}, "Other processes took at most 34.0 % of the processor"),
        ({"client_seconds": 0.9, "wall_seconds": 10.0}, "The timing client's own work is at most 9.0 % of a pass"),
    ],
)
def test_a_disturbance_names_the_run_at_the_top_of_the_page(tmp_path: Path, timed: dict[str, Any], said: str) -> None:
    folder = build_study(tmp_path, SHAPE)
    changed(folder, "orpo-00000000", {}, timed)
    study = read_study(folder)
    (sentence,) = disturbances(study)
    assert sentence.startswith(said)
    assert "(orpo lambda=0.1 lr=0.0002, seed 0): in 1 run more than" in sentence
    caveats = render_page(study, compared(study)).partition("What limits this answer")[2].partition("</section>")[0]
    assert said.partition("'")[0] in caveats


def test_a_system_that_does_not_say_is_no_quiet_one(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    for point in ("base", "dpo", "orpo"):
        changed(folder, f"{point}-00000000", {}, {"other_cpu_share": None})
    study = read_study(folder)
    assert [sentence for sentence, _ in conditions(study) if "Other processes" in sentence] == []
    assert list(runs_table(study, compared(study))["other_cpu_share"]) == [None] * 3


def test_settings_stand_once_and_differences_beside_each_other(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    argv = ["vllm", "serve", "merged", "--served-model-name", "x", "--dtype", "float32"]
    changed(folder, "dpo-00000000", {"server_argv": argv, "hardware": {"cores": "64"}}, {})
    facts = dict(server_facts(read_study(folder)))
    assert facts["--dtype"] == "bfloat16  —  or, in other runs:  float32"
    assert facts["--enforce-eager"] == "on"
    assert facts["cores"] == "2  —  or, in other runs:  64"
    assert facts["HF_HUB_OFFLINE"] == "1"
    assert facts["vllm"] == "0.32.0"
    assert "--served-model-name" not in facts
