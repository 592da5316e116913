"""A machine: a Debian of its own with systemd as its first process, in namespaces of this one (needs root). Off, it leaves nothing."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BOOT = Path(__file__).with_name("boot-machine.sh")
CONTROL_GROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net")
BOOTS_WITHIN_S = 60.0
_MOUNTS = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/lower" "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/lower"
mount -t cgroup2 cgroup2 "$1/upper"
"""


class MachineFailed(Exception):
    """A command on the machine, or the machine itself, did not do what was asked of it."""


class Machine:
    """What can be done with one that runs. Make one with `machine`."""

    def __init__(self, first_process: int) -> None:
        self._enter = ("nsenter", "--target", str(first_process), *NAMESPACES, "--")

    def run(self, *command: str, stdin: str = "", ends: int | None = 0, within_s: float = 120.0) -> str:
        """What a command prints, on both its outputs.

        Args:
            ends: the exit code that it must have; None: any.

        Raises:
            MachineFailed: it ended otherwise, or not at all.
        """
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "PAGER": "cat"}
        try:
            done = subprocess.run(  # noqa: S603 - on a machine of ours
                [*self._enter, "env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command],
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise MachineFailed(f"{command} did not end within {within_s} s; it said: {exc.output!r}") from exc
        if ends is not None and done.returncode != ends:
            raise MachineFailed(f"{command} ended with {done.returncode}, not {ends}:\n{done.stdout}")
        return done.stdout

    def shell(self, script: str, *, ends: int | None = 0, within_s: float = 120.0) -> str:
        """What a shell script prints; it ends at the first command that fails."""
        return self.run("sh", "-eu", stdin=script, ends=ends, within_s=within_s)

    def until(self, script: str, says: str = "", *, within_s: float = 60.0) -> str:
        """Repeat a script until it succeeds and prints what matches `says`; returns what it printed."""
        ends_at = time.monotonic() + within_s
        said = ""
        while time.monotonic() < ends_at:
            said = self.shell(f"{{ {script}\n}} && echo succeeded", ends=None)
            if said.endswith("succeeded\n") and re.search(says, said):
                return said.removesuffix("succeeded\n")
            time.sleep(0.1)
        raise MachineFailed(f"{script!r} did not succeed with {says!r} within {within_s} s; last: {said}")

    def write(self, path: str, text: str, *, mode: str = "644", group: str = "root") -> None:
        """A file of root's."""
        self.run("install", "-D", "-m", mode, "-g", group, "/dev/stdin", path, stdin=text)


@contextmanager
def machine(root: Path, shown: Path, scratch: Path) -> Iterator[Machine]:
    """Boot one.

    Args:
        root: a Debian root with systemd; nothing is written to it.
        shown: a folder that the machine sees as /mnt.
        scratch: an empty folder.

    Raises:
        MachineFailed: it doesn't boot; says what is in the way.
    """
    # setpriv: where we are killed, it ends too
    command = ("setpriv", "--pdeathsig", "KILL", BOOT, root, shown, scratch)
    with (scratch.parent / f"{scratch.name}.log").open("w+") as log:
        outside = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            booted = Machine(_first_process(outside, log.name))
            booted.until("systemctl is-system-running", "running", within_s=BOOTS_WITHIN_S)
            yield booted
        finally:
            outside.kill()  # SIGTERM it would not hear
            outside.wait()
            _take_away(outside.pid)


def _first_process(outside: "subprocess.Popen[bytes]", log: str) -> int:
    """The pid that systemd has outside: the only child of `unshare`, once it has become systemd."""
    ends_at = time.monotonic() + BOOTS_WITHIN_S
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    while time.monotonic() < ends_at and outside.poll() is None:
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        time.sleep(0.02)
    raise MachineFailed(f"the machine did not boot: {Path(log).read_text(encoding='utf-8')[-1000:]}")


def _take_away(pid: int) -> None:
    """The control groups that the machine's systemd made; they are empty as soon as its last process is gone."""
    groups = [folder / f"envision-worker-test-{pid}" for folder in CONTROL_GROUPS]
    for _ in range(100):
        left = [folder for group in groups for folder, _, _ in os.walk(group, topdown=False)]
        if not left:
            return
        for folder in left:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.05)


def why_not(scratch: Path) -> str | None:
    """What keeps machines from booting here; None: nothing that is known beforehand.

    It takes root with CAP_SYS_ADMIN in the first user namespace, a writable control group of version 2, and overlay mounts: a virtual
    machine has them, a container only where it is privileged.
    """
    if os.geteuid() != 0:
        return "only root can boot a machine"
    for group in CONTROL_GROUPS:
        if (group / "cgroup.procs").exists():
            break
    else:
        return "this kernel has no control groups of version 2 to boot a machine in"
    try:
        tried = group / f"envision-worker-test-{os.getpid()}"
        tried.mkdir()
        tried.rmdir()
    except OSError as exc:
        return f"{group} can't be written, no machine can boot in it: {exc.strerror}"
    kinds = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup")
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["unshare", *kinds, "sh", "-euc", _MOUNTS, "sh", scratch],  # noqa: S607 - as the machine is booted
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.strip().splitlines()[-1:]
    return f"no machine can boot here: {''.join(said)}" if done.returncode else None
