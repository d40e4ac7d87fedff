"""What a Slurm cluster must offer before the first job is sent to it."""

import subprocess
from collections.abc import Iterable

from prefsweep.failures import StageError


def check_partitions(wanted: Iterable[str]) -> None:
    """Raise StageError if Slurm does not answer here, or has no such partition, naming those it has."""
    try:
        answer = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        remedy = "Run the command on a machine that submits to the cluster, or without the Slurm profile."
        raise StageError("config", "Slurm's commands (sinfo, sbatch) are not on this machine", remedy) from None
    except subprocess.CalledProcessError as error:
        remedy = "Ask `sinfo` until it answers, then run the same command again."
        raise StageError("network", f"Slurm does not answer: {error.stderr.strip()}", remedy) from None
    known = sorted(set(answer.stdout.split()))
    if unknown := sorted(set(wanted) - set(known)):
        remedy = "Correct slurm_partition in the profile; unset, it is the cluster's default partition."
        names, there = ", ".join(unknown), ", ".join(known) or "none"
        raise StageError("config", f"the cluster has no partition {names}; it has {there}", remedy)
