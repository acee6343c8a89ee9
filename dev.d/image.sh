# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The container image, and its test, which needs no registry: the base image is made by debootstrap, buildah builds the
# images and runs them.

image_folder=build/image

run_image() { # [NAME | test]
  if [ "${1:-}" = test ]; then
    shift
    test_image "$@"
  else
    build_image "${1:-driveshaft}"
  fi
}

# Of the formats of images, only Docker's has a HEALTHCHECK.
build_image() { # NAME
  local builder
  if docker info >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=1  # for RUN --mount, with Docker before 23
    builder=(docker build)
  elif command -v podman >/dev/null; then
    builder=(podman build --format docker)
  elif command -v buildah >/dev/null; then
    builder=(buildah build --format docker)
  else
    echo "./dev image: install docker, podman or buildah first; the service of docker must run" >&2
    exit 1
  fi
  step image "${builder[@]}" --tag "$1" .
}

test_image() { # [ARGUMENT …], for pytest
  if [ "$(id -u)" != 0 ]; then
    echo "./dev image test: run it as root: debootstrap and buildah's isolation by chroot need that" >&2
    exit 1
  fi
  need image
  remove_image_store
  mkdir -p "$image_folder/tmp"
  cat >"$image_folder/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$PWD/$image_folder/store"
runroot = "$PWD/$image_folder/run"
EOF
  export CONTAINERS_STORAGE_CONF=$PWD/$image_folder/storage.conf BUILDAH_ISOLATION=chroot
  export TMPDIR=$PWD/$image_folder/tmp  # the compiler's cache of RUN --mount=type=cache lies there
  step image-base make_base_image
  local name folder
  for name in gearmand php driveshaft; do
    folder=packaging/containers/$name
    [ -e "$folder/Dockerfile" ] || folder=.
    step "image-$name" buildah build --pull-never --format docker --tag "$name" "$folder"
  done
  # A network of its own, so that every server has the port that compose.yaml and the images give it; mounts and processes
  # of its own, so that none outlives the tests. conftest.py is left out: it wants a built program.
  PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 unshare --net --mount --pid --fork --kill-child --mount-proc \
    bash -c 'ip link set lo up && exec "$@"' bash \
    /usr/bin/python3 -m pytest --confcutdir=tests/image --junitxml=build/results/image.xml "$@" tests/image/checks.py
  remove_image_store
}

make_base_image() {
  local root=$image_folder/root base=$image_folder/base.tar container
  if [ ! -e "$base" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase trixie "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" || return
    tar -C "$root" --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' -cf "$base.new" . || return
    rm -rf "$root" && mv "$base.new" "$base" || return
  fi
  # The whole name, because buildah completes the short one of the Dockerfiles to it.
  container=$(buildah from scratch) && buildah add --quiet "$container" "$base" / &&
    buildah config --cmd bash "$container" && buildah commit --quiet --rm "$container" docker.io/library/debian:13-slim
}

# The copies of whole roots that the driver vfs makes take gigabytes. Nothing is removed while something is mounted there.
remove_image_store() {
  if grep -qF " $PWD/$image_folder/" /proc/self/mountinfo; then
    echo "./dev image: something is still mounted under $image_folder; unmount it first" >&2
    exit 1
  fi
  rm -rf "${image_folder:?}/store" "$image_folder/run"
}
