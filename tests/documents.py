# SPDX-License-Identifier: MIT
"""Reads Markdown: the links of a document, and its headings."""
import re

LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")


def prose(text):
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def links(text):
    """(whole link, file or "", heading or "") for each link that does not lead to another host."""
    for link in LINK.findall(prose(text)):
        if "://" not in link and not link.startswith("mailto:"):
            name, _, anchor = link.partition("#")
            yield link, name, anchor


def anchors(text):
    """The anchors that GitHub makes for the headings. If a heading occurs twice, its second anchor ends in -1."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", prose(text), flags=re.M):
        heading = re.sub(r"\]\([^)]*\)", "", heading)
        found.append(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return {f"{name}-{found[:at].count(name)}" if name in found[:at] else name for at, name in enumerate(found)}
