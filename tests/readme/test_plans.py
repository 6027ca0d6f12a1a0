"""Nothing of the OpenID Foundation's test plans is passed over in silence."""

import pytest

from tests.named import unknown
from tests.protocol.conformance.plans import PLANS, Not


@pytest.mark.parametrize("plan", PLANS)
def test_each_module_has_a_test_or_a_reason(plan: str) -> None:
    """What is named is there."""
    assert not list(unknown(one for one in PLANS[plan].values() if not isinstance(one, Not)))


def test_the_reasons_are_few() -> None:
    """What cannot be had by choice: unsigned tokens and requests, and requests that are fetched."""
    assert {
        module for plan in PLANS.values() for module, one in plan.items() if isinstance(one, Not)
    } == {
        "oidcc-idtoken-unsigned",
        "oidcc-ensure-request-object-with-redirect-uri",
        "oidcc-request-uri-unsigned",
        "oidcc-request-uri-signed-rs256",
        "oidcc-discovery-endpoint-verification",
    }
