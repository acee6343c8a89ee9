#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tidy.sh FILE : clang-tidy on one source, unless it passed before and nothing that it depends on has changed: its own
# text, or what build/lint/common holds (our headers, the rules, the flags). Findings are added to build/lint/findings.
set -euo pipefail
file=$1
passed=build/lint/passed/$file
key=$(sha256sum "$file" build/lint/common)
if [ "$(cat "$passed" 2>/dev/null)" = "$key" ]; then exit; fi

echo "$file"
clang-tidy -p build/lint --quiet "$file" 2>&1 | sed -E '/^[0-9]+ warnings?.* generated\.$/d' >>build/lint/findings
mkdir -p "$(dirname "$passed")"
printf '%s\n' "$key" >"$passed"
