"""The plans, module by module: the test that asks what a module asks, or why there is none.

As the OpenID Foundation's suite has them in autumn 2026, modules that it has since put together
included. Form Post is Basic in another response mode: each test of ``test_op_basic.py`` runs twice.
"""

from typing import Final

HERE: Final = "protocol/conformance/test_"
NO_NONE: Final = "alg none is not offered; the plan skips it (OpenID Connect Core §3.1.2.6)"
NOT_FETCHED: Final = "no request is fetched (README, what is supported: RFC 9101 §5.2)"


class Not(str):
    """Why a module's question is not answered here with yes."""

    __slots__ = ()


def _of(file: str, modules: dict[str, str]) -> dict[str, str]:
    """Return modules with whole names of tests."""
    return {
        module: name if isinstance(name, Not) else f"{HERE}{file}.py::test_{name}"
        for module, name in modules.items()
    }


BASIC: Final = _of("op_basic", {
    "oidcc-server": "server",
    "oidcc-response-type-missing": "response_type_missing",
    "oidcc-idtoken-signature": "idtoken_signature",
    "oidcc-idtoken-unsigned": Not(NO_NONE),
    "oidcc-userinfo-get": "userinfo_get",
    "oidcc-userinfo-post-header": "userinfo_post_header",
    "oidcc-userinfo-post-body": "userinfo_post_body",
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow": "without_nonce",
    "oidcc-scope-profile": "scope_profile",
    "oidcc-scope-email": "scope_email",
    "oidcc-scope-address": "scope_not_offered",
    "oidcc-scope-phone": "scope_not_offered",
    "oidcc-scope-all": "scope_all",
    "oidcc-ensure-other-scope-order-succeeds": "other_scope_order",
    "oidcc-alternate-happy-flow": "other_scope_order",
    "oidcc-display-page": "display",
    "oidcc-display-popup": "display",
    "oidcc-prompt-login": "prompt_login",
    "oidcc-prompt-none-not-logged-in": "prompt_none_not_logged_in",
    "oidcc-prompt-none-logged-in": "prompt_none_logged_in",
    "oidcc-max-age-1": "max_age_1",
    "oidcc-max-age-10000": "max_age_10000",
    "oidcc-ensure-request-with-unknown-parameter-succeeds": "unknown_parameter",
    "oidcc-id-token-hint": "id_token_hint",
    "oidcc-login-hint": "hints_may_be_ignored",
    "oidcc-ui-locales": "hints_may_be_ignored",
    "oidcc-claims-locales": "hints_may_be_ignored",
    "oidcc-ensure-request-with-acr-values-succeeds": "acr_values",
    "oidcc-codereuse": "codereuse",
    "oidcc-codereuse-30seconds": "codereuse_30seconds",
    "oidcc-ensure-registered-redirect-uri": "unregistered_redirect_uri",
    "oidcc-ensure-post-request-succeeds": "post_request",
    "oidcc-server-client-secret-post": "client_secret_post",
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported":
        "request_uri_unsigned",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported":
        "unsigned_request_object",
    "oidcc-claims-essential": "claims_essential",
    "oidcc-ensure-request-object-with-redirect-uri": Not(NO_NONE),
    "oidcc-refresh-token": "refresh_token",
    "oidcc-ensure-request-with-valid-pkce-succeeds": "valid_pkce",
})  # fmt: skip

CONFIG: Final = _of("op_config", {
    "oidcc-discovery-endpoint-verification": "required_members",
})  # fmt: skip

