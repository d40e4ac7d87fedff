"""A study runs as Slurm jobs, survives a failed run and a lost node, and says in one line what is wrong."""

import json
import shutil
from collections import Counter
from pathlib import Path

from tests.slurm.cluster import until
from tests.slurm.site import PROFILE, Site

# The executor's remark on a failed job; without accounts sacct answers nothing.
NOT_SACCT = "(status command is not 'sacct')"


def test_a_study_runs_on_gpus_that_the_submitting_machine_lacks(site: Site) -> None:
    site.project.edit("study.yaml", "device: cpu", "device: cuda")
    site.project.edit("study.yaml", "dpo: {beta: 0.1}", "dpo: {beta: 0.1, gpus: 2}")
    status, output = site.run(STUB_FAIL="kto")
    assert status == 1, output
    assert site.statuses() == {"base": "finished", "dpo": "finished", "kto": "failed"}, output
    failed = [job for job in site.jobs() if job["JobState"] == "FAILED"]
    assert [job["Comment"].rpartition("-")[0] for job in failed] == ["rule_train_wildcards_tiny_kto"]
    assert failed[0]["StdOut"] in output
    assert NOT_SACCT in output
    assert failed[0]["StdOut"] in [str(log) for log in site.logs("train")]
    first = [job for job in site.jobs() if "train" in job["Comment"] or "merge_wildcards_tiny_base" in job["Comment"]]
    assert len(first) == 3
    assert max(job["StartTime"] for job in first) < min(job["EndTime"] for job in first), "one GPU for all nodes"

    status, output = site.run()
    assert status == 0, output
    assert set(site.statuses().values()) == {"finished"}
    jobs = site.jobs()
    assert Counter(job["Comment"].split("_")[1] for job in jobs) == {"train": 3, "merge": 3, "measure": 3, "drift": 2}
    (on_two,) = [job for job in jobs if "train_wildcards_tiny_dpo" in job["Comment"]]
    assert (on_two["TresPerJob"], on_two["NumNodes"]) == ("gres:gpu:2", "1")
    assert {job["TresPerJob"] for job in jobs if job is not on_two} == {"gres:gpu:1"}
    assert {job["Partition"] for job in jobs} == {"accelerated"}
    assert {(job["Comment"].split("_")[1], job["TimeLimit"], job["MinMemoryNode"], job["NumCPUs"]) for job in jobs} == {
        ("train", "12:00:00", "32000M", "8"),
        ("merge", "01:00:00", "32000M", "4"),
        ("measure", "04:00:00", "48000M", "8"),
        ("drift", "01:00:00", "32000M", "4"),
    }
    run = json.loads(next(site.project.study.glob("runs/dpo-*/seed-0/run.json")).read_text())
    assert "/dev/null" in run["hardware"]["accelerator"]

    assert "train: up to date" in output
    logs = [log.read_text() for rule in ("train", "merge", "measure") for log in site.logs(rule)]
    assert len(logs) == 9
    assert not [log for log in logs if "up to date" in log], "a node looked after the environments"
    assert site.project.jobs() == {}, "jobs of the cluster would be done again on this machine"


def test_limits_of_time_and_memory_are_failures_with_their_reason(accounted_site: Site) -> None:
    """And where accounts are kept, jobs are followed with sacct."""
    site = accounted_site
    limits = "    mem_mb: {}\n    runtime: {}\n  merge:"
    site.project.edit(PROFILE, limits.format("32000", "12h"), limits.format("1000", "1m"))
    status, output = site.run(STUB_SECONDS="600", STUB_GREEDY="kto")
    assert status == 1, output
    assert site.statuses() == {"base": "finished", "dpo": "failed", "kto": "failed"}, output
    failures = site.failures()
    assert failures["dpo"] == ("train", "timeout", "Slurm ended the job at its time limit")
    stage, failure, message = failures["kto"]
    (killed,) = [job for job in site.jobs() if "train_wildcards_tiny_kto" in job["Comment"]]
    assert (stage, failure) == ("train", "killed")
    assert message.endswith(f"Slurm job {killed['JobId']})")
    assert "exceeded memory limit" in Path(killed["StdOut"]).read_text()
    assert f"results/slurm-logs/rule_train/{killed['StdOut'].partition('/rule_train/')[2]} says why" in site.page()
    assert "SLURM status is: 'TIMEOUT'" in output
    assert NOT_SACCT not in output

    site.project.edit(PROFILE, limits.format("1000", "1m"), limits.format("32000", "12h"))
    status, output = site.run(STUB_GREEDY="kto")
    assert status == 0, output
    assert set(site.statuses().values()) == {"finished"}
    assert site.cluster.states_in_accounts() == {"COMPLETED": 10, "TIMEOUT": 1, "FAILED": 1}


def test_a_lost_node_costs_no_run(site: Site) -> None:
    """And `device: auto` is what it was where the study was submitted, whatever the nodes have."""
    site.project.edit("study.yaml", "device: cpu", "device: auto")
    site.project.edit("study.yaml", "  kto: {}\n", "")
    shutil.rmtree(site.project.directory / ".envs" / "cuda")
    with site.started(STUB_SECONDS="12") as process:
        until(lambda: any(site.project.study.glob("runs/dpo-*/seed-0/run.json")), "a run trains")
        (training,) = [job for job in site.jobs() if job["Comment"].startswith("rule_train")]
        assert training["JobState"] == "RUNNING"
        lost = training["NodeList"]
        site.cluster.lose(lost)
        site.cluster.hurry(site.jobs())
        output, _ = process.communicate()
    site.cluster.bring_back(lost)
    assert process.returncode == 0, output
    assert set(site.statuses().values()) == {"finished"}
    restarted = {job["Comment"].split("_")[1] for job in site.jobs() if job["Restarts"] != "0"}
    assert "train" in restarted
    assert {job["NodeList"] for job in site.jobs() if job["Restarts"] != "0"}.isdisjoint({lost})
    assert json.loads((site.project.study / "plan.json").read_text())["device"] == "cpu"
    assert not [job for job in site.jobs() if "TresPerJob" in job]


def test_an_unknown_partition_is_said_before_anything_is_submitted(site: Site) -> None:
    site.project.edit(PROFILE, "partition: accelerated", "partition: acelerated")
    status, output = site.run()
    assert status == 2, output
    (line,) = [line for line in output.splitlines() if "acelerated" in line]
    assert line == "the cluster has no partition acelerated; it has accelerated, short"
    assert "remedy: Correct slurm_partition in the profile" in output
    assert "Traceback" not in output
    assert not site.jobs()
    assert not (site.project.study / "data").exists()
    site.project.edit(PROFILE, "partition: acelerated", "partition: accelerated")
    assert site.project.jobs()["train"] == 2, "the study is still locked"
