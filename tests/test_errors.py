"""What people read of an error."""

from __future__ import annotations

from retrieval.errors import one_line


def test_the_text_of_another_librarys_error_is_one_line_and_never_empty() -> None:
    assert one_line(ValueError("two\n  lines\tof it")) == "two lines of it"
    assert one_line(ValueError("x" * 1_000)) == "x" * 300
    assert one_line(ValueError("abcdef"), 3) == "abc"
    assert one_line(MemoryError()) == "MemoryError"
