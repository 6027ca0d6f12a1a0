"""The console's pages, in the order of its menu."""

from typing import Final

from broker.admin.views.accounts import Accounts
from broker.admin.views.audit import AuditLog
from broker.admin.views.clients import Clients
from broker.admin.views.keys import Keys
from broker.admin.views.leave import Leave
from broker.admin.views.page import Page
from broker.admin.views.registers import Registers

VIEWS: Final[tuple[type[Page], ...]] = (Accounts, Clients, Registers, Keys, AuditLog, Leave)
