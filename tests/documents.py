# SPDX-License-Identifier: MIT
"""Markdown: where the links of a document lead, and which headings it has."""
import re

LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")


def prose(text):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def links(text):
    """(whole link, file or "", heading or "") of each that does not lead to another host."""
    for link in LINK.findall(prose(text)):
        if "://" not in link and not link.startswith("mailto:"):
            name, _, anchor = link.partition("#")
            yield link, name, anchor


def anchors(text):
    """Of its headings, as GitHub makes them. The second of one name has -1 behind it."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", prose(text), flags=re.M):
        heading = re.sub(r"\]\([^)]*\)", "", heading)
        found.append(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return {f"{name}-{found[:at].count(name)}" if name in found[:at] else name for at, name in enumerate(found)}
