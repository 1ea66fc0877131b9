"""Who PostgreSQL runs as: the user who started the hub, except for root, whom PostgreSQL refuses.

Root steps down to an account that exists already, `postgres` where there is one and `nobody` otherwise: trying the
hub must neither add a user to the system nor open anybody's home directory to others. Root's home directory is
closed to every account, though, and both the data and the program may lie in it; then PostgreSQL keeps the one
capability that lets it pass (Linux: `CAP_DAC_OVERRIDE`, handed over by util-linux's `setpriv`).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.kit.embedded.errors import EmbeddedUnavailable


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run a program as: `prefix` goes before the command, `steps_down` leaves root on the way to it."""

    uid: int
    gid: int
    steps_down: bool = False
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def start(
        self,
        command: list[str],
        *,
        output: int,
        stdin: int = subprocess.DEVNULL,
        directory: Path | None = None,
        inherits: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a command as this account, apart from the terminal and without the hub's environment.

        A session of its own keeps Ctrl-C away from the servers: the hub stops first, then they. The environment may
        hold the hub's secrets, and variables that PostgreSQL's programs would obey.
        """
        return subprocess.Popen(  # noqa: S603 - the callers name programs of the installed packages, without a shell
            [*self.prefix, *command],
            stdin=stdin,
            stdout=output,
            stderr=output,
            cwd=directory,
            pass_fds=inherits,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            umask=0o077,
            user=self.uid if self.steps_down else None,
            group=self.gid if self.steps_down else None,
            extra_groups=[] if self.steps_down else None,
        )

    def reaches(self, directory: Path, program: Path) -> bool:
        """Whether the account can enter the directory and run the program."""
        visit = ["/bin/sh", "-c", 'cd "$0" && exec "$1" --version', str(directory), str(program)]
        return self.start(visit, output=subprocess.DEVNULL).wait() == 0


def own_account() -> Account:
    """The user who runs the hub."""
    return Account(os.geteuid(), os.getegid())


def own_name() -> str:
    """The login name of the user who runs the hub.

    Raises `EmbeddedUnavailable` for a bare number, as containers may be given: PostgreSQL refuses that, too.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EmbeddedUnavailable(
            f"User id {os.geteuid()} has no name on this machine, and PostgreSQL does not run without one.",
            remedy="Run the hub as a user that /etc/passwd knows.",
        ) from None


def account_for_postgres(cluster: Path, program: Path) -> Account:
    """The account to run PostgreSQL's `program` as, for the directory `cluster` (which need not exist yet).

    Raises `EmbeddedUnavailable` when root finds no account that reaches both.
    """
    if os.geteuid() != 0:
        return own_account()
    for account in _accounts_for_root(cluster):
        if account.reaches(cluster.parent, program):
            return account
    raise EmbeddedUnavailable(
        "PostgreSQL refuses to run as root, and no other account reaches the data directory and the program.",
        remedy="Run the hub as an ordinary user.",
    )


def _accounts_for_root(cluster: Path) -> Iterator[Account]:
    """The one unprivileged user, first without and then with the capability to pass closed directories."""
    uid, gid = _unprivileged_user(cluster)
    yield Account(uid, gid, steps_down=True)
    if setpriv := shutil.which("setpriv"):
        identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
        capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        # PostgreSQL looks for its own programs by access(2), which disregards capabilities without this.
        disregard = "--securebits=+no_setuid_fixup"
        yield Account(uid, gid, prefix=(setpriv, *identity, *capability, disregard, "--"))


def _unprivileged_user(cluster: Path) -> tuple[int, int]:
    """User and group: those whom an existing cluster belongs to, else of `postgres`, else of `nobody`."""
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise EmbeddedUnavailable(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody.",
        remedy="Run the hub as an ordinary user.",
    )
