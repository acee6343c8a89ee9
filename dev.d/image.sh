# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The container image, and its test, which is tests/image.

run_image() { # [NAME | test]
  if [ "${1:-}" = test ]; then
    need image
    PYTHONPATH=tests /usr/bin/python3 tests/image/run.py "${@:2}"
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
