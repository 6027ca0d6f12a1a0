"""Subject identifiers (OpenID Connect Core §8)."""

from dataclasses import replace

from broker.core.client import Client
from broker.core.subjects import sector, subject_for

ACCOUNT, SUB = "0f" * 16, "public-sub"
PUBLIC = Client("app", "App", redirect_uris=("https://app.example/cb",))
PAIRWISE = replace(PUBLIC, subject_type="pairwise")


def test_a_public_subject_is_the_account_s_own() -> None:
    """The same for every client."""
    assert subject_for(PUBLIC, ACCOUNT, SUB) == SUB
    assert subject_for(replace(PUBLIC, client_id="other"), ACCOUNT, SUB) == SUB


def test_a_pairwise_subject_belongs_to_its_sector() -> None:
    """Stable, the same within a sector, another in each other one and for each account (§8.1)."""
    own = subject_for(PAIRWISE, ACCOUNT, SUB)
    assert own == "kPhyX__EDDC14WZZ9TDO52cthifEG6aVlZ1iMpy_2TQ"
    assert SUB not in own
    assert own == subject_for(replace(PAIRWISE, client_id="twin"), ACCOUNT, "changed")
    elsewhere = replace(PAIRWISE, redirect_uris=("https://other.example/cb",))
    assert own != subject_for(elsewhere, ACCOUNT, SUB)
    assert own != subject_for(PAIRWISE, "1f" * 16, SUB)


def test_the_sector_document_names_the_sector() -> None:
    """Its host, whatever the redirect URIs are; so that several hosts can share one."""
    named = replace(PAIRWISE, sector_identifier_uri="https://Sector.example:8443/uris.json")
    assert sector(named) == "sector.example"
    moved = replace(named, redirect_uris=("https://other.example/cb", "https://third.example/cb"))
    assert subject_for(named, ACCOUNT, SUB) == subject_for(moved, ACCOUNT, SUB)
    assert sector(PAIRWISE) == "app.example"
