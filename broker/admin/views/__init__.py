"""The console's pages, in the order of its menu."""

from typing import Final

from broker.admin.views.accounts import Accounts
from broker.admin.views.apis import Apis
from broker.admin.views.audit import AuditLog
from broker.admin.views.clients import Clients
from broker.admin.views.guilds import Guilds
from broker.admin.views.keys import Keys
from broker.admin.views.leave import Leave
from broker.admin.views.operators import Operators
from broker.admin.views.page import Page
from broker.admin.views.policies import Policies

VIEWS: Final[tuple[type[Page], ...]] = (
    Accounts, Clients, Apis, Guilds, Policies, Keys, Operators, AuditLog, Leave,
)  # fmt: skip
