import base64
import json
from pathlib import Path

from firmware_sim.files import message_line
from firmware_sim.world import Message


def test_a_message_that_is_text_is_written_as_text() -> None:
    line = message_line(Message(5, "a/b", '{"ü":1}'.encode(), "X"))
    assert json.loads(line) == {"at_ms": 5, "topic": "a/b", "payload": '{"ü":1}'}


def test_a_message_that_is_not_text_is_written_in_base64() -> None:
    document = json.loads(message_line(Message(5, "a/b", b"\xff\x00", "X")))
    assert base64.b64decode(document["payload_b64"]) == b"\xff\x00"
    assert "payload" not in document


def test_no_line_ends_hide_in_a_line(tmp_path: Path) -> None:
    assert "\n" not in message_line(Message(5, "a/b", b"one\ntwo", "X"))
