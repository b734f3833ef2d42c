"""What docs/integrations.md has people paste into Zabbix and a shell, run as it stands there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.flows.product import Product
from tests.flows.reporting import Reporting

pytestmark = pytest.mark.flow

FIXTURES = settings.BASE_DIR / "fixtures" / "intake"


def block_of(heading: str, language: str) -> str:
    """The one block of code in this language below a heading."""
    text = (settings.BASE_DIR / "docs" / "integrations.md").read_text()
    section = re.split(r"^##+ ", text.split(f"### {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(block)


def body_of(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())["body"]


def address_of(to: Reporting) -> str:
    return f"{to.origin}/integrations/generic/{to.key}/"


def test_frigates_messages_are_posted_by_a_shell_as_they_are(product: Product, tmp_path: Path) -> None:
    to = Reporting(product, "generic", ready="frigate")
    names = ("review-alert", "review-end", "review-described-by-a-model-after-its-end")
    bodies = [body_of(f"frigate/{name}") for name in names]
    # What a shell could take for its own.
    bodies[0]["after"]["thumb_path"] = "\\n $HOME `id` \"'  * "
    messages = tmp_path / "messages"
    messages.write_text("".join(f"{json.dumps(body)}\n" for body in bodies))
    lines = block_of("Frigate", "sh").replace("mosquitto_sub -h BROKER -t frigate/reviews", f"cat {messages}")
    lines = lines.replace("https://tocsin.example.com/integrations/generic/KEY/", address_of(to))
    subprocess.run(["/bin/sh", "-c", lines], timeout=60, check=True)
    assert to.statuses() == [200, 200, 200]
    assert to.outcomes() == ["opened", "resolved", "ignored"]
    assert to.states() == ["resolved"]


def test_zabbixs_own_engine_runs_the_script(product: Product, tmp_path: Path) -> None:
    engine = shutil.which("zabbix_js")
    if engine is None:
        pytest.skip("zabbix_js is not installed, so this did not run: it is in zabbix-server-pgsql")
    to = Reporting(product, "generic", ready="zabbix")
    script = tmp_path / "script.js"
    script.write_text(re.sub(r"^ {3}", "", block_of("Zabbix", "js"), flags=re.MULTILINE))

    def run(name: str, url: str) -> int:
        given = json.dumps({"url": url, **body_of(f"zabbix/{name}")})
        return subprocess.run([engine, "-s", script, "-p", given], timeout=60, check=False).returncode

    for name in ("problem-with-macros-that-do-not-apply", "acknowledged", "recovery"):
        assert run(name, address_of(to)) == 0
    assert to.outcomes() == ["opened", "acknowledged", "resolved"]
    # Zabbix tries again, and shows why.
    assert run("problem", f"{to.origin}/integrations/generic/unknown/") != 0
