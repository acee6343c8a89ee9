# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The Debian package, from the release build.

package_folder=build/package

make_package() {
  rm -rf "$package_folder"
  # The same sources make the same package: the dates in it are that of the last commit.
  export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)}
  [ -n "$SOURCE_DATE_EPOCH" ] || unset SOURCE_DATE_EPOCH  # not a checkout
  cpack --config build/release/CPackConfig.cmake -B "$package_folder" && rm -r "$package_folder"/_CPack_Packages
}

run_package() {
  need build package
  step build-release 'build release' build_preset release driveshaft
  step package 'package' make_package
  step lintian 'lintian' lintian --fail-on error "$package_folder"/driveshaft_*.deb
  ls -l "$package_folder"/driveshaft_*.deb
}
