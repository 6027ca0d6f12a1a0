"""An OpenID provider over real HTTP, honest and hostile: what is believed, and what is not."""

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.core.community.needs import Needs
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.upstream.oidc.discovery import FRESH, RETRY, STALE, UnusableDocument, read
from broker.upstream.oidc.id_token import LATEST, SKEW
from tests.core.helpers import NOW
from tests.core.signers import signs
from tests.protocol.tokens import b64
from tests.upstream.fake_provider import ADA
from tests.upstream.far import VERIFIER, far_provider

DISCOVERY = "/.well-known/openid-configuration"
TELLS_ISSUER = "authorization_response_iss_parameter_supported"
OTHER = signs("RS256", "other")


@pytest.fixture
async def far(transport):
    async with far_provider(transport) as found:
        found.provider.told = None
        yield found


async def refused(far):
    """Sign in, and return why the answer is not taken."""
    with pytest.raises(UpstreamRejected) as caught:
        await far.fetch()
    assert "corp" in caught.value.private
    assert caught.value.public == UpstreamRejected.title
    return caught.value.private


def hmac_with(secret):
    """An ID token signed with HS256 and this text as the secret."""
    import hashlib
    import hmac

    def forge(claims):
        signed = f"{b64({'alg': 'HS256', 'kid': 'first', 'typ': 'JWT'})}.{b64(claims)}"
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    return forge


async def test_the_profile(far):
    """The ID token is enough; userinfo is not asked."""
    profile = (await far.fetch()).profile
    assert (profile.subject, profile.username) == ("ada-1", "ada")
    assert (profile.picture, profile.locale) == (ADA["picture"], "sv-SE")
    assert profile.raw == {"iss": far.provider.origin}
    assert far.calls("profile") == 0


async def test_the_nonce_is_another_each_trip_and_tells_nothing(far):
    """It comes from the verifier, and is not the challenge."""
    (one,) = parse_qs(urlsplit(await far.url()).query)["nonce"]
    (challenge,) = parse_qs(urlsplit(await far.url()).query)["code_challenge"]
    assert len(one) == 43
    assert one not in {challenge, VERIFIER}


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
async def test_each_algorithm_that_is_announced(far, alg):
    """And no other: a provider of ES256 tokens is not taken at its key's word for RS256."""
    far.provider.key = signs(alg, "k")
    far.provider.keys = [far.provider.key]
    far.provider.document = {"id_token_signing_alg_values_supported": [alg]}
    if alg == "Ed25519":
        far.provider.claims = {"at_hash": None}
    await far.fetch()
    far.provider.document = {"id_token_signing_alg_values_supported": ["HS256", "RS512"]}
    far.again()
    with pytest.raises(UpstreamUnavailable, match="not answering"):
        await far.url()


