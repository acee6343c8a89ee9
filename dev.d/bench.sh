# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Measuring: bench/run.py and its kin.

readonly peers=build/peers

run_bench() {
  need build bench
  step build-release build release all
  local with=() kind=${1:-}
  case $kind in
    --counts | --instructions | --backends)
      need "${kind#--}"
      /usr/bin/python3 "bench/${kind#--}.py" "${@:2}"
      ;;
    --micro) build/release/bench/micro_bench "${@:2}" ;;
    *)
      need compare
      if [ "$kind" = --peers ]; then
        need peers
        step peers build_peers
        with=(--peers "$peers")
        shift
      fi
      mkdir -p build/bench
      /usr/bin/python3 bench/run.py "${with[@]}" --json build/bench/results.json --plots build/bench "$@"
      ;;
  esac
}

build_peers() {
  mkdir -p "$peers" && cp bench/peers/package*.json "$peers" &&
    npm ci --prefix "$peers" --no-audit --no-fund --ignore-scripts || return
  # libgearman's own development package excludes the Boost that we are built with: its headers alone are taken.
  (cd "$peers" && rm -f libgearman-dev_*.deb && apt-get download libgearman-dev && dpkg-deb -x libgearman-dev_*.deb dev) &&
    cc -O2 -Wall -Wextra -Werror -I "$peers/dev/usr/include" bench/peers/worker.c -o "$peers/libgearman_worker" \
      -lcurl -l:libgearman.so.8
}
