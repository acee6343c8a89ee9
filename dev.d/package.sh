# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The Debian package, from the release build.

package_folder=build/package

make_package() {
  rm -rf "$package_folder"
  cpack --config build/release/CPackConfig.cmake -B "$package_folder" && rm -r "$package_folder"/_CPack_Packages
}

run_package() {
  need build package
  step build-release 'build release' build_preset release driveshaft
  step package 'package' make_package
  step lintian 'lintian' lintian --fail-on error "$package_folder"/driveshaft_*.deb
  ls -l "$package_folder"/driveshaft_*.deb
}
