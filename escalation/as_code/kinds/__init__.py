"""Each kind of thing as a file has it: by names and addresses in place of ids.

Kinds stand in the order in which things need each other, and are removed in the reverse one. What is stored
is read by a few queries a kind; changes go through the services that the API and the admin use.
"""

from typing import Final

from escalation.as_code.kinds.accounts import Shops, Users
from escalation.as_code.kinds.base import Kind
from escalation.as_code.kinds.policies import Policies
from escalation.as_code.kinds.reporting import Integrations, Routes
from escalation.as_code.kinds.schedules import Schedules

ROUTES: Final = Routes()
KINDS: Final[tuple[Kind, ...]] = (Users(), Shops(), Schedules(), Policies(), Integrations(), ROUTES)

__all__ = ["KINDS", "ROUTES", "Kind"]
