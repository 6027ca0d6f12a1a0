"""Each catalogue says all that the pages say."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from tests.languages import catalogues
from tests.languages.catalogues import FOLDER, TEMPLATE, found, read, translated, written

_PART = re.compile(r"%\((\w+)\)s")
_TAG = re.compile(r"<[^>]+>")
HOW = "run `python -m tests.languages.catalogues`, then translate what is empty"


def _id(path: Path) -> str:
    return path.stem


def test_the_template_holds_what_the_pages_say():
    """Whoever adds a text adds it to the template, from which translators begin."""
    assert TEMPLATE.read_bytes() == written(found()), HOW


def test_there_are_catalogues():
    """English needs none; Korean is the first other language."""
    assert FOLDER / "ko.po" in translated()
    assert FOLDER / "en.po" not in translated()


@pytest.mark.parametrize("path", translated(), ids=_id)
def test_a_catalogue_is_complete(path: Path):
    """No text of any page is left in English, and none is a guess."""
    catalogue = read(path)
    wanted = {message.id for message in found() if message.id}
    assert {message.id for message in catalogue if message.id} == wanted, HOW
    assert [message.id for message in catalogue if message.id and not _said(message)] == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


@pytest.mark.parametrize("path", translated(), ids=_id)
def test_parts_and_tags_are_kept(path: Path):
    """A translation has the parts of its text, no more and no fewer, and the same tags."""
    for message in read(path):
        if not message.id:  # the head of the file
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        for said in _said(message):
            parts = {tuple(sorted(_PART.findall(one))) for one in ids}
            assert tuple(sorted(_PART.findall(said))) in parts, message.id
            assert sorted(_TAG.findall(said)) == sorted(_TAG.findall(ids[-1])), message.id
            assert not re.search(r"%(?!\(\w+\)s|%)", said), message.id


@pytest.mark.parametrize("path", translated(), ids=_id)
def test_a_catalogue_is_written_as_the_tool_writes_it(path: Path):
    """So that a change of a catalogue shows nothing but what was changed."""
    assert path.read_bytes() == written(read(path)), HOW


def test_every_text_of_a_page_is_marked():
    """No template says anything but through the catalogue: no bare word between its tags."""
    bare = {}
    for path in sorted(catalogues.PAGES.glob("*.html")):
        if path.name not in catalogues.ENGLISH:
            text = re.sub(r"\{% trans .*?endtrans %\}", "", path.read_text())
            text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<(?:[^<>\"]|\"[^\"]*\")*>", "", text)
            bare[path.name] = re.findall(r"[A-Za-z]{2,}", text)
    assert {name: words for name, words in bare.items() if words} == {}


def _said(message: Message) -> list[str]:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return [one for one in strings if one]
