"""Errors for people: a page that says what happened and what to do next."""

from collections.abc import Sequence
from typing import ClassVar

from broker.core.errors.base import UPSTREAM, BrokerError, Link
from broker.core.texts import Text, Wait


class PageError(BrokerError):
    """Something a person has to read; it is never answered with a redirect.

    Args:
        public: what happened.
        advice: what to do next.
        private: for the log.
        links: (label, address) pairs that lead on, addresses already validated.
    """

    advice: ClassVar[str] = Text("Go back to the app and start again.")

    def __init__(
        self,
        public: str = "",
        advice: str = "",
        private: str = "",
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(public, private)
        self.next_step = advice or self.advice
        self.links = tuple(links)


class BadAuthorizationRequest(PageError):
    """The client or its redirect URI is not to be trusted (RFC 6749 §4.1.2.1): stay here."""

    code = "invalid_request"
    title = Text("This sign-in link is not valid")
    advice = Text("The app that sent you here has to be corrected by the people who run it.")


class BadRequestObject(BadAuthorizationRequest):
    """A request object that its client did not sign (RFC 9101 §6.2): nothing of it counts."""

    code = "invalid_request_object"
    title = Text("The app's request is not signed as it should be")


class ForeignBrowser(PageError):
    """A page of a sign-in that began in another browser (CVE-2022-39222)."""

    code = "foreign_browser"
    title = Text("This sign-in was started in another browser")
    advice = Text("Go back to the app and sign in from there, in this browser.")


class BadForm(PageError):
    """A form without the token that our page put into it (cross-site request forgery)."""

    code = "bad_form"
    title = Text("This form did not come from our page")


class RequestExpired(PageError):
    """A sign-in that waited longer than its lifetime."""

    code = "request_expired"
    title = Text("This sign-in took too long")


class RequestUnknown(PageError):
    """A sign-in that is finished, or was never begun."""

    code = "request_unknown"
    title = Text("This sign-in is already finished")


class PushedRequestGone(PageError):
    """A pushed request that was used before, waited too long, or is another client's (RFC 9126)."""

    code = "invalid_request_uri"
    title = Text("This sign-in link was already used, or has expired")


class BadCallback(PageError):
    """A callback with a missing, foreign or used ``state`` (login CSRF; RFC 9700 §4.7)."""

    code = "bad_callback"
    title = Text("This answer does not belong to a sign-in of yours")


class UpstreamPage(PageError):
    """The upstream did not accept this sign-in; it can be tried again."""

    code = "upstream_rejected"
    title = Text("%(upstream)s did not accept this sign-in", upstream=UPSTREAM)
    advice = Text("Try again; if it happens again, write to the people who run this service.")


class GrantedTooLittle(PageError):
    """The person did not let us see upstream what the app needs to know; it can be tried again."""

    code = "granted_too_little"
    title = Text("You did not allow at Discord what this app needs to know")
    advice = Text("It goes by the servers you are in there. Try again and allow it, or go back.")


class Declined(PageError):
    """The person said no upstream, and it was no app that asked."""

    code = "declined"
    title = Text("Nothing was changed")
    advice = Text("You said no, or went back.")


class IdentityTaken(PageError):
    """An identity that belongs to another account; nothing is ever merged."""

    code = "identity_taken"
    title = Text("This belongs to another account here")
    advice = Text(
        "Sign in with it to see that account; unlink it there if you want it in this one."
    )


class IdentityOccupied(PageError):
    """The account has an identity at that upstream, and it has one there at the most."""

    code = "identity_occupied"
    title = Text("Another one is linked already")
    advice = Text("Unlink that one first if you want to change it.")


class LastIdentity(PageError):
    """Unlinking it would lock its person out."""

    code = "last_identity"
    title = Text("This is the only way into your account")
    advice = Text("Link another one first.")


class SignInRefused(PageError):
    """The account may not sign in here."""

    code = "sign_in_refused"
    title = Text("This account cannot sign in")
    advice = Text("If you think this is a mistake, write to the people who run this service.")


class TooManyTries(PageError):
    """Too many wrong guesses: wait.

    Args:
        retry_after: seconds after which to try again.
    """

    code = "too_many_tries"
    title = Text("Too many wrong codes")

    def __init__(self, retry_after: int) -> None:
        wait = Wait(retry_after, minutes=True)
        advice = Text(
            "Wait %(wait)s, then enter the code that your device shows by then.", wait=wait
        )
        super().__init__(advice=advice)
        self.retry_after = retry_after
