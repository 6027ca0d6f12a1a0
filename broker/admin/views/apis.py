"""APIs: the services that access tokens are for."""

from collections.abc import Mapping
from typing import Any, ClassVar

from broker.admin.fields import Field, Groups
from broker.admin.views.registered import Registered, with_fields
from broker.app.algorithms import unready
from broker.app.api_registration import cannot_ask, check_api, users
from broker.app.client_rules import Fault
from broker.app.serving import Parts
from broker.core.apis import Api
from broker.stores.sql.apis import SqlApis
from broker.stores.sql.records import ApiRecord


class Apis(Registered):
    """Answers ``/admin/apis``."""

    menu_label = "APIs"
    path = "/apis"
    noun = "API"
    columns = "apis.html"
    after = "access tokens for it are signed with RS256 from now on"
    key = Field(
        "identifier",
        "Identifier",
        "What its access tokens say in aud: its resource indicator (RFC 8707), an address, or a "
        "plain word that apps have as audience.",
    )
    options: ClassVar[Mapping[str, str]] = {
        "identifier": "IDENTIFIER",
        "name": "--name",
        "access_token_signed_response_alg": "--alg",
        "scopes": "--scope",
        "access_token_lifetime": "--access-token-lifetime",
    }

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        on = {alg: alg for alg in parts.settings.algorithms}
        self._groups = {"": (*_fields(on),)}

    @property
    def register(self) -> SqlApis:
        """Where they are kept."""
        return self.sql.apis

    @property
    def groups(self) -> Groups:
        """The fields of one."""
        return self._groups

    def made(self, key: str, new: Mapping[str, Any]) -> Api:
        """Return one as a form has it; without a name it is called by its identifier."""
        api: Api = with_fields(Api(key, ""), new)
        return api if api.name or not new else with_fields(api, {"name": key})

    def of(self, record: ApiRecord) -> Api:
        """Return what a record is of."""
        return record.api

    async def judge(self, one: Api, before: Api) -> list[Fault]:
        """Return who may not introspect, and whether its algorithm can be used yet."""
        settings, field = self.parts.settings, "access_token_signed_response_alg"
        check_api(one, settings)
        found = [
            Fault("introspected_by", f"{client_id} {reason}")
            async for client_id, reason in cannot_ask(one, self.sql)
        ]
        alg = one.access_token_signed_response_alg
        if alg != before.access_token_signed_response_alg:
            records = await self.stores.keys.all()
            reason = unready(records, alg, self.now, settings.key_policy)
            found += [Fault(field, reason)] if reason else []
        return found

    async def used_by(self, key: str) -> tuple[str, ...]:
        """Return the apps that can get tokens for it."""
        return tuple(client.client_id for client in await users(key, self.sql))


def _fields(on: dict[str, str]) -> tuple[Field, ...]:
    return (
        Field("name", "Name", "What operators call it. Empty: its identifier.", optional=False),
        Field("scopes", "Scopes", "Those that mean something to it, separated by blanks or lines; "
              "apps may then be registered for them.", "lines"),
        Field("access_token_signed_response_alg", "Its tokens are signed with",
              "One of BROKER_SIGNING_ALGORITHMS. Let the service accept it first.", "choice", on),
        Field("access_token_lifetime", "They live", "Such as 10m. Empty: as long as the app's.",
              "time"),
        Field("introspected_by", "Asked about by", "Confidential apps that may introspect its "
              "tokens: their client_ids, one a line.", "lines"),
    )  # fmt: skip
