"""Amazon SQS on loopback: moto's server, in a process of its own. Queues are made by its clients."""

import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from types import TracebackType
from typing import Any, Self

import boto3

from config.processes import free_port

REGION = "eu-west-1"
#: moto takes any; boto3 wants some.
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10


class SQS:
    """The server within ``with``; ``client`` is a boto3 client of it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._open = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log = self._open.enter_context(tempfile.TemporaryFile())
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        self.client: Any = boto3.client("sqs", region_name=REGION, endpoint_url=self.url, **KEYS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._end()

    def queue(self, name: str) -> str:
        """Make a queue, FIFO by its name; returns its URL."""
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def left(self, url: str) -> int:
        """Messages of a queue, those that somebody holds as well."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            with contextlib.suppress(OSError), opener.open(f"{self.url}/moto-api/", timeout=5):
                return
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise RuntimeError(
                    f"moto did not start:\n{self._log.read().decode(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._open.close()
