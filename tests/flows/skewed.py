"""Runs manage.py with a clock that is off: `python -m tests.flows.skewed 60 rqworker` is a minute fast."""

import sys
import time

import time_machine
from django.core.management import execute_from_command_line


def main() -> None:
    # Only what tells the time of day: what measures how long something takes is right on any machine.
    with time_machine.travel(time.time() + float(sys.argv[1]), tick=True):
        time.time()  # it begins to run when it is asked for the first time
        execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
