"""Jobs of a finished study, without Snakemake, on a copy of a run's folder."""

from pathlib import Path

from prefsweep.environments import python_of
from tests.real_project import FinishedStudy


def command(study: FinishedStudy, stage: str, method: str, run: Path) -> list[str]:
    """A stage's command on this copy of a method's run."""
    folder = study.run(method)
    project = study.directory.parents[1]
    arguments = ["--plan", str(study.directory / "plan.json"), "--run", f"{folder.parent.name}/{folder.name}"]
    arguments += ["--data", str(study.directory / "data"), "--output", str(run)]
    scripts = project / "scripts"
    if stage == "merge":
        return [str(python_of("train", "cpu")), str(scripts / "merge.py"), *arguments]
    evaluate = [str(python_of("evaluate", "cpu")), str(scripts / "evaluate.py")]
    arguments += ["--tasks", str(project / "config" / "tasks"), "--evaluate", *evaluate]
    return [str(python_of("serve", "cpu")), str(scripts / "measure.py"), *arguments]
