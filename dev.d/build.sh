# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Building a CMake preset.

# Compilers at once: one a core, but no more than memory carries (the largest of our files takes about 1 GB).
compilers() {
  local by_memory=$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1200000)) cores
  cores=$(nproc)
  echo "${JOBS:-$((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))}"
}

# configure FOLDER PRESET [ARGUMENT …] : once, and again when the presets changed; CMake sees every other change.
configure() {
  local folder=$1 preset=$2
  shift 2
  [ -e "$folder/build.ninja" ] && cmp -s CMakePresets.json "$folder/.presets" && return
  cmake --preset "$preset" -B "$folder" "$@" && cp CMakePresets.json "$folder/.presets"
}

build_preset() { # PRESET TARGET …
  local preset=$1
  shift
  configure "build/$preset" "$preset" && cmake --build "build/$preset" -j "$(compilers)" --target "$@"
}
