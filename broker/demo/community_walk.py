"""The steps of a check that are about a community: roles, their loss, and a withdrawal."""

import asyncio
from time import monotonic
from typing import Any

import httpx2

from broker.demo.community import FRESH_SECONDS, KEEPER_ROLE
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.run import DISCORD_CLIENT_ID
from broker.demo.sample.rights import CREW, KEEPER
from broker.demo.walk import Walk, document, expect, random_text

WITHDRAWAL_SECONDS = 1.0
_TOLD_SECONDS = 5.0
_PAUSE = 0.05


class CommunityWalk(Walk):
    """A sign-in to an app that goes by roles, and what happens to it at Discord."""

    async def roles(self) -> str:
        """Find the person's roles in the tokens; the sample's API must go by them."""
        seen = self._roles()
        expect(seen == {CREW, KEEPER}, f"roles {sorted(seen)}")
        claims = self.verified(self.tokens["id_token"], self.client_id, {})
        names = [guild.get("name") for guild in claims.get("guilds", [])]
        expect(names == [LIGHTHOUSE.name], f"guilds {names}")
        status = (await self._post_notice()).status_code
        expect(status == 201, f"the API answered {status} to a keeper")
        return f"{KEEPER} and {CREW}, by the roles in {LIGHTHOUSE.name}; the API lets write"

    async def lost_role(self) -> str:
        """Take a role away at Discord: the next refresh must be without it."""
        await self._simulator(
            "members",
            action="take_role",
            person=self.person,
            guild=LIGHTHOUSE.id,
            role_id=KEEPER_ROLE,
        )
        # What is known of the person has to grow older than it may be.
        await asyncio.sleep(FRESH_SECONDS + 0.1)
        await self.refresh()
        seen = self._roles()
        expect(seen == {CREW}, f"roles {sorted(seen)} after the loss")
        status = (await self._post_notice()).status_code
        expect(status == 403, f"the API answered {status} without the role")
        return f"{KEEPER} taken away at Discord; gone at the next refresh, and the API refuses"

    async def again(self) -> str:
        """Sign in once more, as the first time."""
        self.state, self.nonce, self.verifier = random_text(), random_text(), random_text()
        for step in (self.authorize, self.approval, self.consent, self.exchange):
            await step()
        return "with new tokens"

    async def withdrawn(self) -> str:
        """Withdraw the authorization at Discord: what was built on it must end within a second."""
        sid = self.verified(self.tokens["id_token"], self.client_id, {}).get("sid", "")
        told = await self._simulator("deauthorize", person=self.person, client_id=DISCORD_CLIENT_ID)
        expect(told.get("event"), "Discord has no address to send the event to")
        began = asked = monotonic()
        while await self._refreshes():
            # By when it was asked: a busy machine may take its time to answer.
            expect(asked < began + WITHDRAWAL_SECONDS, "tokens are refreshed a second later")
            await asyncio.sleep(_PAUSE)
            asked = monotonic()
        took = round((monotonic() - began) * 1000)
        while not await self._heard(sid):
            expect(monotonic() < began + _TOLD_SECONDS, "the app was not told (back-channel)")
            await asyncio.sleep(_PAUSE)
        return f"no refresh after {took} ms; the app heard of it by back-channel logout"

    def _roles(self) -> set[str]:
        claims = self.verified(self.tokens["access_token"], None, {"sub": self.subject})
        return set(claims.get("roles", ()))

    async def _post_notice(self) -> httpx2.Response:
        url = f"{self.sample}/api/board"
        return await self.app.post(url, json={"text": "Fog tonight"}, headers=self.bearer())

    async def _simulator(self, name: str, **fields: str) -> dict[str, Any]:
        return document(await self.app.post(f"{self.discord}/_simulator/{name}", json=fields))

    async def _refreshes(self) -> bool:
        """Say whether the refresh token is still good; it is replaced by its successor then."""
        token = self.tokens["refresh_token"]
        answer = await self.token(grant_type="refresh_token", refresh_token=token)
        if answer.status_code == 200:
            self.tokens |= answer.json()
            return True
        error = answer.json().get("error")
        expect(error == "invalid_grant", f"{answer.status_code} {error}")
        return False

    async def _heard(self, sid: str) -> bool:
        url = f"{self.sample}/session"
        return bool(document(await self.app.get(url, params={"sid": sid}))["ended"])
