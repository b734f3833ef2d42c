"""`python -m config.embedded start|stop|status|destroy`: the embedded servers by hand."""

import argparse
import re
import sys

from config import embedded


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status", "destroy"])
    command = parser.parse_args().command
    try:
        if command == "start":
            embedded.ensure_running()
        elif command == "stop":
            embedded.stop()
        elif command == "destroy":
            embedded.destroy()
    except embedded.EmbeddedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if command not in {"start", "status"}:
        return 0
    now = embedded.status()
    without_password = re.sub(":[^:@]*@", ":…@", embedded.redis_url())
    sys.stdout.write(
        f"home      {now.home}\n"
        f"postgres  {_state(now.postgres):<18} {embedded.database_url()}\n"
        f"redis     {_state(now.redis):<18} {without_password}\n"
    )
    return 0 if now.postgres and now.redis else 3  # as `systemctl status` has it


def _state(pid: int | None) -> str:
    return f"up, process {pid}" if pid else "down"


if __name__ == "__main__":
    sys.exit(main())
