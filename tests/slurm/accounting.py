"""What keeps a cluster's accounts, as a site has it: slurmdbd in front of a MariaDB, both in the cluster's folder."""

import subprocess
from pathlib import Path

DAEMONS = ("slurmdbd", "mariadbd")
PACKAGES = ("slurmdbd", "mariadb-server-core", "mariadb-client-core")
ACCOUNT = "lab"
NONE = """\
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
"""
SLURM = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={directory}/munge.socket
AccountingStorageEnforce=associations,limits
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
"""
SLURMDBD = """\
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
LogFile={directory}/slurmdbd.log
PidFile={directory}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
"""


def configure(directory: Path, port: int) -> str:
    """Prepare the daemons' folder; the lines that slurm.conf needs."""
    tables = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={directory}/database"]
    subprocess.run([*tables, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    conf = directory / "slurmdbd.conf"
    conf.touch(mode=0o600)  # slurmdbd insists
    conf.write_text(SLURMDBD.format(directory=directory, port=port))
    return SLURM.format(directory=directory, port=port)


def database(mariadbd: str, directory: Path) -> list[str]:
    """The command of a MariaDB that is reached by its socket alone and lets in whoever may enter the folder."""
    files = [f"--datadir={directory}/database", f"--socket={socket(directory)}", f"--pid-file={directory}/database.pid"]
    return [mariadbd, "--no-defaults", "--user=root", "--skip-networking", "--skip-grant-tables", *files]


def socket(directory: Path) -> Path:
    """Where the database listens; MariaDB's clients look there if MYSQL_UNIX_PORT says so."""
    return directory / "database.socket"


def changes(cluster: str) -> list[list[str]]:
    """What an administrator tells sacctmgr once: the user who submits has an account, and it is the default."""
    return [
        ["add", "cluster", cluster],
        ["add", "account", ACCOUNT],
        ["add", "user", "root", f"account={ACCOUNT}"],
        ["modify", "user", "root", "set", f"defaultaccount={ACCOUNT}"],
    ]
