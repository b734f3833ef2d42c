"""Two PostgreSQL servers, the second a synchronous standby of the first, and what a failover manager does."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg

from config import embedded
from config.embedded import postgres, programs
from config.embedded.instance import Instance
from config.embedded.system import kill_processes, run_as, wait_until

STANDBY = "standby"
TIMEOUT_S = 60
# More than a run writes; memory is taken up only as far as it is used.
DISK_BYTES = 3 << 30
IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


class Pair:
    """A primary and a standby that has every commit before it is confirmed; a context manager.

    Args:
        home: a directory for both; a cluster in ``home/one`` that is there already becomes the first primary.
        small_disks: give each server that is made anew a file system of its own; for who may mount some.
    """

    def __init__(self, home: Path, *, small_disks: bool = False) -> None:
        self.primary, self.standby = (Instance.at((home / name).resolve()) for name in ("one", "two"))
        self._small_disks = small_disks
        hosts = ",".join(quote(str(each.run), safe="") for each in (self.primary, self.standby))
        #: Leads to whichever of them takes writes.
        self.url = (
            f"postgresql://{postgres.ROLE}@/{postgres.DATABASE}?host={hosts}&target_session_attrs=read-write"
        )

    def __enter__(self) -> Self:
        try:
            self.start_primary()
            # A standby finds its primary again at once, not after five seconds, and all that it has missed.
            self.execute("ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'")
            self.execute("ALTER SYSTEM SET wal_keep_size = '512MB'")
            self.execute("SELECT pg_reload_conf()")
            self.rejoin()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def execute(self, statement: str, *, on_standby: bool = False) -> list[tuple[Any, ...]]:
        """Run a statement on the primary, also where that takes no writes, or on the standby."""
        server = self.standby if on_standby else self.primary
        with psycopg.connect(postgres.url(server), autocommit=True, connect_timeout=10) as connection:
            connection.execute("SET default_transaction_read_only = off")
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    # --- What happens to servers -----------------------------------------------------------------------

    def start_primary(self) -> None:
        """Start the primary on what its disk has, unless it is up."""
        embedded.start_postgres(at=self.primary.home)

    def start_standby(self) -> None:
        """Start the standby on what its disk has, unless it is up, and wait until commits wait for it."""
        embedded.start_postgres(at=self.standby.home)
        self.wait_until_in_step()

    def kill_primary(self) -> None:
        """End every process of the primary at once, as when its machine dies."""
        kill_processes(postgres.PROGRAM, working_directory=self.primary.data)

    def fail_over(self) -> None:
        """Have the standby take over from the primary, which is dead and stays so."""
        self.primary, self.standby = self.standby, self.primary
        self.execute("SELECT pg_promote()")

    def rejoin(self) -> None:
        """Make the standby anew from the primary, and have commits wait for it once it has caught up.

        A primary of old must never come back with what it had: clients might find it first, and write to it.
        """
        kill_processes(postgres.PROGRAM, working_directory=self.standby.data)
        with self._empty_data(self.standby) as data:
            copy = programs.postgres(self.standby, "pg_basebackup")
            source = f"host={self.primary.run} user={postgres.ROLE} application_name={STANDBY}"
            options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata", data]
            done = run_as(self.standby.account, [copy, "--dbname", source, *options])
            assert done.returncode == 0, done.stderr
        embedded.start_postgres(at=self.standby.home)
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        self.execute("SELECT pg_reload_conf()")
        self.wait_until_in_step()

    def wait_until_in_step(self) -> None:
        assert wait_until(lambda: self.execute(IN_STEP) == [(1,)], timeout_s=TIMEOUT_S), "no standby in step"

    def destroy(self) -> None:
        """End both and delete their files, also those of an earlier run that was cut short."""
        for server in (self.primary, self.standby):
            kill_processes(postgres.PROGRAM, working_directory=server.data)
            if server.data.is_mount():
                subprocess.run(["umount", "--lazy", server.data], check=True)
            embedded.destroy(at=server.home)

    # --- Disks -----------------------------------------------------------------------------------------

    @property
    def has_small_disk(self) -> bool:
        """Whether the primary has a file system of its own."""
        return self.primary.data.is_mount()

    def fill_disk(self) -> None:
        """Leave the primary no room for anything more."""

        def is_full() -> bool:
            disk = os.statvfs(self.primary.data)
            return _resize(self.primary.data, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)

        # It may have grown since it was measured.
        assert wait_until(is_full, timeout_s=TIMEOUT_S), "the disk grows faster than it can be filled"

    def free_disk(self) -> None:
        assert _resize(self.primary.data, DISK_BYTES)

    @contextmanager
    def _empty_data(self, server: Instance) -> Iterator[Path]:
        server.prepare()
        with server.locked():
            server.claim_directories()
            server.make_server_directory(server.data)
            if self._small_disks and not server.data.is_mount():
                shutil.rmtree(server.data)
                server.make_server_directory(server.data)
                owner = server.data.stat()
                options = f"size={DISK_BYTES},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", server.data], check=True)
            for entry in server.data.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            yield server.data


def may_mount(directory: Path) -> bool:
    """Whether file systems can be mounted on this machine."""
    if not shutil.which("mount"):
        return False
    directory.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", directory], check=True)
    return True


def _resize(mounted: Path, size: int) -> bool:
    command = ["mount", "-o", f"remount,size={size}", mounted]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
