"""A device's request among all others."""

import pytest

from broker.core.interaction import _page_wanted
from broker.core.model import AuthorizationRequest


@pytest.mark.parametrize(("device", "wanted"), [(None, False), ("sealed", True)])
def test_a_device_never_comes_without_a_page(device: str | None, wanted: bool) -> None:
    """RFC 8628 §5.4: whoever the app is and however often allowed, a person compares the code."""
    request = AuthorizationRequest("app", "https://id.example/done", ("openid",), device=device)
    assert _page_wanted(request, None, signed_in_now=True) is wanted
