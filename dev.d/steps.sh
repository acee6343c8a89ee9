# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Long steps: each runs as a process group of its own with its output in build/logs, shows that it lives, and its
# log's end when it fails. Whatever is left at exit is ended, by its id.

declare -A step_pid=() step_began=() step_title=()
temporary=()  # folders to remove at the end

seconds_since() { # BEGIN [END], as from $EPOCHREALTIME → "12.3"
  local end=${2:-$EPOCHREALTIME}
  local tenths=$(((${end/./} - ${1/./}) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# spawn LOG COMMAND … : in the background, as the leader of a new process group, whose id is then in $spawned.
spawned=
spawn() {
  local log=$1
  shift
  : >"$log"  # here and now: others read it before the child has come to opening it
  set -m  # what gives it the group
  "$@" >"$log" 2>&1 </dev/null &
  spawned=$!
  set +m
}

# begin_step NAME TITLE COMMAND … : starts it; end_step NAME waits for it and returns its status.
begin_step() {
  local name=$1
  mkdir -p build/logs
  step_title[$name]=$2
  step_began[$name]=$EPOCHREALTIME
  shift 2
  rm -f "build/logs/$name.end"
  spawn "build/logs/$name.log" timed "build/logs/$name.end" "$@"
  step_pid[$name]=$spawned
}

# Notes its end and status in a file: a step that ran beside another is waited for later than it ended, and bash forgets
# the status of a child whose id another one has got since.
timed() {
  # shellcheck disable=SC2064  # the name as it is now
  trap "printf '%s %d\n' \"\$EPOCHREALTIME\" \$? >'$1'" EXIT
  shift
  "$@"
}

end_step() {
  local name=$1 pid=${step_pid[$1]} pause=0.02 status=0
  local title=${step_title[$name]} log=build/logs/$1.log next_note=5 line seconds ended=
  while [ ! -s "build/logs/$name.end" ] && kill -0 "$pid" 2>/dev/null; do
    seconds=$(seconds_since "${step_began[$name]}")
    line="$title … $seconds s  $(last_line "$log")"
    if [ -t 1 ]; then
      printf '\r\e[K%s' "${line:0:$((${COLUMNS:-80} - 1))}"
    elif ((${seconds%.*} >= next_note)); then
      printf '  %s\n' "$line"
      next_note=$((${seconds%.*} * 3 / 2 + 10))
    fi
    sleep "$pause"
    pause=0.2
  done
  wait "$pid" 2>/dev/null || status=$?
  if [ -s "build/logs/$name.end" ]; then read -r ended status <"build/logs/$name.end"; fi
  unset "step_pid[$name]"
  [ ! -t 1 ] || printf '\r\e[K'
  seconds=$(seconds_since "${step_began[$name]}" "$ended")
  if ((status == 0)); then
    printf '%s: %s s\n' "$title" "$seconds"
  else
    printf '%s: FAILED after %s s (status %d). The end of %s:\n' "$title" "$seconds" "$status" "$log"
    tail -n "${LOG_LINES:-40}" "$log" | sed 's/^/    /'
  fi
  return "$status"
}

step() {
  begin_step "$@"
  end_step "$1"
}

# The last line of a log that says something, without colours, cut.
last_line() {
  tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' |
    sed -n '/[^[:space:]]/h; ${x;s/\x1b\[[0-9;]*[a-zA-Z]//g;s/^\(.\{0,100\}\).*/\1/;p}'
}

# Ends every process group that spawn started and that still runs, by its id, and removes the temporary folders.
finish() {
  trap '' INT TERM HUP
  local groups group i
  # shellcheck disable=SC2207  # numbers; and bash knows its jobs in this form only
  groups=($(jobs -p))
  # As from the keyboard: pytest then stops the servers of its tests, Driveshaft drains.
  for group in "${groups[@]}"; do kill -INT -- -"$group" 2>/dev/null || true; done
  for group in "${groups[@]}"; do
    for ((i = 0; i < 200; i++)); do
      kill -0 -- -"$group" 2>/dev/null || break
      sleep 0.05
    done
    kill -KILL -- -"$group" 2>/dev/null || true
  done
  ((${#temporary[@]} == 0)) || rm -rf -- "${temporary[@]}"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
