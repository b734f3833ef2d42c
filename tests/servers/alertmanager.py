"""Alertmanager by Debian's prometheus-alertmanager, configured by its own YAML, on loopback."""

import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import requests
import yaml

from config.processes import free_port

PROGRAM: Final = "prometheus-alertmanager"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
#: It tells at once, then of what is new after a second, and again after two.
ROUTE: Final = {
    "receiver": "tocsin",
    "group_by": ["alertname"],
    "group_wait": "0s",
    "group_interval": "1s",
    "repeat_interval": "2s",
}


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


class Alertmanager:
    """An Alertmanager within ``with``, which tells one receiver; what it was told outlives ``restart``.

    Args:
        receiver: such as ``{"webhook_configs": [{"url": …}]}``.
    """

    def __init__(self, home: Path, receiver: dict[str, Any]) -> None:
        self.home, self.port = home, free_port()
        self.settings = {"route": ROUTE, "receivers": [{"name": "tocsin", **receiver}]}
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "alertmanager.yml").write_text(yaml.safe_dump(self.settings))
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._http.close()

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={self.home / 'alertmanager.yml'}",
                    f"--storage.path={self.home / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                    "--log.level=debug",
                ],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Alertmanager did not start:\n{self.log()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        self.kill()
        self.start()

    def log(self) -> str:
        return (self.home / "log").read_text()[-4_000:]

    def fire(self, *names: str, began_at: datetime) -> None:
        """Post alerts as Prometheus does, again and again as long as they fire."""
        self._post(names, began_at, datetime.now(UTC) + timedelta(minutes=5))

    def resolve(self, *names: str, began_at: datetime) -> None:
        self._post(names, began_at, datetime.now(UTC) - timedelta(milliseconds=1))

    def _post(self, names: tuple[str, ...], began_at: datetime, ends_at: datetime) -> None:
        alerts = [
            {
                "labels": {"alertname": name, "severity": "critical", "instance": "db1"},
                "annotations": {"summary": f"{name} on db1"},
                "startsAt": began_at.isoformat(),
                "endsAt": ends_at.isoformat(),
                "generatorURL": "http://prometheus.example.com/graph",
            }
            for name in names
        ]
        answer = self._http.post(f"http://127.0.0.1:{self.port}/api/v2/alerts", json=alerts, timeout=10)
        assert answer.status_code == 200, answer.text

    def _serves(self) -> bool:
        try:
            return self._http.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=1).status_code == 200
        except requests.RequestException:
            return False
