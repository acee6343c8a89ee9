# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Format, clang-tidy and scripts.

cpp_sources() { find src tests/fuzz bench -name '*.cc' -o -name '*.h' | sort; }

check_format() { cpp_sources | xargs clang-format --dry-run -Werror; }

check_scripts() {
  shellcheck dev dev.d/*.sh .ci/run packaging/debian/{postinst,postrm,prerm} packaging/bash-completion/driveshaft &&
    PYTHONPYCACHEPREFIX=$PWD/build/pycache /usr/bin/python3 -m compileall -q dev.d tests bench examples
}

# The C++ sources that changed since this branch left main; on main itself, with its last commit. For a changed header:
# the source of its name, or else one that includes it. Without such a past: all of them.
changed_sources() {
  local base file
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null) || { cpp_sources; return; }
  [ "$base" != "$(git rev-parse HEAD)" ] || base=$(git rev-parse -q --verify HEAD^) || { cpp_sources; return; }
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
    grep -E '^(src|tests/fuzz|bench)/.*\.(cc|h)$' | while read -r file; do
    if [ -e "${file%.*}.cc" ]; then echo "${file%.*}.cc"; else { git grep -lF "\"${file#src/}\"" -- '*.cc' || true; } | head -n 1; fi
  done | sort -u
}

# clang-tidy reads compiler flags from a build folder of its own: it understands neither g++'s flags nor its
# precompiled headers. Nothing is compiled there.
check_tidy() { # FILE …
  cmake --preset dev -B build/lint -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
    -DDRIVESHAFT_FUZZ=ON -DDRIVESHAFT_BENCH=ON >/dev/null &&
    run-clang-tidy -quiet -p build/lint -j "$(compilers)" "${@/#/^$PWD/}"
}

run_lint() { # [all]
  local failed=0 sources
  # shellcheck disable=SC2034  # for `end`: every finding is to be seen
  local LOG_LINES=300
  need build lint
  step lint-scripts check_scripts || failed=1
  step lint-format check_format || failed=1
  mapfile -t sources < <(if [ "${1:-}" = all ]; then cpp_sources; else changed_sources; fi | grep '\.cc$')
  if ((${#sources[@]} > 0)); then
    echo "clang-tidy on ${#sources[@]} sources"
    step lint-tidy check_tidy "${sources[@]}" || failed=1
  fi
  ((failed == 0)) || exit 1
  echo 'no findings'
}
