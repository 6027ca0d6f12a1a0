"""The README's table of what is supported, each row with the tests that prove it.

``python -m tests.readme.supported`` writes it anew. A test is named as pytest does, without its
parameters: ``protocol/test_x.py::test_y`` under ``tests/``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.named import unknown, whole
from tests.readme.settings_table import README

BEGIN, END = "<!-- supported: begin -->", "<!-- supported: end -->"


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        source: specification and section.
        what: what is supported, or why it is not; Markdown.
        proofs: the tests, ``file::name``; a file already named may be left out: ``::name``.
        yes: whether it is supported.
    """

    source: str
    what: str
    proofs: tuple[str, ...]
    yes: bool = True

    @property
    def nodes(self) -> tuple[str, ...]:
        """The tests' whole names."""
        return whole(self.proofs)


P, C = "protocol/test_", "core/test_core_"
ROWS = (
    # ── OAuth 2.0 ──────────────────────────────────────────────────────────────────────────
    Row(
        "RFC 6749 §3.1, §4.1: code grant",
        "redirect URIs compared exactly; what is wrong with them is a page, all else goes back",
        (
            f"{P}authorize_requests.py::test_redirect_uri_not_registered",
            "::test_anything_wrong_together_with_an_evil_redirect_uri",
            f"{P}token_codes.py::test_a_code_s_answer",
            "::test_code_twice",
            "::test_parallel_redemptions",
        ),
    ),
    Row(
        "RFC 6749 §6: refresh",
        "spent at each use; a lost answer costs nothing, a stolen token ends its "
            "grant; what was taken from the client since is gone from the next answer on",
        (
            f"{P}token_refresh.py::test_a_refresh_s_answer",
            "::test_parallel_refreshes",
            "::test_spent_token_outside_the_grace_time",
            "::test_spent_token_within_the_grace_time",
        ),
    ),
    Row(
        "RFC 6749 §4.4: client credentials",
        "for clients that authenticate; tokens of their own, nobody's profile",
        (
            f"{P}client_credentials.py::test_a_token_of_its_own",
            "::test_public_clients_have_nothing_to_show",
            "::test_no_more_scope_than_its_own",
            "::test_userinfo_has_nothing_for_it",
        ),
    ),
    Row(
        "RFC 6749 §2.3: client authentication",
        "`client_secret_basic`, `client_secret_post`, none; two secrets while one is replaced",
        (
            f"{P}token_requests.py::test_right_secrets_in_every_accepted_form",
            "::test_unproven_clients_are_all_answered_alike",
            f"{C}clients.py::test_two_secrets_while_one_is_replaced",
        ),
    ),
    Row(
        "RFC 7523 §2.2, Core §9: `private_key_jwt`",
        "keys inline or at `jwks_uri`; each assertion once; `aud` is ours and nobody else's",
        (
            f"{P}private_key_jwt.py::test_code_refresh_and_revocation",
            "::test_bad_assertions",
            "::test_an_assertion_is_good_once",
            "::test_keys_at_an_address",
            "::test_keys_at_a_private_address",
        ),
    ),
    Row(
        "RFC 6749 §3.1.1, §4.2, §4.3: implicit, hybrid, password",
        "RFC 9700 §2.1.2 and §2.4 forbid them",
        (f"{P}authorize_requests.py::test_response_types_not_enabled",
         f"{P}token_requests.py::test_unknown_grant"),
        yes=False,
    ),
    Row(
        "RFC 6750 §2: bearer tokens",
        "in the header, or in the form at `/userinfo`; never in the URL",
        (
            f"{P}userinfo.py::test_no_token_at_all",
            "::test_token_in_the_query",
            "::test_token_in_two_places",
            f"{P}snapshots.py::test_challenges",
        ),
    ),
    Row(
        "RFC 7009: revocation",
        "by refresh or access token; nothing of the grant refreshes afterwards",
        (
            f"{P}token_ends.py::test_revoking_a_refresh_token",
            "::test_revoking_an_access_token",
            "::test_refresh_racing_a_revocation",
            "::test_revoking_another_client_s_token",
        ),
    ),
    Row(
        "RFC 7591 §2, §3: dynamic registration",
        "open, or with an initial access token, or off (the default); third-party, with PKCE, "
        "within what anybody may have",
        (
            f"{P}registration.py::test_a_registered_client_is_told_all_of_itself",
            "::test_a_registered_client_signs_people_in",
            "::test_hostile_metadata",
            "::test_nobody_gives_himself_what_operators_give",
            "::test_an_initial_access_token_lets_in",
            "::test_where_registration_is_off_there_is_nothing",
            "clients/test_openid_client_more.py::test_it_registers_itself",
        ),
    ),
    Row(
        "RFC 7591 §2.2: metadata in other languages",
        "`client_name#ko` and the addresses that people see; pages say them in their own language",
        (
            f"{P}registration.py::test_it_may_say_how_it_looks",
            "::test_bad_languages",
            f"{P}client_translations.py::test_every_page_that_names_it",
            f"{C}translations.py::test_which_language_counts",
        ),
    ),
    Row(
        "RFC 7591 §2.3: software statements",
        "passed by",
        (f"{C}registration.py::test_unknown_members_are_passed_by",),
        yes=False,
    ),
    Row(
        "RFC 7592 §2: client configuration endpoint",
        "read, replace, delete; the token stays the same; secrets are told once, when made",
        (
            f"{P}registration_management.py::test_a_client_reads_its_registration",
            "::test_an_edit_replaces_everything",
            "::test_what_an_edit_must_not_say",
            "::test_a_client_removes_itself",
            "::test_only_a_client_s_own_token_opens_its_registration",
        ),
    ),
    Row(
        "RFC 7662: introspection",
        "for the client of a token, and for whom the API names; a dead grant is inactive",
        (
            f"{P}introspection.py::test_what_an_access_token_says",
            "::test_whom_a_token_concerns",
            "::test_dead_tokens",
            "::test_garbage",
        ),
    ),
    Row(
        "RFC 7636: PKCE",
        "`S256` for everybody; `plain` never",
        (
            f"{P}authorize_requests.py::test_pkce_missing_plain_or_malformed",
            f"{P}token_codes.py::test_verifier_where_no_challenge_was_sent",
            f"{C}pkce.py::test_the_example_of_the_rfc",
        ),
    ),
    Row(
        "RFC 8252: native apps",
        "loopback with any port, schemes of their own; always a page that names the app",
        (
            f"{P}authorize_requests.py::test_loopback_port_of_a_native_app_may_differ",
            "::test_loopback_anything_but_the_port",
            f"{P}sign_in.py::test_such_an_app_always_sees_a_page_that_names_it",
        ),
    ),
    Row(
        "RFC 8414: authorization server metadata",
        "computed from what is on; each statement is tried out",
        (
            f"{P}metadata_proven.py::test_every_statement_is_proven_here",
            "::test_endpoints",
            "::test_values",
            "::test_flags",
        ),
    ),
    Row(
        "RFC 8628: device authorization",
        "a page for the code, a QR code, limits on guesses and polls",
        (
            f"{P}device.py::test_a_device_gets_its_tokens",
            f"{P}device_polls.py::test_too_fast",
            "::test_the_code_expires",
            f"{P}device_people.py::test_guessing_is_stopped",
            "browser/test_browser_device.py::test_a_device_is_connected",
            "clients/test_device.py::test_a_device",
        ),
    ),
    Row(
        "RFC 8693: token exchange",
        "impersonation and delegation (`act`), each as a client's policy allows; scope never grows",
        (
            f"{P}token_exchange.py::test_impersonation",
            "::test_delegation",
            "::test_policy",
            "::test_scope_never_grows",
            "::test_it_dies_with_the_grant",
            "clients/test_openid_client_more.py::test_it_acts_for_somebody",
        ),
    ),
    Row(
        "RFC 8693: Discord's access token for ours (`subject_issuer`)",
        "only one issued to our application; a session, a grant, an ID token, policies as ever",
        (
            f"{P}discord_exchange.py::test_what_a_good_token_is_exchanged_for",
            "::test_a_token_of_another_application",
            "::test_worthless_tokens_are_counted",
            "::test_a_grant_is_bound_to_a_key",
            f"{P}discord_exchange_people.py::test_a_policy_refuses",
        ),
    ),
    Row(
        "RFC 8693: ours for Discord's access token (`requested_issuer`)",
        "for clients that an operator lets; renewed where it has run out; audited each time",
        (
            f"{P}upstream_token.py::test_the_token_that_discord_gave",
            "::test_who_may_not",
            "::test_whose_tokens_open_it",
            "::test_one_that_has_run_out_is_renewed",
            "::test_each_time_is_in_the_audit_log",
        ),
    ),
    Row(
        "RFC 8707: resource indicators",
        "at both endpoints; narrowed at each refresh",
        (
            f"{P}authorize_requests.py::test_resource_may_repeat",
            "::test_resource_not_registered",
            f"{P}token_codes.py::test_resource_narrowed_and_widened",
            f"{P}token_refresh.py::test_narrower_scope_and_resource",
        ),
    ),
    Row(
        "RFC 9068: JWT access tokens",
        "`at+jwt`, the audience of the API, `roles` and `groups`; RS256, PS256, ES256, EdDSA",
        (
            f"{C}tokens.py::test_an_access_token",
            f"{P}community_claims.py::test_a_service_is_told_offline",
            f"{P}algorithms.py::test_access_tokens_for_an_api",
            f"{P}userinfo.py::test_id_token_used_as_access_token",
            "::test_alg_none",
        ),
    ),
    Row(
        "RFC 9126: pushed authorization requests",
        "leads to one code; may be demanded of a client; `dpop_jkt` or a proof binds it",
        (
            f"{P}pushed_requests.py::test_a_pushed_request_signs_somebody_in",
            "::test_of_many_at_once_one_gets_a_code",
            "::test_of_another_client",
            "::test_a_client_that_has_to_push",
        ),
    ),
    Row(
        "RFC 9101: signed request objects",
        "by value, for clients that have registered keys",
        (
            f"{P}request_objects.py::test_a_signed_request_leads_to_a_code",
            "::test_only_what_is_inside_counts",
            "::test_what_a_signed_request_may_not_be",
            "::test_a_client_that_has_to_sign",
        ),
    ),
    Row(
        "RFC 9101 §5.2: `request_uri`",
        "what a client names is not fetched for a request",
        (f"{P}authorize_requests.py::test_request_uri_not_ours",),
        yes=False,
    ),
    Row(
        "RFC 9207: issuer in answers",
        "in each, errors too",
        (f"{P}authorize_requests.py::test_iss_is_ours_whatever_the_request_says",
         f"{P}snapshots.py::test_a_refusal"),
    ),
    Row(
        "RFC 9449: DPoP",
        "at `/token`, `/par` and `/userinfo`, `dpop_jkt`, nonces by setting",
        (
            "protocol/conformance/test_fapi2.py::test_bad_proofs",
            "::test_bad_proofs_of_other_makings",
            f"{C}dpop.py::test_claims_that_do_not_count",
            "::test_a_proof_has_to_hold_the_nonce",
            "::test_a_pushed_request_is_bound_to_one_key",
            f"{P}metadata_proven.py::test_values",
        ),
    ),
    # ── OpenID Connect ─────────────────────────────────────────────────────────────────────
    Row(
        "OpenID Connect Core §3.1: code flow",
        "`prompt`, `max_age`, `login_hint`, `id_token_hint`, `nonce`; the Basic OP test plan",
        (
            "protocol/conformance/test_op_basic.py::test_idtoken_signature",
            "::test_prompt_login",
            "::test_max_age_1",
            f"{P}sign_in.py::test_prompt_none_without_consent",
            "::test_id_token_hint_of_somebody_else",
            "clients/test_authlib.py::test_the_whole_flow",
            "clients/test_openid_client.py::test_the_whole_flow",
            "clients/test_mod_auth_openidc.py::test_in_and_out",
            "browser/test_browser_single_page.py::test_it_signs_in_refreshes_and_signs_out",
        ),
    ),
    Row(
        "Core §3.1.2.1, RFC 4647 §3.4: `ui_locales`",
        "English and Korean; kept with the sign-in, else the browser's Accept-Language",
        (
            f"{P}languages.py::test_the_app_s_wish_counts_before_the_browser_s",
            "languages/test_choice.py::test_a_wish_is_looked_up",
        ),
    ),
    Row(
        "Core §5.1, §5.3, §5.4: claims and `/userinfo`",
        "`openid`, `profile`, `email`, by scope; nothing of a dead grant",
        (
            f"{P}userinfo.py::test_userinfo",
            "::test_too_little_scope",
            f"{C}metadata.py::test_a_scope_releases_its_claims_and_no_others",
        ),
    ),
    Row(
        "Core §5.3.2: signed `/userinfo`",
        "for clients that are registered for it",
        (
            f"{P}userinfo_signed.py::test_signed_for_its_client",
            "::test_it_is_no_id_token",
        ),
    ),
    Row(
        "Core §5.5: `claims`, `acr_values`",
        "claims by name, as far as the scopes of the client reach",
        (
            f"{P}claims_parameter.py::test_claims_by_name",
            "::test_a_third_party_asks_for_them",
            "::test_an_essential_acr",
            "::test_a_subject_by_value",
        ),
    ),
    Row(
        "Core §8: pairwise subjects",
        "by sector; at `/userinfo`, in hints and logout tokens too",
        (
            f"{P}claims_parameter.py::test_pairwise_subjects",
            "::test_pairwise_hints",
            f"{P}backchannel.py::test_a_pairwise_client_hears_its_own_subject",
        ),
    ),
    Row(
        "Core §11: `offline_access`",
        "refresh tokens that outlive the session, with the person's consent",
        (f"{P}logout.py::test_offline_access_outlives_logout",),
    ),
    Row(
        "Core §12: refreshed ID tokens",
        "as each client chooses",
        (f"{P}token_refresh.py::test_id_token_at_refresh_is_the_client_s_choice",),
    ),
    Row(
        "Multiple Response Types §2.1, Form Post Response Mode 1.0",
        "`query`, `fragment`, `form_post`, errors too; the Form Post OP test plan",
        (
            f"{P}response_modes.py::test_fragment",
            "::test_form_post",
            "::test_errors_go_the_same_way",
            "::test_modes_that_are_not_known",
            "browser/test_browser_single_page.py::test_it_signs_in_refreshes_and_signs_out",
            "clients/test_mod_auth_openidc.py::test_in_and_out",
        ),
    ),
    Row(
        "OpenID Connect Discovery 1.0 §3, §4",
        "the Config OP test plan",
        (
            "protocol/conformance/test_op_config.py::test_required_members",
            f"{P}metadata_proven.py::test_a_setting_changes_what_it_is_about",
        ),
    ),
    Row(
        "OpenID Connect Dynamic Registration 1.0",
        "as RFC 7591; sector documents are fetched and checked; the Dynamic OP test plan, with "
        "tokens that waive PKCE",
        (
            "protocol/conformance/test_op_dynamic.py::test_server",
            "::test_registration_sector_bad",
            f"{P}registration.py::test_a_sector_document_lists_every_redirect_uri",
            "::test_a_sector_document_that_may_not_be_fetched",
        ),
    ),
    Row(
        "Dynamic Registration §2: encrypted tokens",
        "asking for them is refused",
        (f"{C}registration.py::test_a_member_of_another_kind_is_named",),
        yes=False,
    ),
    Row(
        "RP-Initiated Logout 1.0",
        "with a hint at once, without one after a question; the test plan",
        (
            f"{P}logout.py::test_logout_with_a_hint",
            "::test_logout_without_a_hint_asks",
            "::test_post_logout_uri_not_registered_or_changed",
            "protocol/conformance/test_op_logout.py::test_logout",
        ),
    ),
    Row(
        "FAPI 2.0 Security Profile",
        "`private_key_jwt`, DPoP, pushed requests, PS256, ES256: the test plan, mutual TLS aside",
        (
            "protocol/conformance/test_fapi2.py::test_happy_flow",
            "::test_audiences_of_assertions",
            "::test_holder_of_key_required",
            "::test_request_uri_used_twice",
            "::test_refresh_token",
            "clients/test_oauth4webapi.py::test_a_client_of_fapi",
        ),
    ),
    Row(
        "Back-Channel Logout 1.0",
        "with `sid`, tried again until told; a crash loses none; the test plan",
        (
            "protocol/conformance/test_op_backchannel.py::test_rp_initiated_logout",
            f"{P}backchannel.py::test_a_logout_token",
            "::test_every_client_of_the_session_and_no_other",
            "::test_a_receiver_that_fails_is_told_again",
            "faults/test_backchannel_kill.py::test_killed_right_after_the_logout",
            "clients/test_mod_auth_openidc.py::test_signed_out_elsewhere",
        ),
    ),
    # ── other places to sign in ────────────────────────────────────────────────────────────
    Row(
        "OpenID Connect Core §3.1.3.7, Discovery §4.3: as a client of any provider",
        "PKCE and nonce always; ID tokens judged in full; RFC 9207 against mix-up; Microsoft's "
        "many tenants",
        (
            "upstream/test_oidc.py::test_hostile_claims",
            "::test_forged_tokens",
            "::test_hs256_with_what_is_public",
            "::test_whose_answer_it_is",
            "::test_documents_that_nothing_is_built_on",
            "::test_many_tenants",
            "upstream/test_contract.py::test_the_way_there",
            f"{P}choice.py::test_an_answer_of_another_issuer",
            "clients/test_broker_of_brokers.py::test_a_person_passes_through_both",
        ),
    ),
    Row(
        "GitHub: OAuth apps",
        "PKCE; the account's number is the identity; only a verified primary address counts",
        (
            "upstream/test_github.py::test_the_profile",
            "::test_only_a_verified_primary_address_counts",
            "::test_programs_do_not_sign_in",
        ),
    ),
    Row(
        "linking identities",
        "with a fresh sign-in to both; one account an identity, never by e-mail, never merged",
        (
            f"{P}account.py::test_linking",
            "::test_an_identity_of_another_account_stays_there",
            "::test_an_address_links_nothing",
            "::test_linking_needs_a_fresh_sign_in",
            "::test_unlinking_ends_what_it_vouched_for",
            "stores/test_sql_identities.py::test_racing_links_give_an_identity_one_account",
            "browser/test_browser_doors.py::test_linking_and_unlinking",
        ),
    ),
    # ── Discord ────────────────────────────────────────────────────────────────────────────
    Row(
        "one's own account",
        "sessions, apps and their withdrawal, all that is kept as a file, deletion with a grace",
        (
            f"{P}account_own.py::test_sessions_are_listed",
            "::test_signing_out_everywhere",
            "::test_withdrawing_access",
            "::test_the_download_holds_everything",
            "::test_signing_in_offers_to_keep_it",
            "::test_gone_in_time",
            "stores/test_sql_departures.py::test_nothing_is_left",
            "stores/test_redis_accounts.py::test_a_deleted_account_leaves_nothing",
        ),
    ),
    Row(
        "Discord: guilds and roles as claims",
        "scopes `guilds`, `roles`, `groups`; `membership_as_of` says how old they are",
        (
            f"{P}community_claims.py::test_in_every_place",
            "::test_by_scope",
            "::test_by_name",
            "::test_of_its_own_guilds_alone",
            f"{P}community_sign_in.py::test_the_least_is_asked_for",
            "::test_asked_once_more",
        ),
    ),
    Row(
        "Discord: access by guild and role",
        "judged before each code and at each refresh, by membership that is kept fresh",
        (
            f"{P}access_policy.py::test_each_rule",
            "::test_the_page_says_what_is_missing",
            f"{P}recheck.py::test_a_lost_condition_ends_the_grant",
            "::test_a_lost_role_leaves_the_next_tokens",
            "::test_last_known_counts_for_a_while",
            "::test_fresh_membership_costs_nothing",
        ),
    ),
    Row(
        "Discord: webhook events",
        "Ed25519; `APPLICATION_DEAUTHORIZED` ends sessions, codes and grants begun before it",
        (
            f"{P}discord_events.py::test_what_discord_has_not_signed",
            "::test_old_and_future_signatures",
            "::test_a_withdrawal_ends_all_that_was_built_on_it",
            "::test_what_was_begun_since_stays",
            "::test_replays_are_harmless",
            "faults/test_withdrawal.py::test_everything_ends_within_a_second",
            "::test_killed_between_sql_and_redis",
        ),
    ),
    Row(
        "Discord Social SDK: OIDC Integration Requirements",
        "the broker as Discord's OpenID provider; `broker doctor discord-provider` proves it",
        (
            f"{P}discord_provider.py::test_an_id_token_is_what_discord_demands",
            "::test_a_username_that_is_too_long",
            "doctor/test_doctor_provider.py::test_a_real_broker_behind_tls_is_right_in_everything",
            "::test_the_id_token",
        ),
    ),
)  # fmt: skip


def table() -> str:
    """Return the table in Markdown."""
    rows = ["| specification | what | proven by `tests/` |", "|---|---|---|"]
    for row in ROWS:
        files = dict.fromkeys(node.partition("::")[0] for node in row.nodes)
        named = ", ".join(f"`{file}`" for file in files)
        rows.append(f"| {row.source} | {'✓' if row.yes else '✗'} {row.what} | {named} |")
    return "\n".join(rows)


def missing() -> Iterator[str]:
    """Yield the tests that are named and do not exist."""
    for row in ROWS:
        yield from unknown(row.nodes)


def in_readme() -> str:
    """Return the table as the README has it."""
    return README.read_text("utf-8").split(BEGIN)[1].split(END)[0].strip()


if __name__ == "__main__":
    text = README.read_text("utf-8")
    before, rest = text.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", "utf-8")
