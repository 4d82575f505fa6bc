"""The token estimate: near enough for every kind of text, quick for every size of prompt."""

from __future__ import annotations

import base64
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.protocol.messages import MessagesRequest, parse_request
from ccp_core.protocol.tokens import count, count_text, estimate

CODE = '''
async def read_lines(path: Path, *, encoding: str = "utf-8") -> AsyncIterator[str]:
    """Yield the lines of a file, without their ends."""
    with path.open(encoding=encoding) as handle:
        for number, line in enumerate(handle, start=1):
            if line.startswith("#") or not line.strip():
                continue
            yield line.rstrip("\\r\\n")
        self._seen[number] = handle.tell() + 1
'''
PROSE = (
    "The proxy keeps the protocol of the client stable and lets the person choose which model answers. A"
    " request is read once, sent to the provider that was chosen, and the answer comes back as written. "
)


def said(*blocks: Any, **more: Any) -> dict[str, Any]:
    """A body with one user message of these blocks."""
    content = blocks[0] if len(blocks) == 1 and isinstance(blocks[0], str) else list(blocks)
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


# The figures are what two public byte-pair vocabularies (100,000 and 200,000 tokens) make of the same text.
@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        (PROSE * 20, 801, 801),
        (CODE * 20, 1941, 1941),
        (
            '{"file_path": "/src/app/main.py", "offset": 120, "limit": 80, "replace_all": false}\n' * 40,
            1120,
            1120,
        ),
        (
            "我们今天去公园散步，天气非常好，很多人都在草地上休息。请帮我读取这个文件并修复其中的错误。" * 20,
            700,
            960,
        ),
        ("今日は天気がとても良いので、公園へ散歩に行きました。エラーを修正してください。" * 20, 520, 760),
        ("오늘은 날씨가 아주 좋아서 공원에 산책하러 갔습니다. 오류를 수정해 주세요." * 20, 500, 800),
        ("Сегодня очень хорошая погода, поэтому мы пошли гулять в парк. Исправьте ошибки." * 20, 420, 780),
        (
            "Aujourd'hui il fait très beau, nous sommes allés au parc. Veuillez corriger les erreurs." * 20,
            420,
            461,
        ),
        ("Done ✅ great 🎉 let's go 🚀 — fine… “quoted” 👍🏽 " * 20, 361, 481),
        (base64.b64encode(random.Random(1).randbytes(6000)).decode(), 5453, 5744),
    ],
    ids=["prose", "code", "json", "chinese", "japanese", "korean", "russian", "french", "emoji", "base64"],
)
def test_a_text_is_counted_about_as_a_tokenizer_does(text: str, low: int, high: int) -> None:
    """Within a quarter of what real vocabularies give, for each kind of text."""
    assert low * 0.75 <= count_text(text) <= high * 1.25


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        (said("hello", {"type": "text", "text": PROSE}), 45),
        (said("hello", system=PROSE), 40),
        (said("hello", system=[{"type": "text", "text": PROSE}]), 40),
        (said({"type": "thinking", "thinking": PROSE, "signature": "s" * 9000}), 40),
        (said({"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": PROSE}}), 55),
        (said({"type": "tool_result", "tool_use_id": "t", "content": PROSE}), 50),
        (said({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": PROSE}]}), 50),
        (said({"type": "document", "source": {"type": "text", "data": PROSE}}), 40),
        (
            said("hello", tools=[{"name": "Read", "description": PROSE, "input_schema": {"type": "object"}}]),
            190,
        ),
        (said({"type": "some_future_block", "words": PROSE}), 50),
    ],
)
def test_every_part_of_a_prompt_counts(more: dict[str, Any], tokens: int) -> None:
    """System, tools, tool calls, results, thinking, documents and unknown blocks all have their tokens."""
    assert tokens * 0.6 <= count(more) <= tokens * 1.6
    assert count(more) - count(said("hello")) >= 25


def test_the_billing_block_and_signatures_do_not_count() -> None:
    """What never reaches a model costs nothing."""
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; " + "x" * 500}
    assert count(said("hello", system=[billing])) == count(said("hello"))


@pytest.mark.parametrize(
    ("size", "low", "high"), [(1000, 100, 200), (100_000, 800, 1200), (5_000_000, 1500, 1700)]
)
def test_an_image_counts_by_its_size_within_bounds(size: int, low: int, high: int) -> None:
    """An icon is cheap, and the largest picture costs no more than models make of it."""
    source = {"type": "base64", "media_type": "image/png", "data": "A" * (size * 4 // 3)}
    assert low <= count(said({"type": "image", "source": source})) <= high


def test_a_pdf_and_remote_sources_count() -> None:
    """What is only named by its address, or packed in a PDF, is guessed and not left out."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "A" * 400_000}
    assert 8_000 <= count(said({"type": "document", "source": pdf})) <= 20_000
    for kind in ("image", "document"):
        url = {"type": "url", "url": "https://x.test/a"}
        assert count(said({"type": kind, "source": url})) >= 1000


@pytest.mark.parametrize(
    "text", [PROSE, CODE, PROSE + "我们今天去公园散步。"], ids=["prose", "code", "mixed"]
)
def test_a_sample_tells_nearly_what_the_whole_would(text: str) -> None:
    """A prompt ten times as long counts ten times as much."""
    whole = count_text(text * 10) * 100
    assert count(said(text * 1000)) == pytest.approx(whole, rel=0.08)


@pytest.mark.parametrize("text", ["yes", "a", "go on", "do it, please", "好"])
def test_a_sample_of_short_texts_tells_so_too(text: str) -> None:
    """None is taken for the end of the one before, and all count, however short."""
    few, many = (count(said(*[{"type": "text", "text": text}] * number)) for number in (1000, 16_000))
    assert many == pytest.approx(few * 16, rel=0.08)


def test_a_long_conversation_is_counted_by_a_sample_of_it() -> None:
    body = {"messages": [{"role": "user", "content": PROSE} for _ in range(1000)]}
    assert count(body) == pytest.approx(count_text(PROSE) * 1000, rel=0.2)


@pytest.mark.timeout(8)
@pytest.mark.parametrize("blank", [" ", "\t", "\r", "\x0b", " \r"])
def test_blanks_without_end_are_counted_as_soon_as_other_text(blank: str) -> None:
    """Each is looked at once; otherwise this takes several times what is allowed."""
    for _ in range(400):
        assert count_text(blank * (8000 // len(blank))) == 0


def sized(body: dict[str, Any]) -> MessagesRequest:
    """The request as it is read from the wire."""
    return parse_request(orjson.dumps(body))


def test_the_quick_estimate_grows_with_the_text_and_not_with_what_is_packed() -> None:
    """Base64 of an image or PDF, also inside a tool's result, weighs what the image does and not its bytes."""
    plain = estimate(sized(said(PROSE * 50)))
    assert estimate(sized(said(PROSE * 500))) == pytest.approx(plain * 10, rel=0.05)
    assert plain == pytest.approx(count(said(PROSE * 50)), rel=0.4)
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 4_000_000}
    image = {"type": "image", "source": source}
    seen = {"type": "tool_result", "tool_use_id": "t", "content": [image, {"type": "text", "text": "x"}]}
    pdf = {"type": "document", "source": {**source, "data": "A" * 400_000}}
    assert 3_000 <= estimate(sized(said(image, seen))) <= 3_500
    assert 8_000 <= estimate(sized(said(pdf))) <= 20_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "content"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON, _JSON, _JSON)
def test_no_shape_of_a_prompt_breaks_the_count(system: Any, tool: Any, content: Any) -> None:
    """Whatever stands where blocks belong, the answer is a positive whole number."""
    body = {"system": system, "tools": [tool], "messages": [{"role": "user", "content": content}, "nonsense"]}
    assert count(body) >= 1
    assert estimate(MessagesRequest(body)) >= 1
