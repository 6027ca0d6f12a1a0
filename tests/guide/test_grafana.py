"""Grafana, configured by its page for developers; Grafana itself does not run here."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import jwt
import pytest
import pytest_asyncio
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.demo.discord.cast import ADA, BEN, CHIYO, DMITRI, LIGHTHOUSE, NOA
from broker.demo.forms import read_forms
from broker.web.docs.render import snippets
from tests.browsing import sign_in
from tests.guide.grafana import Denied, Grafana, Someone
from tests.guide.sites import Site, broker_with, registered

pytestmark = [pytest.mark.slow]

# Documented: Grafana, "Configure Generic OAuth authentication", Configuration options.
OPTIONS: Final = {
    "enabled", "name", "icon", "client_id", "client_secret", "auth_url", "token_url", "api_url",
    "auth_style", "scopes", "empty_scopes", "allow_sign_up", "auto_login", "login_prompt",
    "id_token_attribute_name", "login_attribute_path", "name_attribute_path",
    "email_attribute_path", "email_attribute_name", "role_attribute_path", "role_attribute_strict",
    "skip_org_role_sync", "org_attribute_path", "org_mapping", "allow_assign_grafana_admin",
    "groups_attribute_path", "allowed_groups", "allowed_organizations", "allowed_domains",
    "team_ids", "team_ids_attribute_path", "teams_url", "tls_skip_verify_insecure",
    "tls_client_cert", "tls_client_key", "tls_client_ca", "use_pkce", "use_refresh_token",
    "signout_redirect_url",
}  # fmt: skip
KEEPER, MEMBER = LIGHTHOUSE.roles


@dataclass
class Dashboards:
    """A Grafana, and the browser of somebody who uses it."""

    site: Site
    grafana: Grafana
    browser: httpx2.AsyncClient
    tokens: dict[str, Any] = field(default_factory=dict)

    async def userinfo(self) -> dict[str, Any]:
        """What it learns by the access token."""
        held = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        answer = await self.browser.get(self.grafana.options["api_url"], headers=held)
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in(self, person: str) -> Someone:
        """Sign somebody in as Grafana does: PKCE, the secret as its configuration says."""
        told = self.grafana.options
        assert (told["auth_style"], told["use_pkce"]) == ("InHeader", "true")
        back = f"{self.site.address}/login/generic_oauth"
        client = AsyncOAuth2Client(
            told["client_id"],
            self.site.client["client_secret"],
            scope=told["scopes"],
            redirect_uri=back,
            token_endpoint_auth_method="client_secret_basic",
            code_challenge_method="S256",
            token_endpoint=told["token_url"],
            trust_env=False,
        )
        async with client:
            asked = client.create_authorization_url(told["auth_url"], code_verifier="v" * 43)
            answer = await sign_in(
                self.browser, asked[0], back, discord=self.site.broker.discord_origin, person=person
            )
            await client.fetch_token(
                authorization_response=answer, state=asked[1], code_verifier="v" * 43
            )
            assert told["use_refresh_token"] == "true"
            self.tokens = dict(await client.refresh_token())
        return await self.seen()

    async def seen(self) -> Someone:
        """Who Grafana takes them for."""
        parts = [
            jwt.decode(self.tokens[name], options={"verify_signature": False})
            for name in ("id_token", "access_token")
        ]
        return self.grafana.sees(parts[0], await self.userinfo(), parts[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """Grafana, registered by the commands of its page, for the people of the Lighthouse."""
    with broker_with(tmp_path_factory.mktemp("grafana"), "grafana") as (made, files):
        command = files["roles-grafana.sh"]
        for shown, here in (("OTHER_ROLE", MEMBER), ("ROLE", KEEPER), ("GUILD", LIGHTHOUSE.id)):
            command = command.replace(shown, here)
        registered(made.broker, command)
        yield made, files


@pytest_asyncio.fixture
async def plain(site: tuple[Site, dict[str, str]]) -> AsyncIterator[Dashboards]:
    """With the first of the two files alone."""
    made, files = site
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as browser:
        yield Dashboards(made, Grafana(files["grafana.ini"]), browser)


@pytest_asyncio.fixture
async def full(site: tuple[Site, dict[str, str]]) -> AsyncIterator[Dashboards]:
    """With roles too."""
    made, files = site
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as browser:
        told = Grafana(files["grafana.ini"], files["grafana-roles.ini"])
        yield Dashboards(made, told, browser)


def test_grafana_knows_every_option() -> None:
    """The names are those of its documentation."""
    files = snippets(issuer="https://id.example.org", brand="x")
    told = Grafana(files["grafana.ini"], files["grafana-roles.ini"]).options
    assert set(told) <= OPTIONS


async def test_the_metadata_says_the_same(full: Dashboards) -> None:
    """Each address, the scopes, PKCE, the way of the secret, refresh and every claim it goes by."""
    told = full.grafana.options
    issuer = full.site.broker.issuer
    found = (await full.browser.get(f"{issuer}/.well-known/openid-configuration")).json()
    endpoints = {
        "auth_url": "authorization_endpoint", "token_url": "token_endpoint",
        "api_url": "userinfo_endpoint",
    }  # fmt: skip
    for option, member in endpoints.items():
        assert told[option] == found[member]
    assert told["signout_redirect_url"].startswith(f"{found['end_session_endpoint']}?")
    assert set(told["scopes"].split()) <= set(found["scopes_supported"])
    assert "S256" in found["code_challenge_methods_supported"]
    assert "client_secret_basic" in found["token_endpoint_auth_methods_supported"]
    assert "refresh_token" in found["grant_types_supported"]
    claims = set(found["claims_supported"])
    assert {"sub", "email", "preferred_username", "name", "groups"} <= claims


async def test_without_roles_it_knows_who_somebody_is(plain: Dashboards) -> None:
    """Login, name and address; the role is Grafana's own default."""
    ada = await plain.sign_in(ADA.username)
    assert ada == Someone("ada.lindqvist", "Ada Lindqvist", "ada@example.com", [], "Viewer")


