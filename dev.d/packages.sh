# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What each verb needs from the distribution, and its installing. A|B is package A where the distribution offers it, and
# B where not: Debian 12 offers Boost 1.81 beside a default that is too old.

declare -A packages=(
  [build]='g++ cmake ninja-build make ccache libboost-json1.81-dev|libboost-json-dev libboost-url1.81-dev|libboost-url-dev
           libboost-program-options1.81-dev|libboost-program-options-dev liblog4cxx-dev prometheus-cpp-dev
           libssl-dev libfmt-dev libbenchmark-dev libjs-dygraphs python3'
  [unit]='libgtest-dev libgmock-dev'
  [copy]='git'
  [demo]='gearman-job-server gearman-tools php-cli php-gearman python3-pytest'
  [integration]='gearman-job-server gearman-server libgearman-client-perl gearman-tools php-cli php-gearman php-fpm nginx openssl stunnel4 nodejs
                 prometheus tmux man-db mandoc iproute2 git dpkg-dev lintian adduser logrotate systemd
                 python3-pytest python3-pytest-xdist python3-jsonschema python3-yaml'
  [browser]='chromium'
  [package]='dpkg-dev lintian'
  [image]='buildah debootstrap iproute2 python3 python3-pytest python3-yaml util-linux'
  [fuzz]='clang libclang-rt-dev llvm'
  [bench]='gearman-job-server nginx'
  [compare]='libnginx-mod-http-echo python3-matplotlib'
  [peers]='supervisor php-cli php-gearman php-curl nodejs libcurl4-openssl-dev'
  [counts]='strace valgrind'
  [instructions]='valgrind'
  [backends]='haproxy'
  [format]='clang-format'
  [lint]='clang clang-format clang-tidy libgtest-dev libgmock-dev shellcheck git'
)
# npm is Debian's only where there is no other: both want the same place.
command -v npm >/dev/null || { packages[browser]+=' nodejs npm'; packages[peers]+=' npm'; }

# offered A|B : A if the package lists of this machine have it, otherwise B.
offered() {
  # Of a package that another one merely names, apt-cache shows nothing and does not fail.
  if [[ $1 == *'|'* ]] && [ -n "$(apt-cache show "${1%%|*}" 2>/dev/null)" ]; then echo "${1%%|*}"; else echo "${1##*|}"; fi
}

# need GROUP … : returns once every package of these groups is installed.
need() {
  command -v dpkg-query >/dev/null || { echo "./dev: no dpkg here; what is needed must be installed already" >&2; return 0; }
  local name wanted=() missing=() chosen=() sudo=()
  # Nobody is there to be asked what becomes of a settings file that was changed: it stays.
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef
    -o Dpkg::Options::=--force-confold)
  # A machine that is thrown away need not be sure that each file is on its disk.
  if [ -n "${CI:-}" ]; then apt+=(-o Dpkg::Options::=--force-unsafe-io); fi
  local -A installed=()
  # shellcheck disable=SC2206  # split on purpose
  for name in "$@"; do wanted+=(${packages[$name]}); done
  while read -r name; do installed[$name]=1; done < <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' \
    "${wanted[@]%|*}" "${wanted[@]#*|}" 2>/dev/null | sed -n 's/^installed //p')
  for name in "${wanted[@]}"; do
    [ -n "${installed[${name%|*}]:-}${installed[${name#*|}]:-}" ] || missing+=("$name")
  done
  ((${#missing[@]} > 0)) || return 0
  # Installing one A may remove the B of another: all are named.
  for name in "${wanted[@]}"; do [[ $name != *'|'* ]] || missing+=("$name"); done

  if [ -d /run/systemd/system ]; then
    echo "./dev installs ${missing[*]}. Debian starts services among them (gearmand, nginx …) now and at boot." \
      './dev needs none of these: stop what you do not want with "systemctl disable --now NAME".'
  fi
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  "${sudo[@]}" true || return  # asks for the password here, where a person sees it
  # One broken third-party source should not stop us; a package that cannot be had is told of by the installation.
  step packages-update "${sudo[@]}" "${apt[@]}" update || true
  for name in "${missing[@]}"; do chosen+=("$(offered "$name")"); done
  step packages "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${chosen[@]}"
}

# need_browser : returns once the tests of the page have their browser and what drives it, in build/browser. Fails where
# npm's registry cannot be reached.
need_browser() {
  need browser && need_modules browser
}

# want_modules : the same, and the Node.js client of gearmand in build/node, for tests that can go on without.
want_modules() {
  need_browser || echo "THE TESTS OF THE PAGE ARE LEFT OUT: chromium, or what drives it, could not be installed" >&2
  need_modules node || echo "THE TEST OF A NODE.JS CLIENT IS LEFT OUT: it could not be installed" >&2
}

# need_modules FOLDER : returns once what tests/FOLDER/package.json asks for is in build/FOLDER.
need_modules() {
  cmp -s "tests/$1/package-lock.json" "build/$1/installed" || step "modules-$1" install_modules "$1"
}

install_modules() {
  mkdir -p "build/$1" && cp "tests/$1"/package*.json "build/$1/" || return
  # This machine's own authorities count too: many a network has its registry behind one.
  export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
  npm ci --prefix "build/$1" --no-audit --no-fund --ignore-scripts &&
    cp "tests/$1/package-lock.json" "build/$1/installed"
}
