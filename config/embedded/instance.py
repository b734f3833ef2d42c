"""Where one instance of the embedded servers lives, and as whom its servers run."""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from config.embedded.system import Account, kill_processes, may_enter

# sun_path holds 108 bytes with its final NUL; PostgreSQL refuses what does not fit.
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"
UNPRIVILEGED_USER = "nobody"
SERVER_PROGRAMS = ("postgres", "redis-server")


class EmbeddedError(Exception):
    """An embedded server cannot be started, stopped or reached; says what to do about it."""


def default_home() -> Path:
    return Path(__file__).resolve().parents[2] / "var"


@dataclass(frozen=True)
class Instance:
    """The paths of one home, and the account of its servers (None: whoever we are).

    PostgreSQL refuses to run as root, so for root the servers run as `nobody`. Where that
    account cannot enter the home, data and sockets are in `private` instead; where only the
    path is too long for a socket, the sockets are.
    """

    home: Path
    account: Account | None
    private: Path

    @classmethod
    def at(cls, home: Path) -> "Instance":
        # Not tempfile.gettempdir(): it follows TMPDIR, and every process of a home must agree.
        worldly = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 (checked when claimed)
        base = next((path for path in worldly if os.access(path, os.W_OK | os.X_OK)), Path.home())
        name = hashlib.sha256(f"{os.geteuid()}:{home}".encode()).hexdigest()[:16]
        return cls(home=home, account=_server_account(), private=base / f"tocsin-{name}")

    @cached_property
    def base(self) -> Path:
        """The directory that holds the data: one that the servers' account can enter."""
        if self.account and not may_enter(self.account, self.home):
            return self.private
        return self.home

    @cached_property
    def run(self) -> Path:
        """The directory of sockets and pid files, open to the servers' account alone."""
        run = self.base / "run"
        longest = os.fsencode(run / LONGEST_SOCKET_NAME)
        return run if len(longest) <= SOCKET_PATH_LIMIT else self.private / "run"

    @property
    def data(self) -> Path:
        return self.base / "postgres"

    @property
    def redis_password(self) -> Path:
        """The file of it: beside the other secrets, where the servers' account can't read it."""
        return self.home / "redis-password"

    def log(self, server: str) -> Path:
        return self.home / f"{server}.log"

    @property
    def _uses_private(self) -> bool:
        return self.run.is_relative_to(self.private)

    def prepare(self) -> None:
        """Make the home, whose mode is not left to the umask: the servers' account passes through it."""
        try:
            is_new = not self.home.is_dir()
            if is_new:
                self.home.mkdir(parents=True)
            found = self.home.stat()
            is_of_earlier_version = stat.S_IMODE(found.st_mode) == 0o755 and found.st_uid == os.geteuid()
            if is_new or is_of_earlier_version:
                self.home.chmod(0o711 if self.account else 0o700)
        except OSError as error:
            raise EmbeddedError(
                f"cannot make {self.home} ({error.strerror}); set TOCSIN_HOME to a directory "
                "that you may write to"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time starts or stops servers; the kernel frees it at a crash."""
        lock = self.home / "embedded.lock"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise self.foreign(lock if lock.exists() else self.home) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def is_claimed(self) -> bool:
        """Whether what is in the private directory, if that is used, is of this very home."""
        if not self._uses_private:
            return True
        try:
            ours = (self.home / "instance-id").read_text()
            theirs = (self.private / "instance-id").read_text()
            return ours == theirs and self.private.lstat().st_uid == os.geteuid()
        except OSError:
            return False

    def claim_directories(self) -> None:
        """Make and check the directories of the servers. Call it under the lock."""
        if self._uses_private:
            # Take the directory in the world-writable temp dir, unless someone else made it first.
            self.private.mkdir(mode=0o700, exist_ok=True)
            found = self.private.lstat()
            writable_by_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or writable_by_others:
                raise EmbeddedError(
                    f"{self.private} belongs to {_user_name(found.st_uid)} or is open to others; "
                    "remove it, or set TOCSIN_HOME to another (shorter) path"
                )
            self.private.chmod(0o711 if self.account else 0o700)
            if not self.is_claimed():
                # A checkout that is deleted and cloned again must not find the old one's data.
                ours, theirs = self.home / "instance-id", self.private / "instance-id"
                if not ours.exists():
                    ours.write_text(uuid.uuid4().hex)
                if theirs.exists():
                    for directory in (self.private / "postgres", self.private / "run"):
                        _delete_with_servers(directory)
                theirs.write_text(ours.read_text())
        self.make_server_directory(self.run)

    def make_server_directory(self, path: Path) -> None:
        """A directory of mode 0700 that belongs to the servers' account, checked if it exists."""
        owner = self.account.uid if self.account else os.geteuid()
        if not path.exists():
            path.mkdir(mode=0o700)
            if self.account:
                os.chown(path, self.account.uid, self.account.gid)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise self.foreign(path)

    def foreign(self, path: Path) -> EmbeddedError:
        owner = _user_name(path.lstat().st_uid)
        # Root's servers run as that user, so what is theirs was made by root.
        who = "root" if owner == UNPRIVILEGED_USER else owner
        return EmbeddedError(
            f"{path} belongs to {owner}: {who} used this checkout before. Run `make clean` as "
            f"{who}, or set TOCSIN_HOME to a directory of your own"
        )

    def delete_files(self) -> None:
        for directory in {self.data, self.run, self.home / "postgres.new"}:
            _delete_with_servers(directory)
        for name in ("postgres.log", "redis.log", "instance-id", "embedded.lock"):
            (self.home / name).unlink(missing_ok=True)


def _delete_with_servers(directory: Path) -> None:
    """Delete a directory and end the servers at work in it, were its pid files lost or not."""
    for program in SERVER_PROGRAMS:
        kill_processes(program, working_directory=directory)
    shutil.rmtree(directory, ignore_errors=True)


def _server_account() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED_USER!r} to "
            "run it as: run this as an ordinary user, or set DATABASE_URL and REDIS_URL"
        ) from error
    return Account(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