DYNAMIC: Final = _of("op_dynamic", {
    "oidcc-idtoken-rs256": "idtoken_rs256",
    "oidcc-idtoken-unsigned": "idtoken_unsigned",
    "oidcc-userinfo-rs256": "userinfo_rs256",
    "oidcc-ensure-redirect-uri-in-authorization-request": "redirect_uri_in_authorization_request",
    "oidcc-redirect-uri-query-OK": "redirect_uri_query_ok",
    "oidcc-redirect-uri-query-mismatch": "redirect_uri_query_mismatch",
    "oidcc-redirect-uri-query-added": "redirect_uri_query_mismatch",
    "oidcc-redirect-uri-regfrag": "redirect_uri_regfrag",
    "oidcc-discovery-endpoint-verification":
        Not("it wants implicit response types, and request_uri (README, deviations: Core §15.2)"),
    "oidcc-server": "server",
    "oidcc-registration-logo-uri": "registration_logo_uri",
    "oidcc-registration-policy-uri": "registration_pages",
    "oidcc-registration-tos-uri": "registration_pages",
    "oidcc-registration-jwks-uri": "refresh_token_rp_key_rotation",
    "oidcc-registration-sector-uri": "registration_sector_uri",
    "oidcc-registration-sector-bad": "registration_sector_bad",
    "oidcc-server-rotate-keys": "server_rotate_keys",
    "oidcc-refresh-token-rp-key-rotation": "refresh_token_rp_key_rotation",
    "oidcc-request-uri-unsigned": Not(NOT_FETCHED),
    "oidcc-request-uri-signed-rs256": Not(NOT_FETCHED),
    "oidcc-ensure-request-object-with-redirect-uri": Not(NO_NONE),
    "oidcc-refresh-token": "signing_client",
    "oidcc-ensure-client-assertion-with-iss-aud-succeeds": "signing_client",
})  # fmt: skip

_BYE: Final = "oidcc-rp-initiated-logout"
LOGOUT: Final = _of("op_logout", {
    f"{_BYE}-discovery-endpoint-verification": "discovery",
    _BYE: "logout",
    f"{_BYE}-bad-post-logout-redirect-uri": "bad_redirect_uri",
    f"{_BYE}-query-added-to-post-logout-redirect-uri": "bad_redirect_uri",
    f"{_BYE}-modified-id-token-hint": "modified_hint",
    f"{_BYE}-bad-id-token-hint": "bad_hint",
    f"{_BYE}-no-id-token-hint": "no_hint",
    f"{_BYE}-no-params": "no_params",
    f"{_BYE}-no-post-logout-redirect-uri": "no_redirect_uri",
    f"{_BYE}-no-state": "no_state",
    f"{_BYE}-only-state": "only_state",
})  # fmt: skip

BACKCHANNEL: Final = _of("op_backchannel", {
    "oidcc-backchannel-logout-discovery-endpoint-verification": "discovery",
    "oidcc-backchannel-rp-initiated-logout": "rp_initiated_logout",
})  # fmt: skip

