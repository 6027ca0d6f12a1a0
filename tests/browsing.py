"""A person with a browser that runs no scripts: follows redirects, agrees on every page."""

from urllib.parse import urlsplit

import httpx2

from broker.demo.discord.driver import approve
from broker.demo.forms import Form, read_forms

MAX_STEPS = 12


class Lost(Exception):
    """The person did not come back to the app; the text says where they are."""


async def sign_in(
    browser: httpx2.AsyncClient,
    url: str,
    until: str,
    *,
    discord: str,
    person: str = "ada.lindqvist",
) -> str:
    """Go from an authorization URL to the app's redirect URI, signing in and agreeing.

    Args:
        browser: any HTTP client; its cookies are the browser's.
        url: where the app sent the browser.
        until: what the app's address begins with; it is not asked.
        discord: origin of the simulated Discord.
        person: who signs in there: a username or a snowflake.

    Returns:
        The address at the app, with its ``code`` or ``error``.

    Raises:
        Lost: a page offers nothing to agree to, or there is no end of redirects.
    """
    answer = await _answer(browser, url, until, discord, person)
    if isinstance(answer, Form):
        raise Lost(f"the answer is to be posted to {answer.action}")
    return answer


async def sign_in_and_arrive(
    browser: httpx2.AsyncClient, url: str, until: str, *, discord: str
) -> httpx2.Response:
    """As ``sign_in``, and on into the app, by redirect or by form post; returns its page."""
    answer = await _answer(browser, url, until, discord, "ada.lindqvist")
    if isinstance(answer, Form):
        return await browser.post(answer.action, data=answer.fields, follow_redirects=True)
    return await browser.get(answer, follow_redirects=True)


async def _answer(
    browser: httpx2.AsyncClient, url: str, until: str, discord: str, person: str
) -> str | Form:
    answer = await browser.get(url, follow_redirects=False)
    for _ in range(MAX_STEPS):
        if not answer.is_redirect:
            forms = read_forms(answer.text, str(answer.url))
            for form in forms:
                if form.action.startswith(until):
                    return form
            answer = await _agree(browser, answer, forms)
            continue
        target = str(answer.url.join(answer.headers["location"]))
        if target.startswith(until):
            return target
        if target.startswith(f"{discord}/"):
            target = await approve(browser, target, person)
        answer = await browser.get(target, follow_redirects=False)
    raise Lost(f"still at {answer.url} after {MAX_STEPS} steps")


async def _agree(
    browser: httpx2.AsyncClient, page: httpx2.Response, forms: list[Form]
) -> httpx2.Response:
    """Press the button that allows: on the consent page."""
    for form in forms:
        if form.offers("decision", "allow"):
            here = urlsplit(str(page.url))
            return await browser.post(
                form.action,
                data=form.pressed("decision", "allow"),
                headers={"Origin": f"{here.scheme}://{here.netloc}"},
                follow_redirects=False,
            )
    raise Lost(f"nothing to agree to at {page.url} ({page.status_code}): {page.text[:300]}")
