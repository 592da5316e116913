"""Text from Ensono shows on the desk as exactly the text that it is: escaped once, never unescaped."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.ensono.fields import text as cleaned
from envision_worker.handlers import texts
from worker.stories import EDITIONS, description, fitting, note_words, only_request, status, story, virtual, words
from worlds.configuration import Edition

NASTY = '<script>alert("x")</script> &lt;b&gt; &amp; </div><!-- \' -->'
ESCAPED = '&lt;script&gt;alert("x")&lt;/script&gt; &amp;lt;b&amp;gt; &amp;amp; &lt;/div&gt;&lt;!-- \' --&gt;'


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_markup_is_shown_not_obeyed_wherever_it_stands(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create(shortDescription=NASTY, description=NASTY, cis=NASTY, group=NASTY)
        scenario.notes(number, NASTY, commenter=NASTY, commenter_email=NASTY, note_id=f"<b>{NASTY}")
        scenario.ticket_update(number, category=NASTY, statusNextAction=NASTY)
        scenario.attachment(number, NASTY, b"x", link="http://nowhere.example.com/<script>")
        scenario.ticket_resolve(number, close_notes=NASTY, close_code=NASTY)
        await world.quiet()
    request = only_request(world)
    assert request.resolution is not None
    html = [str(request.fields["description"]), *(note.text for note in request.notes), request.resolution[0]]
    assert len(html) == 5
    for markup in html:
        assert ESCAPED in markup
        assert "<script" not in markup
        assert markup.count("<b>") == markup.count("</b>")
    assert request.fields["subject"] == NASTY  # a plain field


@virtual
async def test_lines_emoji_and_letters_of_all_scripts_arrive_as_they_are(tmp_path: Path) -> None:
    said = "Grüße 🙂\r\nline two\rline three\n\tindented 日本語 \u202e עברית"
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create(shortDescription="🔥 日本語", description=said)
        world.ensono.scenario.notes(number, said)
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "🔥 日本語"
    lines = ["Grüße 🙂", "line two", "line three", "\tindented 日本語 \u202e עברית"]
    assert description(request).split("\n")[:4] == lines
    assert note_words(request)[0].split("\n")[1:5] == lines


@virtual
async def test_control_characters_and_halves_of_characters_do_no_harm(tmp_path: Path) -> None:
    said = "a\x00b\x07c\x1b[31md\x7fe\x85f\ufffeg"
    async with story(tmp_path) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create(shortDescription=said, description=said + "\ud83d!")
        scenario.notes(number, said)
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "abc[31mdefg"
    assert description(request).startswith("abc[31mdefg\ufffd!\n")
    assert "\nabc[31mdefg\n" in note_words(request)[0]


@virtual
async def test_a_description_of_a_megabyte_arrives_whole(tmp_path: Path) -> None:
    said = ("word " * 40 + "<&> ") * 5_000 + "the end"
    async with story(tmp_path) as world:
        world.ensono.scenario.incident_create(description=said)
        await world.quiet()
    assert description(only_request(world)).startswith(said + "\n")


@virtual
async def test_a_title_that_does_not_fit_is_cut_in_its_field_and_whole_in_the_description(tmp_path: Path) -> None:
    title = "word " * 100 + "end"
    async with story(tmp_path) as world:
        world.ensono.scenario.incident_create(shortDescription=title)
        await world.quiet()
    request = only_request(world)
    assert len(str(request.fields["subject"])) <= 250
    assert f"Title: {title}" in description(request)


@virtual
async def test_a_title_of_nothing_but_control_characters_is_none(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create(shortDescription="\x00\x01 \n")
        await world.quiet()
    assert only_request(world).fields["subject"] == f"Ensono {number}"


@virtual
async def test_times_that_no_calendar_holds_are_shown_as_they_are(tmp_path: Path) -> None:
    first = "0001-01-01T00:00:00+14:00"
    async with story(tmp_path, settings=fitting(desk={"time_zone": "America/Chicago"})) as world:
        number = world.ensono.scenario.incident_create(offHoldDate=first, openedTime="yesterday")
        world.ensono.scenario.ticket_update(number, status="pending", offHoldDate="9999-12-31T23:59:59-12:00")
        await world.quiet()
    request = only_request(world)
    assert f"Off hold: {first}\n" in description(request)
    assert "Opened: yesterday" in description(request)
    assert "Off hold: 9999-12-31T23:59:59-12:00" in note_words(request)[0]
    assert status(world, request) == "On Hold"


@given(st.text())
def test_escaped_text_shows_exactly_that_text(said: str) -> None:
    markup = texts.escaped(said)
    assert words(markup) == said.replace("\r\n", "\n").replace("\r", "\n")
    assert set(markup) & set("<>") <= set("<br>") if "\n" in said or "\r" in said else not set(markup) & set("<>")


@given(st.text())
def test_writing_out_rare_characters_changes_nothing_that_is_shown(said: str) -> None:
    simple = texts.without_rare(texts.escaped(said))
    assert all(ord(char) <= 0xFFFF for char in simple)
    assert words(simple) == words(texts.escaped(said))
    assert all(ord(char) <= 0xFFFF for char in texts.rare_named(said))


@given(st.text(), st.text())
def test_a_marked_note_bears_its_mark_and_no_other(body: str, note_id: str) -> None:
    mark = texts.mark_of(cleaned(note_id) or "x")
    markup = texts.marked(f"<div>{texts.escaped(body)}</div>", mark)
    assert texts.bears(markup, mark)
    assert texts.bears(f'<div class="wrapped">{markup}</div>', mark)
    assert not texts.bears(markup, mark + "x")


@given(st.text(alphabet=string.printable))
def test_anything_is_a_time_or_is_shown_as_it_is(said: str) -> None:
    moment = texts.as_time(said)
    assert moment is None or moment.tzinfo is not None
