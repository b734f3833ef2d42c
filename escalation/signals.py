"""What escalation tells its own parts."""

from django.dispatch import Signal

#: Sent within the transaction that ends a process, with ``process``: what follows belongs after its commit.
process_ended = Signal()
