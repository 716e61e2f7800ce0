"""Bubbles: a reply as several short messages, as people write them, where a business wants it."""

from collections.abc import Sequence

BUBBLES_MAX = 3
_TOGETHER_CHARS_MAX = 60


def split(texts: Sequence[str], *, opening: str = "", bubbles_max: int = BUBBLES_MAX) -> list[str]:
    """Split texts where a line is empty into at most ``bubbles_max`` messages.

    A very short paragraph (a heading) stays with what follows it, and so does the opening that
    the first text begins with; what is more than the last bubble's share stays together in it.
    """
    lead = f"{opening}\n\n"
    if opening and texts and texts[0].startswith(lead):
        rest = split([texts[0].removeprefix(lead), *texts[1:]], bubbles_max=bubbles_max)
        return [f"{lead}{rest[0]}", *rest[1:]] if rest else [opening]
    paragraphs: list[str] = []
    for each in texts:
        waiting = ""
        for paragraph in filter(None, (p.strip() for p in each.split("\n\n"))):
            joined = f"{waiting}\n\n{paragraph}" if waiting else paragraph
            short = len(joined) <= _TOGETHER_CHARS_MAX
            waiting = joined if short else ""
            if not short:
                paragraphs.append(joined)
        if waiting:
            paragraphs.append(waiting)
    if len(paragraphs) <= bubbles_max:
        return paragraphs
    return [*paragraphs[: bubbles_max - 1], "\n\n".join(paragraphs[bubbles_max - 1 :])]
