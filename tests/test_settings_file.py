"""`retrieval.toml` is read however an editor saved it."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from retrieval.errors import SettingsError
from retrieval.settings import load_settings


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_no_setting(encoding: str, newline: str) -> None:
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    text = newline.join(['model = "st\u00e9"', "batch_size = 8", ""])
    Path("retrieval.toml").write_bytes(mark + text.encode(encoding))
    settings = load_settings()
    assert (settings.model, settings.batch_size) == ("st\u00e9", 8)


def test_a_file_that_is_no_text_is_told() -> None:
    Path("retrieval.toml").write_bytes(b"model = '\xff\xfe'\n")
    with pytest.raises(SettingsError, match=r"cannot read retrieval\.toml"):
        load_settings()
