"""What the operating system allows a process."""

import resource


def allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: a thousand connections are as many sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
