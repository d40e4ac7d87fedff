"""A real Slurm on this one machine: a controller and nodes whose GPUs are copies of /dev/null."""

import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.slurm import accounting, machine

CLUSTER = "prefsweep-test"
NODES = ("gpu1", "gpu2", "cpu1")
CONFIGURATION = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool-%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/%n.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={directory}/task-prolog
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
ReturnToService=1
KillWait=3
SlurmdParameters=config_overrides
{accounts}
{nodes}
PartitionName=short Nodes=cpu1 Default=YES
PartitionName=accelerated Nodes=gpu1,gpu2
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=32 RealMemory=256000{gpus} State=UNKNOWN"
)
# What a node with GPUs has and the machine that submits has not.
NVIDIA_SMI = "#!/bin/sh\necho 'A copy of /dev/null, 1.0, 1 MiB'\n"


class Cluster:
    """Daemons in a folder of their own. `environment` lets Slurm's commands find them."""

    def __init__(self, directory: Path, *, keeps_accounts: bool = False) -> None:
        self.directory = directory
        self.keeps_accounts = keeps_accounts
        sockets = {"MYSQL_UNIX_PORT": str(accounting.socket(directory))} if keeps_accounts else {}
        self.environment = {"SLURM_CONF": str(directory / "slurm.conf")} | sockets
        self._machines: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start every daemon; returns when all nodes are idle."""
        self._configure()
        munge = [_path("munged"), "--foreground", "--force", f"--key-file={self.directory}/munge.key"]
        files = [f"--{name}={self.directory}/munge.{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        self._switch_on("munge", [*munge, *files])
        until(lambda: (self.directory / "munge.socket").exists(), "munged listens")
        if self.keeps_accounts:
            self._keep_accounts()
        self._switch_on("controller", [_path("slurmctld"), "-D"])
        until(lambda: bool(self.states()), "the controller answers")
        for node in NODES:
            self._switch_on(node, [_path("slurmd"), "-D", "-N", node])
        until(lambda: self.states() == dict.fromkeys(NODES, "idle"), "all nodes are idle")

    def stop(self) -> None:
        """Switch every machine off; nothing they started is left."""
        for name in reversed(list(self._machines)):
            self._switch_off(name)

    def lose(self, node: str) -> None:
        """Pull a node's plug, and tell the controller what it would find out after its time limit."""
        self._switch_off(node)
        self.ask("scontrol", "update", f"nodename={node}", "state=DOWN", "reason=lost")

    def hurry(self, jobs: Iterable[dict[str, str]]) -> None:
        """Start what waits for its turn again: after a lost node Slurm lets two minutes pass."""
        for job in jobs:
            subprocess.run(
                ["scontrol", "update", f"jobid={job['JobId']}", "starttime=now"],
                env=os.environ | self.environment,
                stderr=subprocess.DEVNULL,  # a job that runs has no turn to wait for
                check=False,
            )

    def bring_back(self, node: str) -> None:
        """Switch a lost node on again."""
        self._switch_on(node, [_path("slurmd"), "-D", "-N", node])
        self.ask("scontrol", "update", f"nodename={node}", "state=RESUME")
        until(lambda: self.states()[node] == "idle", f"{node} is idle")

    def ask(self, *command: str) -> str:
        """The output of one of Slurm's commands."""
        environment = os.environ | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def states(self) -> dict[str, str]:
        """Node → idle, mixed, down …; empty while the controller does not answer."""
        try:
            lines = self.ask("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        except subprocess.CalledProcessError:
            return {}
        return dict(line.split() for line in lines)

    def jobs(self, folder: Path) -> list[dict[str, str]]:
        """Every job submitted from a folder, as Slurm describes it: JobState, NodeList, TresPerJob, Restarts …"""
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        described = [dict(field.partition("=")[::2] for field in line.split()) for line in lines]
        return [job for job in described if job.get("WorkDir") == str(folder)]

    def states_in_accounts(self) -> dict[str, int]:
        """State → number of jobs, as the accounts have them; every one is on the user's account."""
        lines = self.ask("sacct", "--allocations", "--noheader", "--parsable2", "--format=State,Account").split()
        assert {line.partition("|")[2] for line in lines} == {accounting.ACCOUNT}
        return Counter(line.partition("|")[0] for line in lines)

    def _keep_accounts(self) -> None:
        """Start what keeps accounts; the user who submits has one, as a site's administrator would see to."""
        self._switch_on("database", accounting.database(_path("mariadbd"), self.directory))
        until(accounting.socket(self.directory).exists, "the database listens")
        self._switch_on("accounts", [_path("slurmdbd"), "-D"])
        until(lambda: self._answers("sacctmgr", "--noheader", "list", "cluster"), "slurmdbd answers")
        for change in accounting.changes(CLUSTER):
            self.ask("sacctmgr", "--immediate", *change)

    def _answers(self, *command: str) -> bool:
        return subprocess.run(command, env=os.environ | self.environment, capture_output=True).returncode == 0

    def _configure(self) -> None:
        host = platform.node().partition(".")[0]
        controller_port, accounts_port, *ports = _free_ports(2 + len(NODES))
        gpus = {node: " Gres=gpu:4" if node.startswith("gpu") else "" for node in NODES}
        nodes = [
            NODE.format(name=node, host=host, port=port, gpus=gpus[node])
            for node, port in zip(NODES, ports, strict=True)
        ]
        accounts = accounting.configure(self.directory, accounts_port) if self.keeps_accounts else accounting.NONE
        text = CONFIGURATION.format(
            cluster=CLUSTER,
            host=host,
            controller_port=controller_port,
            directory=self.directory,
            accounts=accounts,
            nodes="\n".join(nodes),
        )
        (self.directory / "slurm.conf").write_text(text)
        for node in NODES:
            (self.directory / f"spool-{node}").mkdir()
        for number in range(4):
            os.mknod(self.directory / f"gpu{number}", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        (self.directory / "gres.conf").write_text(f"NodeName=gpu[1-2] Name=gpu File={self.directory}/gpu[0-3]\n")
        (self.directory / "munge.key").write_bytes(os.urandom(1024))
        (self.directory / "munge.key").chmod(0o400)
        tools = self.directory / "node-tools"
        tools.mkdir()
        _write_command(tools / "nvidia-smi", NVIDIA_SMI)
        # A job step's environment is without SLURM_CONF: elsewhere a node's slurm.conf is where Slurm looks by itself.
        for name in ("srun", "squeue"):
            command = f'#!/bin/sh\nSLURM_CONF={self.directory}/slurm.conf exec {_path(name)} "$@"\n'
            _write_command(tools / name, command)
        _write_command(self.directory / "task-prolog", f'#!/bin/sh\necho "export PATH={tools}:$PATH"\n')

    def _switch_on(self, name: str, command: list[str]) -> None:
        log = (self.directory / f"{name}.out").open("wb")
        self._machines[name] = subprocess.Popen(
            [sys.executable, machine.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | self.environment,
            start_new_session=True,  # a Ctrl-C is pytest's, which then switches the machines off in order
        )
        log.close()

    def _switch_off(self, name: str) -> None:
        process = self._machines.pop(name)
        process.communicate()


def _write_command(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _path(daemon: str) -> str:
    found = shutil.which(daemon, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{daemon} is not installed"
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def until(reached: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something that must happen."""
    limit = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < limit, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
