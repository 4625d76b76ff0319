"""A command line → its words, as Compose's own splitter does it (go-shellwords), which is no shell and not POSIX.

It ends at the first `;`, `&`, `|`, `<` or `>` outside quotes; a backslash takes the next character as it is, in double
quotes too; what stands in backquotes or `$(...)` is one word.
"""

from __future__ import annotations


class _Splitter:
    """One text being split: `open` is the quote that is open, `started` whether a word has begun."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word = ""
        self.started = False
        self.open = ""
        self.escaped = False

    def end_word(self) -> None:
        if self.started:
            self.words.append(self.word)
        self.word, self.started = "", False

    def take(self, char: str) -> bool:
        """Whether the text goes on behind this character."""
        if self.escaped:
            self.escaped = False
        elif char == "\\" and self.open != "'":
            self.escaped = True
            return True
        elif char in " \t\r\n" and not self.open:
            self.end_word()
            return True
        elif char in "'\"" and self.open in ("", char):
            self.open = "" if self.open else char
            self.started = self.started or not self.open
            return True
        elif char == "`" and self.open in ("", "`"):
            self.open = "" if self.open else "`"
        elif char == "(" and not self.open:
            if not self.word.endswith("$"):
                raise ValueError("a parenthesis stands outside quotes")
            self.open = ")"
        elif char == ")" and self.open in ("", ")"):
            self.open = "" if self.open else ")"
        elif char in ";&|<>" and not self.open:
            if char == ">" and self.word[:1].isdigit():
                self.word, self.started = "", False
            return False
        self.word += char
        self.started = True
        return True


def split_words(text: str) -> list[str]:
    """The words of a command.

    Raises:
        ValueError: a quote or a parenthesis is not closed, or stands where it may not.
    """
    splitter = _Splitter()
    for char in text:
        if not splitter.take(char):
            break
    splitter.end_word()
    if splitter.open or splitter.escaped:
        raise ValueError("a quote is not closed")
    return splitter.words
