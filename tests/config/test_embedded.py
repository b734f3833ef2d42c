"""The embedded servers: start, share, survive kill -9 and stale files, stop, leave nothing behind."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import environ
import psycopg
import pytest
import redis

from config import embedded
from config.embedded.instance import Instance
from config.embedded.system import Account, may_enter, processes_of

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    embedded.destroy(at=tmp_path)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One set-up cluster for all the tests that leave it usable."""
    home = tmp_path_factory.mktemp("shared home")
    embedded.ensure_running(at=home)
    yield home
    embedded.destroy(at=home)


def query(home: Path, sql: str) -> object:
    with psycopg.connect(embedded.database_url(at=home)) as connection:
        row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]


def answers(home: Path) -> bool:
    with redis.from_url(embedded.redis_url(at=home)) as client:
        return query(home, "SELECT 1") == 1 and client.ping() is True


@pytest.mark.parametrize("mode", [None, 0o755])
def test_nobody_else_looks_into_a_home(tmp_path: Path, mode: int | None) -> None:
    """Nor into one that an earlier version made open to all."""
    home = tmp_path / "home"
    if mode is not None:
        home.mkdir()
        home.chmod(mode)
    instance = Instance.at(home)
    instance.prepare()
    passes_through = 0o011 if instance.account else 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700 | passes_through


def test_the_mode_that_somebody_gave_a_home_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    Instance.at(tmp_path).prepare()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@pytest.mark.slow
def test_first_start_makes_a_utf8_database_that_is_durable_and_off_the_network(shared_home: Path) -> None:
    assert query(shared_home, "SELECT current_user || '/' || current_database()") == "tocsin/tocsin"
    assert query(shared_home, "SHOW server_encoding") == "UTF8"
    assert query(shared_home, "SELECT lower('ÉCOLE')") == "école"
    assert query(shared_home, "SHOW listen_addresses") == ""
    assert query(shared_home, "SHOW fsync") == "on"
    assert query(shared_home, "SHOW synchronous_commit") == "on"
    assert str(query(shared_home, "SHOW server_version")).startswith("18.")


@pytest.mark.slow
def test_the_log_of_postgresql_tells_what_failed_and_nobodys_data(shared_home: Path) -> None:
    with psycopg.connect(embedded.database_url(at=shared_home), autocommit=True) as connection:
        connection.execute("CREATE TABLE person (email text CONSTRAINT email_once UNIQUE, hash text)")
        insert = "INSERT INTO person VALUES ('ana@example.com', 'argon2$secret')"
        connection.execute(insert)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert)
    log = Instance.at(shared_home).log("postgres").read_text()
    assert 'violates unique constraint "email_once"' in log
    assert "ana@example.com" not in log
    assert "secret" not in log


@pytest.mark.slow
def test_redis_keeps_nothing_on_disk_and_listens_on_no_port(shared_home: Path) -> None:
    with redis.from_url(embedded.redis_url(at=shared_home)) as client:
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}
        assert client.config_get("port") == {"port": "0"}


@pytest.mark.slow
def test_sockets_are_in_a_directory_that_only_their_owner_can_enter(shared_home: Path) -> None:
    run = Instance.at(shared_home).run
    assert stat.S_IMODE(run.stat().st_mode) == 0o700


def test_second_call_takes_milliseconds_and_starts_nothing(shared_home: Path) -> None:
    before = embedded.status(at=shared_home)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        assert embedded.ensure_running(at=shared_home) is False
        took.append(time.perf_counter() - began)
    assert min(took) < 0.1
    assert embedded.status(at=shared_home) == before


def test_database_url_is_read_alike_by_django_environ_and_libpq(shared_home: Path) -> None:
    parsed = environ.Env.db_url_config(embedded.database_url(at=shared_home))
    assert parsed["OPTIONS"] == {"host": str(Instance.at(shared_home).run)}
    assert (parsed["NAME"], parsed["USER"], parsed["HOST"]) == ("tocsin", "tocsin", "")


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_killed_server_comes_back(shared_home: Path, server: embedded.Server) -> None:
    embedded.kill(server, at=shared_home)
    assert getattr(embedded.status(at=shared_home), server) is None
    assert embedded.ensure_running(at=shared_home) is True
    assert answers(shared_home)


