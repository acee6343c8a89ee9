# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What each verb needs from Debian 12, and its installing.

declare -A packages=(
  [build]='g++ cmake ninja-build ccache libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
           libboost-program-options1.81-dev liblog4cxx-dev prometheus-cpp-dev libssl-dev libfmt-dev
           libbenchmark-dev libjs-dygraphs'
  [unit]='libgtest-dev libgmock-dev python3'
  [integration]='gearman-job-server gearman-server libgearman-client-perl gearman-tools php-cli php-gearman php-fpm nginx openssl stunnel4 nodejs
                 prometheus man-db iproute2
                 python3 python3-pytest python3-pytest-xdist python3-jsonschema python3-yaml'
  [browser]='chromium'
  [package]='dpkg-dev lintian adduser logrotate systemd'
  [fuzz]='clang libclang-rt-14-dev llvm python3'
  [demo]='gearman-job-server gearman-tools php-cli php-gearman'
  [bench]='gearman-job-server nginx python3'
  [compare]='libnginx-mod-http-echo python3-matplotlib'
  [peers]='supervisor php-cli php-gearman php-curl nodejs libgearman8 libcurl4-openssl-dev'
  [counts]='strace valgrind'
  [instructions]='valgrind'
  [format]='clang-format'
  [lint]='clang clang-format clang-tidy libgtest-dev libgmock-dev python3'
)

# What npm brings is not Debian's; Node.js is, unless there is another already.
command -v npm >/dev/null || { packages[browser]+=' nodejs npm'; packages[peers]+=' npm'; }

# need_browser : returns once the tests of the page have their browser and what drives it, in build/browser. Fails where
# npm's registry cannot be reached.
need_browser() {
  need browser
  cmp -s tests/browser/package-lock.json build/browser/installed && return
  step browser 'install what drives the browser' install_browser_driver
}

# want_browser : the same for tests that can go on without.
want_browser() {
  need_browser || echo "THE TESTS OF THE PAGE ARE LEFT OUT: what drives the browser could not be installed" >&2
}

install_browser_driver() {
  mkdir -p build/browser && cp tests/browser/package*.json build/browser/ || return
  # This machine's own authorities count too: many a network has its registry behind one.
  export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
  npm ci --prefix build/browser --no-audit --no-fund --ignore-scripts &&
    cp tests/browser/package-lock.json build/browser/installed
}

# need GROUP … : returns once every package of these groups is installed.
need() {
  local group wanted=() missing=() root=()
  # shellcheck disable=SC2206  # split on purpose
  for group in "$@"; do wanted+=(${packages[$group]}); done
  if ! command -v dpkg-query >/dev/null; then
    echo "./dev: no dpkg here; going on in the hope that these are installed: ${wanted[*]}" >&2
    return
  fi
  # dpkg-query says nothing of a package that it never heard of: that one is missing too.
  mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/ installed$//p' | sort -u))
  ((${#missing[@]} > 0)) || return 0

  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "./dev: packages are missing, and there is no sudo. As root, run:" \
        "apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    root=(sudo)
    sudo -v  # asks for the password here, where a person sees it
  fi
  step packages "install ${#missing[@]} Debian packages" "${root[@]}" bash dev.d/install.sh "${missing[@]}"
}
