"""What a client says in several languages: which are languages, and which of them counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core import translations
from broker.core.client import Client
from broker.core.translations import FIELDS, MOST, spoken

tags = st.from_regex(r"\A[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?\Z")


def named(**said: str) -> Client:
    """A client with names, by their tags; _ for -."""
    found = {f"client_name#{tag.replace('_', '-')}": text for tag, text in said.items()}
    return Client("app", "App", translations=found or None)


@pytest.mark.parametrize(
    "tag",
    [
        "ko", "ko-KR", "KO-kr", "zh-Hant-TW", "zh-cmn-Hans-CN", "es-419", "sl-rozaj-biske-1994",
        "de-CH-1901", "hy-Latn-IT-arevela", "en-u-ca-buddhist", "de-x-phonebk", "mas",
    ],
)  # fmt: skip
def test_tags_of_languages(tag: str) -> None:
    """RFC 5646 §2.1, Appendix A."""
    assert list(translations.faults({f"{member}#{tag}": "x" for member in FIELDS})) == []


@pytest.mark.parametrize(
    "tag",
    [
        "", "-", "k", "ko-", "-KR", "ko--KR", "ko_KR", "ko-K", "한국어", "ko#KR", "ko KR", "ko\n",
        "12", "de-419-DE", "en-u", "x", "*", "ko-*", "\uff4bo", "ko" + "-aaaaaaaa" * 5, "../ko",
        "<script>", "ko-x", "a-DE",
    ],
)  # fmt: skip
def test_what_is_no_tag(tag: str) -> None:
    """Named by its member alone: what others chose is not repeated."""
    (reason,) = translations.faults({f"client_name#{tag}": "x"})
    assert reason.startswith("client_name#: what follows # must be the tag of a language")


def test_a_language_twice_and_too_many_languages() -> None:
    """Tags do not differ by case (RFC 5646 §2.1.1), and each member has a bound of its own."""
    (reason,) = translations.faults({"client_name#ko": "x", "client_name#KO": "y"})
    assert reason.startswith("client_name#KO: is there twice")
    assert not list(translations.faults({"client_name#ko": "x", "client_uri#KO": "y"}))
    many = {f"client_name#a{chr(97 + n // 26)}{chr(97 + n % 26)}": "x" for n in range(MOST)}
    assert not list(translations.faults(many | {"client_uri#ko": "x"}))
    (reason,) = translations.faults(many | {"client_name#ko": "x"})
    assert reason.startswith(f"client_name#: at most {MOST}")


@pytest.mark.parametrize(
    ("language", "said", "name"),
    [
        ("ko", {}, "App"),
        ("ko", {"ja": "アプリ"}, "App"),
        ("ko", {"ko": "앱"}, "앱"),
        ("ko", {"KO": "앱"}, "앱"),
        ("ko", {"ko_KR": "앱"}, "앱"),
        ("ko", {"ko_KR": "한국 앱", "ko": "앱"}, "앱"),
        ("ko-KR", {"ko": "앱"}, "앱"),
        ("ko-KR", {"ko_KR": "한국 앱", "ko": "앱"}, "한국 앱"),
        ("pt-BR", {"pt_PT": "Aplicação"}, "App"),
        ("zh-Hant", {"zh_Hans": "应用"}, "App"),
        ("zh-Hant-TW", {"zh": "应用", "zh_Hant": "應用"}, "應用"),
        ("en", {"en": "Application"}, "Application"),
        ("k", {"ko": "앱"}, "App"),
        ("ko", {"kok": "ऐप"}, "App"),
    ],
)
def test_which_language_counts(language: str, said: dict[str, str], name: str) -> None:
    """The page's own, less of it, more of it, and what has no tag; never a neighbour."""
    assert spoken(named(**said), "name", language) == name


def test_each_member_falls_back_by_itself() -> None:
    """A name in a language does not take the addresses of others away."""
    client = Client(
        "app", "App", client_uri="https://app.example/", tos_uri="https://app.example/tos",
        translations={"client_name#ko": "앱", "tos_uri#ko": "https://app.example/ko/tos"},
    )  # fmt: skip
    found = {field: spoken(client, field, "ko") for field in FIELDS.values()}
    assert found == {
        "name": "앱",
        "client_uri": "https://app.example/",
        "logo_uri": None,
        "policy_uri": None,
        "tos_uri": "https://app.example/ko/tos",
        "support_uri": None,
    }


@given(st.dictionaries(tags, st.text(min_size=1), min_size=1), tags)
def test_something_is_always_said(said: dict[str, str], language: str) -> None:
    """One of the names that there are, whatever tags there are; its own where there is one."""
    by_lower = {tag.lower(): text for tag, text in said.items()}
    found = {f"client_name#{tag}": text for tag, text in by_lower.items()}
    name = spoken(Client("app", "App", translations=found), "name", language)
    assert name in {"App", *by_lower.values()}
    assert name == by_lower.get(language.lower(), name)
