"""How passwords are hashed; see docs/adr/0015."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class LeanArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the parameters that OWASP's Password Storage Cheat Sheet gives: 19 MiB, 2 passes, 1 lane.

    Django's own take 100 MiB and 8 lanes a hash: 16 log-ins at once would take 1.6 GB and every core.
    A hash of other parameters is verified all the same, and made anew when its owner logs in.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
