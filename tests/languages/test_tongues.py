"""Languages of people are called by their names, in the language of the page."""

import pytest

from broker.web.languages import speeches
from broker.web.tongues import Tongue


@pytest.mark.parametrize(
    ("tag", "english", "korean"),
    [
        ("sv-SE", "Swedish", "스웨덴어"),
        ("ko", "Korean", "한국어"),
        ("en-GB", "British English", "영어"),
        ("x-unknown", "x-unknown", "x-unknown"),
        ("", "", ""),
    ],
)
def test_a_language_has_a_name(tag: str, english: str, korean: str) -> None:
    """What nobody knows stays as it is."""
    said = speeches()
    assert said["en"].said(Tongue(tag)) == english
    assert said["ko"].said(Tongue(tag)) == korean
