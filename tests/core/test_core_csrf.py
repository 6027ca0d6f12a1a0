"""Form tokens bind a form to a browser and a subject."""

import pytest

from broker.core.csrf import FormTokens, browser_digest
from tests.core.helpers import OTHER_SECRET, SECRET

FORMS = FormTokens([SECRET])
GOOD = FORMS.make("browser", "request account")


def test_a_token_is_good_for_its_browser_and_subject() -> None:
    """What we put into a form is accepted back."""
    assert FORMS.good(GOOD, "browser", "request account")


@pytest.mark.parametrize(
    ("token", "browser", "subject"),
    [
        (GOOD, "another", "request account"),
        (GOOD, "browser", "request another"),
        (GOOD, "browse", "rrequest account"),
        (GOOD, None, "request account"),
        (GOOD, "", "request account"),
        (FORMS.make("", "request account"), "", "request account"),
        (None, "browser", "request account"),
        ("", "browser", "request account"),
        (GOOD[:-1], "browser", "request account"),
        ("é", "browser", "request account"),
    ],
)
def test_anything_else_is_refused(token: str | None, browser: str | None, subject: str) -> None:
    """Another browser, subject or token, or none of them: not from our page."""
    assert not FORMS.good(token, browser, subject)


def test_an_old_secret_is_accepted_and_a_dropped_one_is_not() -> None:
    """A form that was open while the secrets changed can still be sent."""
    assert FormTokens([OTHER_SECRET, SECRET]).good(GOOD, "browser", "request account")
    assert not FormTokens([OTHER_SECRET]).good(GOOD, "browser", "request account")


def test_what_is_kept_of_a_browser_is_a_digest() -> None:
    """A dump of Redis holds no cookie that could be put into a browser."""
    assert "browser" not in browser_digest("browser")
    assert len(browser_digest("browser")) == 43
