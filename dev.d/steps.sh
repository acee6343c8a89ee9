# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Steps that take long: each runs in a process group of its own with its output in build/logs/NAME.log. Whatever still runs
# when ./dev ends is ended with it.

declare -A step_pid=()

# begin NAME COMMAND … : starts a step in the background.
begin() {
  local name=$1
  shift
  mkdir -p build/logs
  rm -f "build/logs/$name.end"
  : >"build/logs/$name.log"
  set -m  # gives it the process group
  (
    SECONDS=0
    here=$PWD
    trap 'echo "$? $SECONDS" >"$here/build/logs/$name.end"' EXIT
    "$@"
  ) >"build/logs/$name.log" 2>&1 </dev/null &
  set +m
  step_pid[$name]=$!
}

# end NAME : waits for a step, says how it went, and returns its status.
end() {
  local name=$1 log=build/logs/$1.log pid=${step_pid[$1]} status=137 seconds='?'
  if [ -t 1 ]; then
    tail -n +1 -f --pid="$pid" "$log" | while read -r line; do printf '\r\e[K%.*s' "$((${COLUMNS:-80} - 1))" "$name: $line"; done
    printf '\r\e[K'
  fi
  wait "$pid" || true
  # Its own record: bash forgets the status of a child whose id another one has got since.
  if [ -s "build/logs/$name.end" ]; then read -r status seconds <"build/logs/$name.end"; fi
  if ((status == 0)); then
    echo "$name: $seconds s"
  else
    echo "$name: FAILED after $seconds s (status $status). The end of $log:"
    tail -n "${LOG_LINES:-40}" "$log" | sed 's/^/    /'
  fi
  return "$status"
}

step() { begin "$@" && end "$1"; }

# Compilers at once: one a core, but no more than memory carries (under sanitizers one takes up to 1.3 GB).
compilers() {
  local by_memory=$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1400000)) cores
  cores=$(nproc)
  echo "${JOBS:-$((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))}"
}

build() { # PRESET TARGET …
  cmake --preset "$1" && cmake --build --preset "$1" -j "$(compilers)" --target "${@:2}"
}

finish() {
  trap '' INT TERM HUP
  local group seconds
  for group in $(jobs -p); do
    # As from the keyboard: pytest then stops the servers of its tests. Bash loses a signal that arrives while it starts a
    # process, so what is still there after some seconds gets it again.
    for seconds in 5 15; do
      kill -INT -- -"$group" 2>/dev/null || break
      if timeout "$seconds" tail --pid="$group" -f /dev/null; then break; fi
    done
    kill -KILL -- -"$group" 2>/dev/null || true
  done
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
