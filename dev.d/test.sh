# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The tests: unit and integration, each with the plain and the sanitized build, and the fuzzers. Every stage leaves a
# JUnit file in build/results; count_results.py turns them into the last line.

results=build/results
stages=()       # names of the stages begun, each of which owes a result
fuzz_seconds=5

# A stage is a step whose status is kept for the sum.
begin_stage() { # NAME TITLE COMMAND …
  rm -f "$results/$1.xml" "$results/$1.status"
  mkdir -p "$results"
  stages+=("$1")
  begin_step "$@"
}
end_stage() {
  local status=0
  end_step "$1" || status=$?
  echo "$status" >"$results/$1.status"
  return "$status"
}
stage() {
  begin_stage "$@"
  end_stage "$1"
}

sanitizer_options() {
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:print_legend=0
  export UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS=suppressions=$PWD/dev.d/tsan.supp:second_deadlock_stack=1
}

unit_tests() { # PRESET RESULT [ARGUMENT …]
  local preset=$1 result=$2
  shift 2
  sanitizer_options
  # A run from the project's root, for tests that read the samples. A hang is a failure.
  timeout --foreground -k 10 600 "build/$preset/unit_tests" --gtest_output="xml:$result" "$@"
}

integration_tests() { # PRESET RESULT [ARGUMENT …]
  local preset=$1 result=$2
  shift 2
  sanitizer_options
  local what=("$@")
  # Without a file or folder among the arguments: all of them.
  [ $# -gt 0 ] && has_path "$@" || what+=(tests)
  DRIVESHAFT=$PWD/build/$preset/driveshaft PYTHONDONTWRITEBYTECODE=1 timeout --foreground -s INT -k 60 1200 \
    /usr/bin/python3 -m pytest -n "${TEST_WORKERS:-4}" --junitxml="$result" "${what[@]}"
}

has_path() {
  local argument
  for argument in "$@"; do [ -e "${argument%%::*}" ] && return; done
  return 1
}

# fuzz TARGET SECONDS : new inputs are kept in build/fuzz/corpus, beside the checked-in ones that it starts from.
fuzz() {
  local target=$1 seconds=$2
  local found=build/fuzz/corpus/$target findings=build/fuzz/findings
  mkdir -p "$found" "$findings"
  sanitizer_options
  "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$findings/$target-" "$found" "tests/fuzz/corpus/$target"
}

fuzz_stages() { # SECONDS [TARGET] : one target, or all
  local seconds=$1 target file
  for file in tests/fuzz/*_fuzz.cc; do
    target=$(basename "$file" _fuzz.cc)
    [ "${2:-$target}" = "$target" ] || continue
    stage "fuzz-$target" "fuzz $target, $seconds s" fuzz "$target" "$seconds" || true
  done
}

# Builds of a test run are polite to the tests that run beside them.
niced_build() { renice -n 10 -p "$BASHPID" >/dev/null && build_preset "$@"; }

test_everything() {
  local dev=0 asan=0
  need build unit integration package fuzz
  want_browser
  stage build-dev 'build dev' build_preset dev driveshaft unit_tests || dev=$?
  # From here a compiler and the tests, which mostly wait, share the machine.
  begin_stage build-asan 'build asan' niced_build asan driveshaft unit_tests
  ((dev != 0)) || test_preset dev
  end_stage build-asan || asan=$?
  begin_stage build-fuzz 'build fuzz' niced_build fuzz fuzzers
  ((asan != 0)) || test_preset asan
  if end_stage build-fuzz; then fuzz_stages "$fuzz_seconds"; fi
}

test_preset() {
  stage "unit-$1" "unit tests, $1" unit_tests "$1" "$results/unit-$1.xml" || true
  stage "integration-$1" "integration tests, $1" integration_tests "$1" "$results/integration-$1.xml" || true
}

run_tests() {
  local part=${1:-all} preset=${PRESET:-dev}
  shift || true
  if [[ $preset != dev && $preset != asan && $preset != tsan ]]; then
    echo "./dev test: PRESET is dev, asan or tsan, not \"$preset\"" >&2
    exit 2
  fi
  local began=$EPOCHREALTIME status=0
  case $part in
    all)
      test_everything
      echo "all of it: $(seconds_since "$began") s"
      ;;
    unit)
      need build unit
      step "build-$preset" "build $preset" build_preset "$preset" driveshaft unit_tests
      direct_stage "unit-$preset" unit_tests "$preset" "$results/unit-$preset.xml" "$@"
      ;;
    integration)
      need build integration package
      want_browser
      step "build-$preset" "build $preset" build_preset "$preset" driveshaft
      direct_stage "integration-$preset" integration_tests "$preset" "$results/integration-$preset.xml" "$@"
      ;;
    fuzz)
      check_seconds "${1:-$fuzz_seconds}"
      need build fuzz
      step build-fuzz 'build fuzz' build_preset fuzz fuzzers
      fuzz_stages "${1:-$fuzz_seconds}"
      ;;
    *)
      echo "./dev test: there is no part \"$part\"; say unit, integration or fuzz, or nothing for all" >&2
      exit 2
      ;;
  esac
  /usr/bin/python3 dev.d/count_results.py "$results" "${stages[@]}" || status=$?
  exit "$status"
}

# direct_stage NAME COMMAND … : one whose output the caller wants to see as it comes.
direct_stage() {
  local name=$1 status=0
  shift
  rm -f "$results/$name.xml"
  mkdir -p "$results"
  stages+=("$name")
  ("$@") || status=$?
  echo "$status" >"$results/$name.status"
}

# Both kinds of tests under ThreadSanitizer; arguments go to pytest.
run_tsan() {
  need build unit integration package
  step build-tsan 'build tsan' build_preset tsan driveshaft unit_tests
  stage unit-tsan 'unit tests, tsan' unit_tests tsan "$results/unit-tsan.xml" || true
  direct_stage integration-tsan integration_tests tsan "$results/integration-tsan.xml" "$@"
  /usr/bin/python3 dev.d/count_results.py "$results" "${stages[@]}" || exit
}

run_soak() { # [MINUTES]
  [[ ${1:-20} =~ ^[0-9]+(\.[0-9]+)?$ ]] || {
    echo "./dev soak: expected a number of minutes, got \"$1\"" >&2
    exit 2
  }
  local preset=${PRESET:-dev}
  need build integration
  step "build-$preset" "build $preset" build_preset "$preset" driveshaft
  sanitizer_options
  DRIVESHAFT=$PWD/build/$preset/driveshaft PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/soak.py "${1:-20}"
}

run_fuzzers() { # [SECONDS] [TARGET]
  check_seconds "${1:-60}"
  if [ $# -gt 1 ] && [ ! -e "tests/fuzz/$2_fuzz.cc" ]; then
    echo "./dev fuzz: there is no target \"$2\"; there are:" \
      "$(find tests/fuzz -name '*_fuzz.cc' -printf '%f ' | sed 's/_fuzz\.cc//g')" >&2
    exit 2
  fi
  need build fuzz
  step build-fuzz 'build fuzz' build_preset fuzz fuzzers
  fuzz_stages "${1:-60}" "${@:2:1}"
  echo "inputs that fail are in build/fuzz/findings, new ones in build/fuzz/corpus; see tests/fuzz/README.md"
  /usr/bin/python3 dev.d/count_results.py "$results" "${stages[@]}" || exit
}

check_seconds() {
  [[ $1 =~ ^[1-9][0-9]*$ ]] && return
  echo "./dev: expected a whole number of seconds ≥ 1, got \"$1\"" >&2
  exit 2
}