@pytest.mark.parametrize(
    ("person", "groups", "role"),
    [
        (ADA.username, ["admins", "editors", "members"], "Admin"),
        (BEN.username, ["editors", "members"], "Editor"),
        (NOA.username, ["members"], "Viewer"),
    ],
    ids=["admin", "editor", "member"],
)
async def test_roles_at_discord_become_grafanas(
    full: Dashboards, person: str, groups: list[str], role: str
) -> None:
    """By the expressions that are shown, on the claims that were issued."""
    someone = await full.sign_in(person)
    assert (someone.groups, someone.role) == (groups, role)


async def test_who_is_not_on_the_server_stays_outside(full: Dashboards) -> None:
    """Nobody is a viewer for want of anything better, unless Grafana is told not to be strict."""
    with pytest.raises(Denied):
        await full.sign_in(CHIYO.username)
    assert (await full.userinfo())["groups"] == []
    full.grafana.options["role_attribute_strict"] = "false"
    assert (await full.seen()).role == "Viewer"


async def test_somebody_without_an_address_gets_one_that_leads_nowhere(plain: Dashboards) -> None:
    """Grafana demands one of everybody, and nobody else may have it."""
    someone = await plain.sign_in(DMITRI.username)
    sub = (await plain.userinfo())["sub"]
    assert someone.email == f"{sub}@no-address.invalid"


@pytest.mark.parametrize("known", [True, False], ids=["by its ID token", "after a question"])
async def test_signing_out_of_grafana_signs_out_here(plain: Dashboards, *, known: bool) -> None:
    """And comes back to Grafana: at once while its tokens live, later after a question."""
    await plain.sign_in(ADA.username)
    where = plain.grafana.signs_out_to(plain.tokens["id_token"] if known else None)
    out = await plain.browser.get(where)
    if not known:
        assert out.status_code == 200
        [form] = read_forms(out.text, str(out.url))
        origin = {"Origin": plain.site.broker.issuer}
        out = await plain.browser.post(form.action, data=form.fields, headers=origin)
    assert (out.status_code, out.headers["location"]) == (303, f"{plain.site.address}/login")
    again = await plain.browser.get(f"{plain.site.broker.issuer}/logout")
    assert read_forms(again.text, str(again.url)) == [], "there is nobody left to sign out"
