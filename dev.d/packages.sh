# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What each verb needs from the distribution, and its installing. A|B is package A where the distribution offers it, and
# B where not: Debian 12 offers Boost 1.81 beside a default that is too old.

declare -A packages=(
  [build]='g++ cmake ninja-build ccache libboost-json1.81-dev|libboost-json-dev libboost-url1.81-dev|libboost-url-dev
           libboost-program-options1.81-dev|libboost-program-options-dev liblog4cxx-dev prometheus-cpp-dev
           libssl-dev libfmt-dev libbenchmark-dev libjs-dygraphs'
  [unit]='libgtest-dev libgmock-dev python3'
  [integration]='gearman-job-server gearman-tools php-cli php-gearman php-fpm nginx openssl stunnel4 nodejs
                 prometheus man-db iproute2
                 python3 python3-pytest python3-pytest-xdist python3-jsonschema python3-yaml'
  [browser]='chromium'
  [package]='dpkg-dev lintian adduser logrotate systemd'
  [image]='buildah debootstrap iproute2 python3 python3-pytest python3-yaml util-linux'
  [fuzz]='clang libclang-rt-dev llvm python3'
  [demo]='gearman-job-server gearman-tools php-cli php-gearman'
  [bench]='gearman-job-server nginx python3'
  [compare]='libnginx-mod-http-echo python3-matplotlib'
  [peers]='supervisor php-cli php-gearman php-curl nodejs libcurl4-openssl-dev'
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

# offered A|B : A if the package lists of this machine have it, otherwise B.
offered() {
  # Of a package that others merely name, apt-cache shows nothing and does not fail.
  if [[ $1 == *'|'* ]] && [ -n "$(apt-cache show "${1%|*}" 2>/dev/null)" ]; then echo "${1%|*}"; else echo "${1#*|}"; fi
}

# need GROUP … : returns once every package of these groups is installed.
need() {
  local group package wanted=() missing=() root=()
  # shellcheck disable=SC2206  # split on purpose
  for group in "$@"; do wanted+=(${packages[$group]}); done
  if ! command -v dpkg-query >/dev/null; then
    echo "./dev: no dpkg here; going on in the hope that these are installed: ${wanted[*]}" >&2
    return
  fi
  local -A installed=()
  # dpkg-query says nothing of a package that it never heard of: that one is missing too.
  while read -r package; do installed[$package]=1; done < <(
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]%|*}" "${wanted[@]#*|}" 2>/dev/null |
      sed -n 's/ installed$//p')
  for package in "${wanted[@]}"; do
    [ -n "${installed[${package%|*}]:-}${installed[${package#*|}]:-}" ] || missing+=("$package")
  done
  ((${#missing[@]} > 0)) || return 0
  # Installing one A may remove the B of another: all are named.
  for package in "${wanted[@]}"; do [[ $package != *'|'* ]] || missing+=("$package"); done
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "./dev: packages are missing, and there is no sudo. As root, run:" \
        "apt-get install --no-install-recommends $(for package in "${missing[@]}"; do offered "$package"; done | xargs)" >&2
      exit 1
    fi
    root=(sudo)
    sudo -v  # asks for the password here, where a person sees it
  fi
  step packages "install ${#missing[@]} Debian packages" "${root[@]}" bash dev.d/install.sh "${missing[@]}"
}
