"""What accounts tell to whoever listens, beside Django's own signals of saving and deleting."""

from typing import Final

from django.dispatch import Signal

#: A code or link is to be sent. Sent inside the transaction that stores it, with ``verification``
#: (Verification). A receiver that has taken it on returns True; where nobody does, nothing is kept.
verification_requested: Final = Signal()

#: People are invited, or once more. Sent inside the transaction that stores it, with ``invitations`` (a list
#: of Invitation). A receiver that has taken them on returns True; where nobody does, nothing is kept.
invitations_made: Final = Signal()

#: Somebody works at a shop since they took up an invitation, whose link has shown that they read what is
#: mailed to them. Sent inside the transaction that says so, with ``user`` (User).
invitation_taken: Final = Signal()

#: An address is verified from now on. Sent inside the transaction that says so, with ``user`` (User),
#: ``field`` (``email`` or ``phone``), ``address`` and ``now``.
address_verified: Final = Signal()

#: Somebody has taken an account by a mailed link whose address had never been confirmed: whoever had it
#: before may not have been its owner. Sent inside the transaction that sets the new password, with ``user``
#: (User), so that what was added until then is taken away.
account_taken: Final = Signal()

#: What an account hangs on was changed, by whomever. Sent inside the transaction that does it, with ``user``
#: (User), ``change`` (``password``, ``email``, ``phone``, or ``log_in``: one was ended since two had its
#: tokens), and where its owner was reached until then: ``email``, ``is_confirmed`` (bool) whether they have
#: shown that this is theirs, and ``phone``, empty unless they have.
account_changed: Final = Signal()

#: Somebody tried to register with an address that has an account already. Sent inside a transaction,
#: with ``user`` (User), so that its owner can be told.
registration_repeated: Final = Signal()