HOSTILE = {
    "another issuer": ({"iss": "https://evil.example"}, "iss"),
    "no issuer": ({"iss": None}, "iss"),
    "issuer with a slash": ({"iss": "http://127.0.0.1/"}, "iss"),
    "another audience": ({"aud": "them"}, "aud"),
    "no audience": ({"aud": None}, "aud"),
    "audience of numbers": ({"aud": [1]}, "aud"),
    "many audiences, no azp": ({"aud": ["us", "them"]}, "azp"),
    "azp of another": ({"azp": "them"}, "azp"),
    "another nonce": ({"nonce": "x" * 43}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "nonce that is no text": ({"nonce": ["x"]}, "nonce"),
    "half a surrogate": ({"nonce": "\ud800"}, "nonce"),
    "at_hash of another": ({"at_hash": "x" * 22}, "at_hash"),
    "expired": ({"exp": 1_799_999_900}, "expired"),
    "no exp": ({"exp": None}, "exp"),
    "exp in text": ({"exp": "soon"}, "exp"),
    "no iat": ({"iat": None}, "iat"),
    "made tomorrow": ({"iat": 1_800_086_400}, "iat"),
    "made yesterday": ({"iat": 1_799_913_600}, "iat"),
    "not yet": ({"nbf": 1_800_086_400}, "nbf"),
    "no subject": ({"sub": None}, "sub"),
    "empty subject": ({"sub": ""}, "sub"),
    "a number as subject": ({"sub": 7}, "sub"),
    "a long subject": ({"sub": "x" * 256}, "sub"),
    "a subject with a newline": ({"sub": "a\nb"}, "sub"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_claims(far, name):
    """Well signed, and refused all the same; the log says which claim it was."""
    far.provider.claims, word = HOSTILE[name]
    assert word in await refused(far)


TIMES = {
    "exp": ((NOW - SKEW + 1, True), (NOW - SKEW, False)),
    "iat": ((NOW + SKEW, True), (NOW + SKEW + 1, False), (NOW - LATEST, True), (NOW - 601, False)),
    "nbf": ((NOW + SKEW, True), (NOW + SKEW + 1, False)),
}


@pytest.mark.parametrize("name", TIMES)
async def test_the_ends_of_its_times(far, name):
    """A minute is what clocks may differ; ten minutes is how old an ID token may be."""
    assert (SKEW, LATEST) == (60, 600)
    for moment, good in TIMES[name]:
        far.provider.claims = {name: moment}
        if good:
            await far.fetch()
        else:
            await refused(far)


async def test_many_audiences_and_we_are_the_party(far):
    """OpenID Connect Core §3.1.3.7: then ``azp`` says to whom it was issued."""
    far.provider.claims = {"aud": ["us", "them"], "azp": "us"}
    await far.fetch()


async def test_at_hash_may_be_left_out(far):
    """It is optional where the ID token comes from the token endpoint (Core §3.1.3.6)."""
    far.provider.claims = {"at_hash": None}
    await far.fetch()


FORGED = {
    "alg none": lambda c: f"{b64({'alg': 'none'})}.{b64(c)}.",
    "alg none with a signature": lambda c: f"{b64({'alg': 'none', 'kid': 'first'})}.{b64(c)}.AAAA",
    "another key under the known name": lambda c: OTHER.sign(c, kid="first"),
    "an unknown key": lambda c: OTHER.sign(c, kid="nobody"),
    "another key without a name": lambda c: OTHER.sign(c, kid=None),
    "its own key in the header": lambda c: OTHER.sign(c, jwk=OTHER.jwk),
    "its own key elsewhere": lambda c: OTHER.sign(c, jku="https://evil.example/jwks"),
    "critical extensions": lambda c: signs("RS256", "first").sign(c, crit=["b64"], b64=False),
    "another type": lambda c: signs("RS256", "first").sign(c, typ="at+jwt"),
    "an algorithm not announced": lambda c: replace(signs("RS256", "first"), alg="PS256").sign(c),
    "no JWT": lambda c: "hello",
    "no text": lambda c: 7,
    "an encrypted one": lambda c: "a.b.c.d.e",
    "a list": lambda c: signs("RS256", "first").sign("[]"),
}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_tokens(far, name):
    """What the provider's published keys did not sign is nothing."""
    far.provider.forge = FORGED[name]
    await refused(far)


@pytest.mark.parametrize("form", ["pem", "der", "modulus", "client secret"])
async def test_hs256_with_what_is_public(far, form):
    """No shared secret is ever taken, neither a public key nor our own (RFC 8725 §2.1)."""
    key = far.provider.key.key
    secret = {
        "pem": key.as_pem(private=False),
        "der": key.as_der(private=False),
        "modulus": far.provider.key.jwk["n"].encode(),
        "client secret": far.secret.encode(),
    }[form]
    far.provider.document = {"id_token_signing_alg_values_supported": ["RS256", "HS256"]}
    far.provider.forge = hmac_with(secret)
    await refused(far)


async def test_no_id_token(far):
    """An access token alone is no sign-in."""
    far.provider.token = {"id_token": None}
    assert "no ID token" in await refused(far)


async def test_a_new_key_is_looked_for_but_not_for_everybody(far):
    """An unknown ``kid`` has the keys read again, once a minute at the most, whoever asks."""
    await far.fetch()
    asked = far.strange.calls["/jwks"]
    far.clock.at += 61
    far.provider.key = signs("RS256", "second")
    far.provider.keys.append(far.provider.key)
    await far.fetch()
    assert far.strange.calls["/jwks"] == asked + 1
    far.provider.forge = lambda claims: OTHER.sign(claims, kid="made up")
    for _ in range(5):
        await refused(far)
    assert far.strange.calls["/jwks"] == asked + 1


async def test_keys_out_of_reach_are_no_refusal(far):
    """It is told as trouble that passes, not as a person who may not come in."""
    far.strange.faults = {"/jwks": "status 500"}
    with pytest.raises(UpstreamUnavailable):
        await far.fetch()


BAD_DOCUMENTS = {
    "another issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": None},
    "no token endpoint": {"token_endpoint": None},
    "no keys": {"jwks_uri": None},
    "an endpoint that is no address": {"token_endpoint": "//evil.example"},
    "a script": {"authorization_endpoint": "javascript:alert(1)"},
    "credentials in an address": {"token_endpoint": "https://us:pw@evil.example/token"},
    "a fragment": {"authorization_endpoint": "https://corp.example/a#b"},
    "only private_key_jwt": {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    "only HS256": {"id_token_signing_alg_values_supported": ["HS256"]},
    "only none": {"id_token_signing_alg_values_supported": ["none"]},
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
async def test_documents_that_nothing_is_built_on(far, name):
    """Nobody is sent anywhere, and nothing but the document is asked for."""
    far.provider.document = BAD_DOCUMENTS[name]
    with pytest.raises(UpstreamUnavailable):
        await far.url()
    assert set(far.strange.calls) == {DISCOVERY}


HTTPS = {
    "issuer": "https://corp.example",
    "authorization_endpoint": "https://corp.example/authorize",
    "token_endpoint": "https://corp.example/token",
    "userinfo_endpoint": "https://corp.example/userinfo",
    "jwks_uri": "https://corp.example/jwks",
}


@pytest.mark.parametrize("endpoint", list(HTTPS)[1:])
@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_a_provider_on_https_is_on_https_everywhere(endpoint, scheme):
    """Whoever is in between would read our secret, or change the keys or the person's name."""
    assert read(HTTPS, "https://corp.example").userinfo_endpoint == "https://corp.example/userinfo"
    with pytest.raises(UnusableDocument, match=endpoint):
        read(HTTPS | {endpoint: f"{scheme}://corp.example/x"}, "https://corp.example")


@pytest.mark.parametrize(
    "address",
    [
        "https://corp.example:99999/token",
        "https://corp.example:x/token",
        "https:///token",
        "https://[::1/token",
        "https://cörp.example/token",
        "https://corp.example/to\nken",
        ["https://corp.example/token"],
    ],
)
def test_an_endpoint_that_is_no_address(address):
    """What two readers could read in two ways, or nobody can, is called by none of ours."""
    with pytest.raises(UnusableDocument, match="token_endpoint"):
        read(HTTPS | {"token_endpoint": address}, "https://corp.example")


@pytest.mark.parametrize("announced", ["true", 1, None, "missing"])
def test_only_a_plain_true_announces_the_issuer_in_answers(announced):
    """RFC 9207 §3: a boolean. Else answers without ``iss`` would be refused for a misspelling."""
    said = {} if announced == "missing" else {TELLS_ISSUER: announced}
    assert not read(HTTPS | said, "https://corp.example").names_itself


def test_microsoft_announces_a_time_that_it_does_not_tell():
    """It tells ``auth_time`` to apps alone that were set up for it, so none is missed there."""
    claims = {"claims_supported": ["auth_time"]}
    assert read(HTTPS | claims, "https://corp.example").tells_time
    theirs = "https://login.microsoftonline.com/common/v2.0"
    assert not read(HTTPS | claims | {"issuer": theirs}, theirs).tells_time


@pytest.mark.parametrize("trouble", ["status 500", "html 200", "huge", "redirect", "text", "drop"])
async def test_a_document_out_of_reach(far, trouble):
    """It is told at once for some seconds, so that no crowd waits; then it is tried again."""
    far.strange.faults = {DISCOVERY: trouble}
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            await far.url()
    assert far.strange.calls[DISCOVERY] == 1
    far.strange.faults = {}
    far.clock.at += RETRY
    await far.url()


async def test_many_who_need_the_document_at_once(far):
    """One reads it, and all have it."""
    far.strange.faults = {DISCOVERY: "slow 0.05"}
    await asyncio.gather(*(far.url() for _ in range(5)))
    assert far.strange.calls[DISCOVERY] == 1


async def test_an_issuer_that_ends_in_a_slash(transport):
    """Discovery §4: it is left out before the path is put behind, and stays in the name."""
    async with far_provider(transport) as far:
        far.settings = replace(far.settings, issuer=f"{far.provider.origin}/")
        far.provider.document = {"issuer": far.settings.issuer}
        far.again()
        far.provider.claims = {"iss": far.settings.issuer}
        assert (await far.fetch()).profile.raw == {"iss": far.settings.issuer}
        assert set(far.strange.calls) >= {DISCOVERY, "/token"}


async def test_the_document_is_kept(far):
    """An hour; beyond it for another day while it cannot be read, and then no more."""
    await far.url()
    far.clock.at += FRESH - 1
    await far.url()
    assert far.strange.calls[DISCOVERY] == 1
    far.strange.faults = {DISCOVERY: "status 503"}
    far.clock.at += STALE
    await far.url()
    far.clock.at += RETRY + 1
    with pytest.raises(UpstreamUnavailable):
        await far.url()


async def test_a_document_that_changed_its_mind_is_not_followed(far):
    """An issuer that calls itself something else overnight is another one."""
    await far.url()
    far.provider.document = {
        "issuer": "https://evil.example",
        "token_endpoint": "https://evil.example/",
    }
    far.clock.at += FRESH
    await far.fetch()


@pytest.mark.parametrize(
    ("announced", "issuer", "ours"),
    [
        (False, None, True),
        (False, "own", True),
        (False, "https://evil.example", False),
        (True, None, False),
        (True, "own", True),
        (True, "https://evil.example", False),
        (True, "", False),
    ],
)
async def test_whose_answer_it_is(far, announced, issuer, ours):
    """RFC 9207 §2.4: a provider that names itself always does, and never names another."""
    far.provider.document = {"authorization_response_iss_parameter_supported": announced}
    named = far.provider.origin if issuer == "own" else issuer
    assert await far.upstream.answered(named) is ours


async def test_the_prompt(far):
    """Passing through needs none; asking who it is takes what the provider announces."""

    async def prompt(kind):
        far.again()
        return parse_qs(urlsplit(await far.url(prompt=kind)).query).get("prompt")

    assert await prompt("none") is None
    assert await prompt("consent") == ["login"]
    far.provider.document = {"prompt_values_supported": ["none", "consent", "select_account"]}
    assert await prompt("consent") == ["select_account"]
    far.provider.document = {"prompt_values_supported": ["none"]}
    assert await prompt("consent") == ["login"]
    google = "https://accounts.google.com"  # refuses words it does not know, and announces none
    assert far.upstream._asking(read(HTTPS | {"issuer": google}, google)) == {
        "prompt": "select_account"
    }


async def test_when_somebody_authenticated(far):
    """As the ID token says; a provider that announces it is asked to, and believed in all else."""
    now = int(far.clock.now())
    assert (await far.fetch()).auth_time is None
    for told, taken in ((now - 9, now - 9), (now + 60, now + 60), (now + 61, 0), (-1, 0), ("1", 0)):
        far.provider.claims = {"auth_time": told}
        assert (await far.fetch()).auth_time == taken
    far.provider.claims, far.provider.people["ada"] = {}, {"sub": "ada-1"}
    far.provider.userinfo = ADA | {"auth_time": now}  # which nobody has signed for this trip
    assert (await far.fetch()).auth_time is None
    assert "max_age" not in await far.url(prompt="consent")
    far.again()
    far.provider.document = {"claims_supported": ["auth_time"]}
    assert (await far.fetch()).auth_time == 0
    assert "max_age=0" in await far.url(prompt="consent")
    assert "max_age" not in await far.url(prompt="none")


async def test_the_login_hint(far):
    """Who is expected is told (Core §3.1.2.1)."""
    assert parse_qs(urlsplit(await far.url(login_hint="ada")).query)["login_hint"] == ["ada"]


BOTH_METHODS = {
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]
}


@pytest.mark.parametrize("method", ["basic", "post"])
async def test_how_we_authenticate(far, method):
    """As the document says, by Basic where it takes both."""
    far.provider.method = method
    await far.fetch()
    far.provider.method, far.provider.document = "basic", BOTH_METHODS
    far.again()
    await far.fetch()


async def test_a_secret_that_basic_would_garble(transport):
    """Libraries do not encode it (RFC 6749 §2.3.1), so it goes by post where that is taken."""
    async with far_provider(transport, client_secret="a+b/c=:%") as far:
        far.provider.method, far.provider.document = "post", BOTH_METHODS
        far.provider.secret = "a+b/c=:%"
        await far.fetch()
        far.settings = replace(far.settings, client_secret="a/b=c")
        far.provider.method, far.provider.document = "basic", {}
        far.provider.secret = "a/b=c"
        far.again()
        await far.fetch()  # where nothing but Basic is taken it goes by that


async def test_a_wrong_secret_names_the_setting_to_the_operator_alone(far):
    """The person reads nothing of it, and nobody reads the secret."""
    far.provider.secret = "another"
    private = await refused(far)
    assert "BROKER_UPSTREAMS" in private
    assert far.secret not in private
    assert far.secret not in repr(far.settings)


async def test_userinfo_fills_in_and_is_the_same_persons(far):
    """It is asked where the ID token has no name; ``sub`` is the same (Core §5.3.2)."""
    far.provider.told = ("sub", "email")
    far.provider.userinfo = {**ADA, "email": "other@example.com"}
    profile = (await far.fetch()).profile
    assert profile.display_name == "Ada Lindqvist"
    # The address is the ID token's, and what userinfo says of another one does not verify it.
    assert (profile.email, profile.email_verified) == ("ada@example.com", False)
    for other in ({**ADA, "sub": "ben-2"}, {"name": "Ada"}):
        far.provider.userinfo = other
        assert "another person" in await refused(far)


@pytest.mark.parametrize("verified", ["true", 1, "missing", None, False])
async def test_only_a_plain_true_verifies_an_address(far, verified):
    """And an address that is none is not there."""
    person = {**ADA, "email_verified": verified}
    if verified == "missing":
        del person["email_verified"]
    far.provider.people["ada"] = person
    assert (await far.fetch()).profile.email_verified is False


async def test_an_address_that_was_not_granted_is_not_taken(far):
    """The answer says what was granted; an ID token or userinfo that tells more is not heard."""
    far.provider.claims = {"email": "ada@example.com", "email_verified": True}
    far.provider.userinfo = ADA
    for told in (None, ("sub",)):
        far.provider.told = told
        profile = (await far.fetch(Needs())).profile
        assert (profile.email, profile.email_verified, profile.email_read) == (None, False, False)
    # Google's own name of that scope (an answer that names none leaves it to what is told).
    for scope in ("openid https://www.googleapis.com/auth/userinfo.email", None):
        far.provider.token = {"scope": scope}
        assert (await far.fetch()).profile.email == "ada@example.com"


async def test_hostile_profiles(far):
    """Control characters, scripts for pictures, nothing but a subject: all of it is survived."""
    far.provider.people["ada"] = {
        "sub": "x",
        "name": "A\x00\u202eB" + "c" * 500,
        "picture": "javascript:alert(1)",
        "email": "no address",
        "email_verified": True,
        "locale": {"a": 1},
        "preferred_username": ["a"],
    }
    profile = (await far.fetch()).profile
    assert len(profile.display_name) == 100
    assert "\x00" not in profile.display_name
    assert (profile.picture, profile.email, profile.email_verified) == (None, None, False)
    assert profile.locale is None
    far.provider.people["ada"] = {"sub": "x"}
    assert (await far.fetch()).profile.display_name == "Someone"


TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


async def test_many_tenants(transport):
    """Microsoft's address for all: each ID token names its tenant, which is part of the subject."""
    async with far_provider(transport) as far:
        origin = far.provider.origin
        far.settings = type(far.settings)(
            **{n: getattr(far.settings, n) for n in far.settings.__slots__}
            | {"issuer": f"{origin}/common/v2.0"}
        )
        far.provider.document = {"issuer": f"{origin}/{{tenantid}}/v2.0"}
        far.strange.inner = _under("/common/v2.0", far.strange.inner)
        far.again()
        far.provider.claims = {"iss": f"{origin}/{TENANT}/v2.0", "tid": TENANT}
        assert (await far.fetch()).profile.subject == f"{TENANT}:ada-1"
        for iss, tid in (
            (f"{origin}/{{tenantid}}/v2.0", TENANT),
            (f"{origin}/common/v2.0", None),
            (f"{origin}/{TENANT}/v2.0/", TENANT),
            (TENANT, TENANT),
            (f"{origin}/../{TENANT}/v2.0", TENANT),
            (f"https://evil.example/{TENANT}/v2.0", TENANT),
            (f"{origin}/{TENANT}/v2.0", "00000000-6c67-4c5b-b112-36a304b66dad"),
        ):
            far.provider.claims = {"iss": iss, "tid": tid}
            assert "ID token" in await refused(far)


async def test_a_template_is_not_taken_for_one_tenant(far):
    """Where one tenant is configured, a document of many is another's."""
    far.provider.document = {"issuer": far.provider.origin + "/{tenantid}"}
    with pytest.raises(UpstreamUnavailable) as caught:
        await far.url()
    assert "calls its issuer" in caught.value.private


def _under(prefix, inner):
    async def app(scope, receive, send):
        await inner({**scope, "path": scope["path"].removeprefix(prefix)}, receive, send)

    return app
