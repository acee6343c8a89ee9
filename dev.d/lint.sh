# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Format, clang-tidy and scripts.

cpp_sources() { find src tests/fuzz bench \( -name '*.cc' -o -name '*.h' \) -print0 | sort -z; }

check_format() { cpp_sources | xargs -0 clang-format --dry-run -Werror; }

check_scripts() {
  bash -n dev && bash -n .ci/run || return
  local file
  for file in dev.d/*.sh; do bash -n "$file" || return; done
  find dev.d tests bench -name '*.py' -print0 |
    PYTHONPYCACHEPREFIX=$PWD/build/pycache xargs -0 /usr/bin/python3 -m py_compile
}

# clang-tidy reads compiler flags from a build folder of its own: it understands neither g++'s flags nor its
# precompiled headers. Nothing is compiled there.
check_tidy() {
  cmake --preset dev -B build/lint -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
    -DDRIVESHAFT_FUZZ=ON -DDRIVESHAFT_BENCH=ON >/dev/null || return
  cpp_sources | grep -z '\.h$' | xargs -0 cat .clang-tidy CMakeLists.txt CMakePresets.json >build/lint/common
  : >build/lint/findings
  cpp_sources | grep -z '\.cc$' | xargs -0 -n 1 -P "$(compilers)" dev.d/tidy.sh && return
  cat build/lint/findings
  return 1
}

run_lint() {
  local failed=0
  # shellcheck disable=SC2034  # for end_step: every finding is to be seen
  local LOG_LINES=200
  need build lint
  step lint-scripts 'scripts' check_scripts || failed=1
  step lint-format 'clang-format' check_format || failed=1
  step lint-tidy 'clang-tidy' check_tidy || failed=1
  ((failed == 0)) || exit 1
  echo 'no findings'
}