@pytest.mark.slow
def test_committed_rows_survive_a_kill_with_a_session_at_work(shared_home: Path) -> None:
    url = embedded.database_url(at=shared_home)
    with psycopg.connect(url, autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        # A backend in the middle of a query outlives its postmaster and holds the shared memory.
        busy = pool.submit(query, shared_home, "SELECT count(*) FROM generate_series(1, 10000000000)")
        while not query(shared_home, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%series(1,%'"):
            time.sleep(0.01)
        embedded.kill("postgres", at=shared_home)
        embedded.ensure_running(at=shared_home)
        with pytest.raises(psycopg.OperationalError):
            busy.result(timeout=10)
    assert query(shared_home, "SELECT value FROM kept") == 42


@pytest.mark.slow
def test_stale_files_whose_pid_belongs_to_another_process_do_not_stop_the_next_start(
    shared_home: Path,
) -> None:
    embedded.stop(at=shared_home)
    instance = Instance.at(shared_home)
    alive_but_no_server = os.getpid()
    lines = [str(alive_but_no_server), str(instance.data), "1", "5432", str(instance.run), "", "", "ready"]
    (instance.data / "postmaster.pid").write_text("\n".join(lines))
    (instance.run / ".s.PGSQL.5432.lock").write_text("\n".join(lines))
    (instance.run / ".s.PGSQL.5432").touch()
    (instance.run / "redis.pid").write_text(str(alive_but_no_server))
    (instance.run / "redis.sock").touch()

    embedded.ensure_running(at=shared_home)

    assert answers(shared_home)


@pytest.mark.slow
def test_stop_ends_both_servers_and_a_second_stop_is_harmless(shared_home: Path) -> None:
    embedded.ensure_running(at=shared_home)
    embedded.stop(at=shared_home)
    embedded.stop(at=shared_home)
    now = embedded.status(at=shared_home)
    assert (now.postgres, now.redis) == (None, None)
    embedded.ensure_running(at=shared_home)


def test_one_server_can_be_stopped_and_started_alone(shared_home: Path) -> None:
    postgres = embedded.status(at=shared_home).postgres
    embedded.stop_redis(at=shared_home)
    assert embedded.status(at=shared_home).redis is None
    embedded.start_redis(at=shared_home)
    assert embedded.status(at=shared_home).postgres == postgres
    assert answers(shared_home)


def test_ctrl_c_of_the_starting_command_does_not_reach_the_servers(shared_home: Path) -> None:
    embedded.ensure_running(at=shared_home)
    now = embedded.status(at=shared_home)
    for pid in (now.postgres, now.redis):
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0)


@pytest.mark.slow
def test_two_first_starts_at_once_make_one_of_each_server(home: Path) -> None:
    code = "from config import embedded; embedded.ensure_running()"
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, "TOCSIN_HOME": str(home)}
        )
        for _ in range(4)
    ]
    assert [start.wait(timeout=60) for start in starts] == [0, 0, 0, 0]
    instance = Instance.at(home)
    assert answers(home)
    assert len(list(processes_of("redis-server", working_directory=instance.run))) == 1


@pytest.mark.slow
def test_home_with_a_path_too_long_for_a_socket_works(home: Path) -> None:
    deep = home / ("long name " * 8).strip() / ("another " * 8).strip()
    try:
        embedded.ensure_running(at=deep)
        assert answers(deep)
        assert not Instance.at(deep).run.is_relative_to(deep)
    finally:
        embedded.destroy(at=deep)
    assert not Instance.at(deep).private.exists()


def test_private_directory_that_someone_else_could_write_to_is_refused(home: Path) -> None:
    deep = home / ("x" * 120)
    private = Instance.at(deep).private
    private.mkdir()
    private.chmod(0o777)
    with pytest.raises(embedded.EmbeddedError, match="open to others"):
        embedded.ensure_running(postgres=False, at=deep)
    embedded.destroy(at=deep)


@pytest.mark.slow
def test_home_that_was_deleted_and_made_again_starts_empty(home: Path) -> None:
    deep = home / ("y" * 120)
    try:
        embedded.ensure_running(at=deep)
        with psycopg.connect(embedded.database_url(at=deep)) as connection:
            connection.execute("CREATE TABLE leftover ()")
        subprocess.run(["rm", "-rf", deep], check=True)

        embedded.ensure_running(at=deep)

        assert query(deep, "SELECT to_regclass('leftover')") is None
    finally:
        embedded.destroy(at=deep)