# Of modules for signed requests, national profiles, mutual TLS and grant management there are none
# in this selection. Each name follows ``fapi2-security-profile-final-``.
FAPI2: Final = _of("fapi2", {
    "discovery-end-point-verification": "discovery",
    "happy-flow": "happy_flow",
    "user-rejects-authentication": "user_rejects",
    "ensure-authorization-request-without-state-success": "variants_of_the_request",
    "ensure-authorization-request-without-nonce-success": "variants_of_the_request",
    "ensure-authorization-request-with-64-char-nonce-success": "variants_of_the_request",
    "ensure-other-scope-order-succeeds": "variants_of_the_request",
    "test-claims-parameter-identity-claims": "claims_parameter",
    "access-token-type-header-case-sensitivity": "scheme_is_case_insensitive",
    "check-dpop-proof-nbf-exp": "proof_with_nbf_and_exp",
    "ensure-dpopproof-with-iat-10seconds-before-succeeds": "proof_ten_seconds_off",
    "ensure-dpopproof-with-iat-10seconds-after-succeeds": "proof_ten_seconds_off",
    "ensure-mismatched-dpop-jkt-fails": "mismatched_jkt_at_par",
    "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt": "mismatched_proof_at_token",
    "ensure-token-endpoint-fails-with-mismatched-dpop-jkt": "mismatched_jkt_at_token",
    "ensure-dpopproof-at-par-endpoint-binding-success": "binding_by_a_proof_at_par",
    "ensure-dpop-auth-code-binding-success": "binding_by_jkt",
    "ensure-different-nonce-inside-and-outside-request-object":
        "nothing_counts_beside_a_pushed_request",
    "ensure-different-state-inside-and-outside-request-object":
        "nothing_counts_beside_a_pushed_request",
    "ensure-authorization-request-with-long-nonce": "variants_of_the_request",
    "ensure-authorization-request-with-long-state": "long_state",
    "state-only-outside-request-object-not-used": "nothing_counts_beside_a_pushed_request",
    "ensure-request-object-without-redirect-uri-fails": "nothing_counts_beside_a_pushed_request",
    "ensure-registered-redirect-uri": "unregistered_redirect_uri",
    "plain-fapi-tolerate-unregistered-redirect-uri": "unregistered_redirect_uri",
    "ensure-unsigned-authorization-request-without-using-par-fails": "without_par",
    "ensure-redirect-uri-in-authorization-request": "redirect_uri_is_required",
    "ensure-response-type-code-idtoken-fails": "response_types",
    "ensure-response-type-token-fails": "response_types",
    "ensure-client-id-in-token-endpoint": "client_id_of_another",
    "ensure-holder-of-key-required": "holder_of_key_required",
    "ensure-authorization-code-is-bound-to-client": "code_is_bound_to_the_client",
    "attempt-reuse-authorization-code-after-one-second": "code_reuse",
    "ensure-token-endpoint-fails-with-expired-auth-code": "expired_code",
    "ensure-signed-client-assertion-with-RS256-fails": "rs256_assertion",
    "ensure-client-assertion-in-token-endpoint": "assertion_is_required",
    "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": "bad_assertions",
    "ensure-client-assertion-with-wrong-aud-fails": "audiences_of_assertions",
    "ensure-client-assertion-with-no-sub-fails": "bad_assertions",
    "ensure-invalid-client-assertions-fail": "bad_assertions_of_other_makings",
    "dpop-negative-tests": "bad_proofs_of_other_makings",
    "refresh-token": "refresh_token",
    "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": "request_uri_opened_twice",
    "par-attempt-reuse-request_uri": "request_uri_used_twice",
    "par-attempt-to-use-expired-request_uri": "request_uri_expired",
    "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted":
        "assertions_of_clocks_that_are_ahead",
    "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails":
        "assertions_of_clocks_that_are_ahead",
    "par-attempt-to-use-request_uri-for-different-client": "request_uri_of_another_client",
    "par-authorization-request-containing-request_uri-form-param": "request_uri_in_a_push",
    "par-attempt-invalid-http-method": "par_takes_post_alone",
    "par-ensure-pkce-required": "pkce_is_required",
    "ensure-pkce-code-verifier-required": "verifiers",
    "incorrect-pkce-code-verifier-rejected": "verifiers",
    "par-plain-pkce-rejected": "pkce_is_required",
    "par-without-duplicate-parameters": "happy_flow",
    "par-test-array-as-audience-fails": "audiences_of_assertions",
    "par-test-par-endpoint-url-as-audience-fails": "audiences_of_assertions",
    "par-test-token-endpoint-url-as-audience-fails": "audiences_of_assertions",
})  # fmt: skip

PLANS: Final = {
    "oidcc-basic-certification-test-plan": BASIC,
    "oidcc-config-certification-test-plan": CONFIG,
    "oidcc-dynamic-certification-test-plan": DYNAMIC,
    "oidcc-rp-initiated-logout-certification-test-plan": LOGOUT,
    "oidcc-backchannel-rp-initiated-logout-certification-test-plan": BACKCHANNEL,
    "fapi2-security-profile-final-test-plan": FAPI2,
}
