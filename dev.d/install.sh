#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the packages named on the command line (A|B as in packages.sh), as root, without starting the servers among
# them: the demo and the tests run their own, on ports of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
source dev.d/packages.sh
export DEBIAN_FRONTEND=noninteractive

# Nobody is there to be asked what becomes of a settings file that was changed: it stays.
apt_options=(-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
# One broken third-party source should not stop us; a package that cannot be had says so below.
apt-get "${apt_options[@]}" update || echo 'apt-get update failed; going on with the lists at hand'

# Only servers that are not here yet are held back: one that you run already is yours, and goes on as it is.
new_services=()
php_fpm=$(apt-cache depends php-fpm 2>/dev/null | sed -n 's/^ *Depends: //p')  # it has PHP's version in its name
for service in gearman-job-server nginx $php_fpm prometheus; do
  [ -e "/lib/systemd/system/$service.service" ] || new_services+=("$service")
done

policy=/usr/sbin/policy-rc.d
mark="# Written by Driveshaft's ./dev while it installs packages. Safe to remove."
if [ ! -e "$policy" ] || grep -qF "$mark" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  {
    printf '#!/bin/sh\n%s\ncase "$1" in\n' "$mark"
    for service in "${new_services[@]}"; do printf '  %s|%s.service) exit 101 ;;\n' "$service" "$service"; done
    printf 'esac\nexit 0\n'
  } >"$policy"
  chmod 755 "$policy"
fi

chosen=()
for package in "$@"; do chosen+=("$(offered "$package")"); done
apt-get "${apt_options[@]}" install -y --no-install-recommends "${chosen[@]}"

# Nor should they start with the next boot.
for service in "${new_services[@]}"; do
  [ -e "/lib/systemd/system/$service.service" ] || continue
  if command -v systemctl >/dev/null; then systemctl --quiet disable "$service" || true; fi
  if [ -e "/etc/init.d/$service" ] && command -v update-rc.d >/dev/null; then update-rc.d "$service" disable || true; fi
done