def test_urls_start_nothing_and_make_a_password_at_most(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert embedded.database_url(at=nowhere).startswith("postgresql://tocsin@/tocsin?host=%2F")
    assert not nowhere.exists()
    url = embedded.redis_url(at=nowhere)
    assert url == embedded.redis_url(at=nowhere)
    password = urlsplit(url).password
    assert password
    assert len(password) >= 32
    assert [each.name for each in nowhere.iterdir()] == ["redis-password"]


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that everybody can enter, as that of a checkout below /opt or /srv."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    embedded.destroy(at=path)
    shutil.rmtree(path)


def run_as_nobody(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run Python as the account that the servers of root have."""
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        # Not sys.executable, which that account may be unable to run.
        ["/usr/bin/env", "python3", "-I", "-S", "-c", code, *args],
        cwd="/",
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
    )


SPEAK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as redis:
    redis.connect(sys.argv[1])
    for command in sys.argv[2:]:
        redis.sendall(command.encode() + b"\\r\\n")
        print(redis.recv(200).decode().strip())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has servers that run as another account")
def test_a_process_of_the_servers_account_can_neither_read_the_password_nor_use_redis(
    open_home: Path,
) -> None:
    embedded.start_redis(at=open_home)
    instance = Instance.at(open_home)
    kept = instance.redis_password
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    read = run_as_nobody("import sys; print(open(sys.argv[1]).read())", str(kept))
    assert read.returncode == 1
    assert "PermissionError" in read.stderr

    spoken = run_as_nobody(
        SPEAK,
        str(instance.run / "redis.sock"),
        "PING",
        "RPUSH rq:queue:default planted",
        "CONFIG GET requirepass",
        "EVAL 'return 1' 0",
        "AUTH wrong",
    )
    answers = spoken.stdout.splitlines()
    assert [each.split()[0] for each in answers] == ["-NOAUTH"] * 4 + ["-WRONGPASS"], spoken.stderr


def test_the_password_is_on_no_command_line_and_in_no_log(shared_home: Path) -> None:
    embedded.ensure_running(at=shared_home)
    password = urlsplit(embedded.redis_url(at=shared_home)).password
    assert password
    pid = embedded.status(at=shared_home).redis
    for file in (Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ"), shared_home / "redis.log"):
        assert password.encode() not in file.read_bytes()
    status = subprocess.run(
        [sys.executable, "-m", "config.embedded", "status"],
        cwd=REPOSITORY,
        env={**os.environ, "TOCSIN_HOME": str(shared_home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "redis.sock" in status.stdout
    assert password not in status.stdout


@pytest.mark.slow
def test_a_redis_that_an_older_version_started_without_a_password_is_replaced(shared_home: Path) -> None:
    embedded.ensure_running(at=shared_home)
    with redis.from_url(embedded.redis_url(at=shared_home)) as client:
        client.config_set("requirepass", "")
    assert embedded.status(at=shared_home).redis is None
    embedded.ensure_running(at=shared_home)
    assert answers(shared_home)
    path = str(Instance.at(shared_home).run / "redis.sock")
    with redis.Redis(unix_socket_path=path) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_the_embedded_redis_has_no_known_holes_of_lua(shared_home: Path) -> None:
    """CVE-2024-31449 and CVE-2025-49844 are closed from 8.2.2 on."""
    embedded.ensure_running(at=shared_home)
    with redis.from_url(embedded.redis_url(at=shared_home)) as client:
        version = tuple(int(part) for part in client.info("server")["redis_version"].split("."))
    assert version >= (8, 2, 2)


def test_home_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    assert embedded.home() == tmp_path
    monkeypatch.delenv("TOCSIN_HOME")
    assert embedded.home() == REPOSITORY / "var"


def test_a_directory_below_a_closed_one_cannot_be_entered_by_others(tmp_path: Path) -> None:
    stranger = Account(name="stranger", uid=54321, gid=54321)
    assert may_enter(stranger, Path("/usr/bin"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not may_enter(stranger, closed / "open")


@pytest.mark.slow
def test_importing_it_does_not_import_django() -> None:
    code = "import sys, config.embedded; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.slow
def test_command_line_reports_servers_that_are_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "config.embedded", "status"],
        cwd=REPOSITORY,
        env={**os.environ, "TOCSIN_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "postgres  down" in done.stdout


@pytest.mark.slow
def test_a_server_that_ignores_nothing_but_sigkill_is_still_ended_by_kill(shared_home: Path) -> None:
    embedded.ensure_running(at=shared_home)
    pid = embedded.status(at=shared_home).redis
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    embedded.kill("redis", at=shared_home)
    embedded.ensure_running(at=shared_home)
    assert answers(shared_home)
