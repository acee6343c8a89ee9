# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The tests. Every stage leaves a JUnit file in build/results; count_results.py turns them into the last line.

results=build/results
installed=build/installed  # a clean copy of the source, built and installed as the README says
stages=()                  # names of the stages begun, each of which owes a result
fuzz_seconds=5

# stage NAME RUNNER COMMAND … : a part of the tests. RUNNER is `step`, or `watched` for one whose output the caller wants to
# see as it comes. Its status is kept for the sum, and does not stop us.
stage() {
  local name=$1 runner=$2 status=0
  mkdir -p "$results"
  rm -f "$results/$name.xml"
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

fuzz() { # TARGET SECONDS : new inputs are kept beside the checked-in ones that it starts from
  local found=build/fuzz/corpus/$1 findings=build/fuzz/findings
  mkdir -p "$found" "$findings"
  "build/fuzz/tests/fuzz/$1_fuzz" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$findings/$1-" "$found" "tests/fuzz/corpus/$1"
}

fuzz_targets() { find tests/fuzz -name '*_fuzz.cc' -printf '%f\n' | sed 's/_fuzz\.cc//' | sort; }

fuzz_stages() { # SECONDS [TARGET] : one target, or all
  local target
  for target in ${2:-$(fuzz_targets)}; do stage "fuzz-$target" step fuzz "$target" "$1"; done
}

# Builds of a test run are polite to the tests that run beside them: a compiler and tests, which mostly wait, share the
# machine well.
niced() { renice -n 10 -p "$BASHPID" >/dev/null && "$@"; }

test_everything() {
  need build unit integration fuzz
  want_browser
  step build-installed build_and_install || stages+=(build-installed)
  begin build-asan niced build asan driveshaft unit_tests
  DRIVESHAFT_BUILD=$PWD/$installed/source \
    stage integration-installed step integration_tests installed "$PWD/$installed/usr/local/bin/driveshaft"
  end build-asan || stages+=(build-asan)
  begin build-fuzz niced build fuzz fuzzers
  stage unit-asan step ctest --preset asan -L unit --output-junit "$PWD/$results/unit-asan.xml"
  stage integration-asan step integration_tests asan "$PWD/build/asan/driveshaft"
  end build-fuzz || stages+=(build-fuzz)
  fuzz_stages "$fuzz_seconds"
}

test_units() { # PRESET [ARGUMENT …]
  need build unit
  step "build-$1" build "$1" unit_tests
  stage "unit-$1" watched unit_tests "$@"
}

test_integration() { # PRESET [ARGUMENT …]
  need build integration
  want_browser
  step "build-$1" build "$1" driveshaft
  stage "integration-$1" watched integration_tests "$1" "$PWD/build/$1/driveshaft" "${@:2}"
}

test_fuzzers() { # [SECONDS] [TARGET]
  if ! [[ ${1:-60} =~ ^[1-9][0-9]*$ && -e tests/fuzz/${2:-packet}_fuzz.cc ]]; then
    echo "./dev fuzz: expected a whole number of seconds ≥ 1, and perhaps a target:" "$(fuzz_targets | xargs)" >&2
    exit 2
  fi
  need build fuzz
  step build-fuzz build fuzz fuzzers
  fuzz_stages "${1:-60}" "${@:2:1}"
  echo "inputs that fail are in build/fuzz/findings, new ones in build/fuzz/corpus; see tests/fuzz/README.md"
}

run_tests() { # [PART [ARGUMENT …]]
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
