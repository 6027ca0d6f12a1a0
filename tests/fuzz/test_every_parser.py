"""No parser is left out: whatever reads text is fuzzed here, or it is said where it is tried."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import broker
import keys
from tests.fuzz.test_fuzz_parsers import PARSERS, try_out

READERS = {
    "loads", "urlsplit", "parse_qsl", "unquote", "unquote_to_bytes", "urlsafe_b64decode",
    "b64decode", "fromisoformat", "fromhex", "ip_address", "ip_network", "IPv4Address",
    "IPv6Address", "make_url", "import_key", "parse_authentication_credential_json",
    "verify_registration_response", "load_pem_private_key", "load_pem_public_key",
    "load_der_private_key",
}  # fmt: skip
"""What text and bytes are read with. Numbers alone (``int``, ``float``) tell nothing: half of the
code counts; those that are read out of text are in functions that are listed for something else.
"""
ROOT = Path(broker.__path__[0]).parent
EXAMPLES = 12

OURS = "a record of our own; tests/stores/test_other_releases.py reads those of other releases"
SET = "a setting, which tests/fuzz/operators.py has judged at the start"
KNOWN = "an address that was judged when it was registered, read or set"
SENT = "tests/protocol/test_fuzz.py sends it over HTTP"
MADE = "identifiers and keys that we made ourselves"
WITHIN = "from the server to its own processes"
LOOKED = "the system's or a library's own answer"
ELSEWHERE = {
    ("broker/admin/console.py", "Console.__init__"): SET,
    ("broker/admin/passkeys.py", "Passkeys.__init__"): SET,
    ("broker/admin/passkeys.py", "Passkeys.creation"): MADE,
    ("broker/admin/views/operators.py", "Operators._remove_passkey"): SENT,
    ("broker/app/client_rules.py", "_unseemly"): "tests/app/test_registration_fuzz.py",
    ("broker/app/handover.py", "Handover.read"): WITHIN,
    ("broker/app/handover.py", "heard"): WITHIN,
    ("broker/app/tracing.py", "Tracing.__init__"): SET,
    ("broker/app/upstreams.py", "_mark"): SET,
    ("broker/app/upstreams.py", "_origin"): SET,
    ("broker/core/wishes.py", "_absolute"): SENT,
    ("broker/core/handles.py", "Handles.make"): MADE,
    ("broker/core/redirects.py", "is_loopback"): KNOWN,
    ("broker/core/redirects.py", "origin"): KNOWN,
    ("broker/core/redirects.py", "proves_client"): KNOWN,
    ("broker/core/redirects.py", "shown_host"): KNOWN,
    ("broker/core/redirects.py", "web_origins"): KNOWN,
    ("broker/core/registration.py", "_name"): "tests/app/test_registration_fuzz.py",
    ("broker/core/responses.py", "asked_mode"): KNOWN,
    ("broker/core/subjects.py", "sector"): KNOWN,
    ("broker/core/subjects.py", "subject_for"): MADE,
    ("broker/doctor/checks/provider.py", "public"): LOOKED,
    ("broker/doctor/fetching.py", "Fetcher._trusted"): KNOWN,
    ("broker/doctor/fetching.py", "_aimed"): KNOWN,
    ("broker/doctor/fetching.py", "resolve"): KNOWN,
    ("broker/doctor/gathering.py", "_looks"): KNOWN,
    ("broker/doctor/places.py", "is_loopback"): KNOWN,
    ("broker/stores/embedded/locks.py", "Lock.read"): "tests/stores/test_embedded.py",
    ("broker/stores/redis/codec.py", "_part"): OURS,
    ("broker/stores/redis/codec.py", "_with_community"): OURS,
    ("broker/stores/redis/codec.py", "facts"): OURS,
    ("broker/stores/redis/codec.py", "grant"): OURS,
    ("broker/stores/redis/codec.py", "pending"): OURS,
    ("broker/stores/redis/consoles.py", "RedisConsoles.look"): OURS,
    ("broker/stores/redis/consoles.py", "RedisConsoles.take_challenge"): OURS,
    ("broker/stores/redis/devices.py", "RedisDevices.look"): OURS,
    ("broker/stores/sql/authorizations.py", "SqlAuthorizations._opened"): OURS,
    ("broker/stores/sql/operators.py", "_operator"): OURS,
    ("broker/upstream/github.py", "GitHub.origins"): SET,
    ("broker/upstream/oidc/provider.py", "OpenIdProvider._get"): KNOWN,
    ("broker/upstream/oidc/provider.py", "OpenIdProvider.origins"): KNOWN,
    ("broker/upstream/outbound/names.py", "Resolver.__call__"): LOOKED,
    ("broker/web/addresses.py", "_networks"): SET,
    ("broker/web/bodies.py", "json_object"): SENT,
    ("broker/web/faces.py", "scheme"): KNOWN,
    ("broker/web/middleware.py", "Frame.__init__"): SET,
    ("keys/files.py", "jwk"): MADE,
    ("keys/files.py", "private_pem"): MADE,
    ("keys/making.py", "private_key"): MADE,
    ("keys/making.py", "public_key"): MADE,
    ("keys/pkcs11/mechanisms.py", ""): "constants",
    ("keys/pkcs11/session.py", "TokenSession.generate"): LOOKED,
    ("keys/pkcs11/vault.py", "Pkcs11Vault._is_left_behind"): LOOKED,
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in (broker, keys):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            if not {"demo", "migrations"} & set(path.parts):
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def called(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        found = node.func
        return found.attr if isinstance(found, ast.Attribute) else getattr(found, "id", "")
    return ""


def readers_in(node: ast.AST, path: str = "") -> Iterator[str]:
    """Every function in which something is read, by its name within its module."""
    for one in ast.iter_child_nodes(node):
        inside = path
        if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{path}.{one.name}".lstrip(".")
        if called(one) in READERS:
            yield inside
        yield from readers_in(one, inside)


def readers() -> set[tuple[str, str]]:
    return {(file, name) for file, tree in modules() for name in readers_in(tree)}


def forget() -> None:
    """Empty every cache: what was read once is not read again."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"broker", "keys"}:
            for one in list(vars(module).values()):
                if callable(clear := getattr(one, "cache_clear", None)):
                    clear()


def visited() -> set[tuple[str, str]]:
    """Every function of ours that the fuzzer runs."""
    found: set[Any] = set()

    def look(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            found.add(frame.f_code)

    forget()
    before = sys.getprofile()
    for parser in PARSERS.values():
        sys.setprofile(look)
        try:
            try_out(parser, EXAMPLES)
        finally:
            sys.setprofile(before)
    root = f"{ROOT}/"
    return {
        (code.co_filename.removeprefix(root), code.co_qualname.replace(".<locals>", ""))
        for code in found
        if code.co_filename.startswith(root)
    }


def test_whatever_reads_text_is_fuzzed() -> None:
    """Measured: the fuzzer has been in each such function, or it is listed with its reason."""
    missing = readers() - visited()
    unheard = sorted(missing - ELSEWHERE.keys())
    assert unheard == [], "give it a Parser in tests/fuzz, or say in ELSEWHERE where it is tried"
    assert sorted(ELSEWHERE.keys() - missing) == [], "an excuse that nothing needs"
