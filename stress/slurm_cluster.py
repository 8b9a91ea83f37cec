"""A cluster of Slurm on this machine: a controller and two nodes, each with a host name and process ids of its own.

Needs root, and Debian's packages slurm-wlm and munge. Nothing outlives `stop`, or the process that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

NODES = ("nodea", "nodeb")
CPUS, GPUS = 4, 2  # of each node
_READY = 60.0
# Each node loses its processes with the first of them, as a machine that loses its power.
_OWN_MACHINE = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
_SETTINGS = """\
ClusterName=nsml
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdTimeout={timeout}
KillWait=10
MpiDefault=none
ReturnToService=2
GresTypes=gpu
DefMemPerCPU=10
NodeName=nodea NodeAddr=127.0.0.1 Port={nodea} CPUs={cpus} RealMemory=4000 Gres=gpu:{gpus}
NodeName=nodeb NodeAddr=127.0.0.1 Port={nodeb} CPUs={cpus} RealMemory=4000 Gres=gpu:{gpus}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def why_no_cluster() -> str:
    """Why no cluster can be started here; "" where one can."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name, path=_path())]
    if missing:
        return f"there is no {missing[0]} here (Debian: slurm-wlm and munge)"
    if os.getuid() != 0:
        return "slurmd needs root"
    probe = subprocess.run([*_OWN_MACHINE, "true"], capture_output=True, text=True, check=False)
    return f"a node needs namespaces of its own: {probe.stderr.strip()}" if probe.returncode else ""


class Cluster:
    """A running cluster. `environment` is what commands of Slurm need.

    timeout: seconds after which the controller takes a silent node for dead.
    """

    def __init__(self, folder: Path, timeout: int = 300) -> None:
        self._folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "state").mkdir()
        with _free_ports(3) as (controller, nodea, nodeb):
            values = {"controller": controller, "nodea": nodea, "nodeb": nodeb, "cpus": CPUS, "gpus": GPUS}
            (folder / "slurm.conf").write_text(_SETTINGS.format(folder=folder, timeout=timeout, **values))
        gpus = "".join(f"NodeName={node} Name=gpu File=/dev/{file}\n" for node in NODES for file in ("null", "zero"))
        (folder / "gres.conf").write_text(gpus)
        (folder / "key").write_bytes(os.urandom(128))
        (folder / "key").chmod(0o400)
        files = {
            "socket": "munge.socket",
            "key-file": "key",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "seed",
        }
        self._munged = self._run(
            "munged", "--foreground", "--force", *(f"--{name}={folder / file}" for name, file in files.items())
        )
        wait_for((folder / "munge.socket").exists, "munged does not start")
        self.start_controller()
        for node in NODES:
            self.start_node(node)

    def start_controller(self) -> None:
        """Start the controller, which goes on with the jobs it knew."""
        self._controller = self._run("slurmctld", "-D")

    def restart_controller(self) -> None:
        """End the controller as `systemctl restart` does, and start another."""
        self._controller.terminate()
        self._controller.wait()
        self.start_controller()

    def start_node(self, node: str) -> None:
        """Start a node, and wait until it takes jobs."""
        self._nodes[node] = self._run(*_OWN_MACHINE, "sh", "-c", f"hostname {node}; exec slurmd -D -N {node}")
        wait_for(lambda: self.ask("sinfo", "-h", "-n", node, "-o", "%T") in ("idle", "mixed"), f"{node} does not start")

    def kill_node(self, node: str) -> None:
        """Kill a node with all that runs on it. The controller notices by its time-out, or by `declare_dead`."""
        _kill(self._nodes[node])

    def silence_node(self, node: str) -> None:
        """Let a node answer the controller no more, while its jobs run on."""
        (slurmd,) = Path(f"/proc/{self._nodes[node].pid}/task/{self._nodes[node].pid}/children").read_text().split()
        os.kill(int(slurmd), signal.SIGSTOP)

    def declare_dead(self, node: str) -> None:
        """What the controller does after its time-out."""
        self.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=killed")

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints; "" where it fails."""
        ended = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        return ended.stdout.strip() if ended.returncode == 0 else ""

    def stop(self) -> None:
        """End everything, jobs too."""
        for process in (*self._nodes.values(), self._controller, self._munged):
            _kill(process)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with open(self._folder / "output.txt", "ab") as output:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],  # whatever happens to this process
                env=os.environ | self.environment | {"PATH": _path()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def wait_for(true: object, otherwise: str, seconds: float = _READY) -> None:
    """Return once `true()` holds. AssertionError after so many seconds."""
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until, otherwise
        time.sleep(0.1)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in sockets]
