# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The tests. Every stage leaves a JUnit file in build/results; count_results.py turns them into the last line.

results=build/results
installed=build/installed  # a clean copy of the source, built and installed as the README says
stages=()                  # names of the stages begun, each of which owes a result

# stage NAME RUNNER COMMAND … : a part of the tests. RUNNER is `step`; `watched` for one whose output the caller wants to see
# as it comes; `end`, without a command, for one that was begun before. Its status is kept for the sum, and does not stop us.
stage() {
  local name=$1 runner=$2 status=0
  stages+=("$name")
  shift 2
  "$runner" "$name" "$@" || status=$?
  echo "$status" >"$results/$name.status"
}
watched() { ("${@:2}"); }

# The last line, and the exit status.
sum_up() { /usr/bin/python3 dev.d/count_results.py "$results" "${stages[@]}"; }

unit_tests() { # PRESET [ARGUMENT …]
  # From the project's root, for tests that read the samples. A hang is a failure.
  timeout --foreground -k 10 600 "build/$1/unit_tests" --gtest_output="xml:$results/unit-$1.xml" "${@:2}"
}

memory_tests() { # PRESET
  timeout --foreground -k 10 300 "build/$1/memory_tests" --gtest_output="xml:$results/memory-$1.xml"
}

integration_tests() { # NAME DRIVESHAFT [ARGUMENT …]
  local name=$1 argument what=(tests)
  export DRIVESHAFT=$2
  shift 2
  # With a file or folder among the arguments: that alone.
  for argument in "$@"; do if [ -e "${argument%%::*}" ]; then what=(); fi; done
  # Most tests wait more than they work.
  timeout --foreground -s INT -k 60 1200 /usr/bin/python3 -m pytest -n "${TEST_WORKERS:-6}" \
    --junitxml="$results/integration-$name.xml" "$@" "${what[@]}"
}

# The program as the README has it built, in a copy of what git would have: tracked files as they are now, and new ones.
build_and_install() {
  local index=$PWD/build/index
  rm -rf "$installed" && mkdir -p "$installed/source" && rm -f "$index" &&
    GIT_INDEX_FILE=$index git add --all && git archive "$(GIT_INDEX_FILE=$index git write-tree)" | tar -xC "$installed/source" &&
    cd "$installed/source" && cmake . && make -j "$(compilers)" && make install DESTDIR="$PWD/.."
}

fuzz() { # SECONDS [TARGET] : as many at once as there are cores
  FUZZ_SECONDS=$1 ctest --preset fuzz -j "$(nproc)" --timeout $(($1 + 600)) --output-junit "$PWD/$results/fuzz.xml" \
    ${2:+-R "^fuzz-$2\$"}
}

# What runs beside tests is polite to them: a compiler and tests, which mostly wait, share the machine well.
niced() { renice -n 10 -p "$BASHPID" >/dev/null && "$@"; }

build_and_fuzz() { build fuzz fuzzers && fuzz 5; }

test_everything() {
  need build unit copy
  begin build-installed build_and_install
  need integration fuzz
  want_modules
  end build-installed || stages+=(build-installed)
  begin build-asan niced build asan driveshaft unit_tests
  DRIVESHAFT_BUILD=$PWD/$installed/source \
    stage integration-installed step integration_tests installed "$PWD/$installed/usr/local/bin/driveshaft"
  end build-asan || stages+=(build-asan)
  begin fuzz niced build_and_fuzz
  # Not by ctest, for which each test is a process of its own: under a sanitizer that is ten times the work.
  stage unit-asan step unit_tests asan
  stage memory-asan step memory_tests asan
  stage integration-asan step integration_tests asan "$PWD/build/asan/driveshaft"
  stage fuzz end
}

test_units() { # PRESET [ARGUMENT …]
  need build unit
  step "build-$1" build "$1" unit_tests
  stage "unit-$1" watched unit_tests "$@"
}

test_integration() { # PRESET [ARGUMENT …]
  need build unit integration
  want_modules
  step "build-$1" build "$1" driveshaft
  stage "integration-$1" watched integration_tests "$1" "$PWD/build/$1/driveshaft" "${@:2}"
}

test_fuzzers() { # [SECONDS] [TARGET]
  need build fuzz
  step build-fuzz build fuzz fuzzers
  stage fuzz watched fuzz "${1:-60}" "${@:2:1}"
  echo "inputs that fail are in build/fuzz/findings, new ones in build/fuzz/corpus; see tests/fuzz/README.md"
}

run_tests() { # [PART [ARGUMENT …]]
  rm -rf "$results" && mkdir -p "$results"
  case ${1:-all} in
    all) test_everything ;;
    unit) test_units "${PRESET:-dev}" "${@:2}" ;;
    integration) test_integration "${PRESET:-dev}" "${@:2}" ;;
    tsan) test_units tsan && test_integration tsan "${@:2}" ;;
    fuzz) test_fuzzers "${@:2}" ;;
    *)
      echo "./dev test: there is no part \"$1\"; say unit, integration, tsan or fuzz, or nothing for all" >&2
      exit 2
      ;;
  esac
  sum_up
}
