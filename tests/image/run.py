#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`./dev image test`: builds the images and runs checks.py on them; arguments go to pytest. It needs no registry: debootstrap
makes the base image, buildah builds the others and runs them. What each step says is in build/logs."""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from containers import BASE, SERVICES, image_of

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build/image"
STORAGE = f"""[storage]
driver = "vfs"
graphroot = "{FOLDER}/store"
runroot = "{FOLDER}/run"
"""


def step(name, work):
    """`work` gets a function that runs a command, whose output goes to a log as it comes."""
    began = time.monotonic()
    path = ROOT / f"build/logs/{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as log:
        def run(*words):
            done = subprocess.run(list(map(str, words)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            if done.returncode:
                end = "".join(path.read_text(errors="replace").splitlines(keepends=True)[-40:])
                sys.exit(f"{end}{name}: {words[0]} ended with {done.returncode}; the whole log is {path}")
        work(run)
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def make_base_image(run):
    root, archive = FOLDER / "root", FOLDER / "base.tar"
    if not archive.exists():
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "trixie", root, os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian"))
        new = archive.with_suffix(".new")
        run("tar", "-C", root, "--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "-cf", new, ".")
        shutil.rmtree(root)
        new.rename(archive)
    run("buildah", "from", "--name", "base", "scratch")
    run("buildah", "add", "--quiet", "base", archive, "/")
    run("buildah", "config", "--cmd", "bash", "base")
    run("buildah", "commit", "--quiet", "--rm", "base", BASE)


def remove_store():
    """The copies of whole roots that the driver vfs makes take gigabytes. Nothing is removed where something is mounted."""
    if f" {FOLDER}/" in Path("/proc/self/mountinfo").read_text():
        sys.exit(f"something is still mounted under {FOLDER}; unmount it first")
    for name in ("store", "run"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)


def main(arguments):
    if os.geteuid() != 0:
        sys.exit("run it as root: debootstrap and buildah's isolation by chroot need that")
    remove_store()
    (FOLDER / "tmp").mkdir(parents=True, exist_ok=True)
    (FOLDER / "storage.conf").write_text(STORAGE)
    os.environ |= {"CONTAINERS_STORAGE_CONF": f"{FOLDER}/storage.conf", "BUILDAH_ISOLATION": "chroot",
                   "TMPDIR": f"{FOLDER}/tmp",  # the compiler's cache of RUN --mount=type=cache lies there
                   "PYTHONPATH": f"{ROOT}/tests"}
    step("image-base", make_base_image)
    for service, folder in {image_of(name): one["build"] for name, one in SERVICES.items() if "build" in one}.items():
        step(f"image-{service}", lambda run: run("buildah", "build", "--pull-never", "--format", "docker", "--tag", service,
                                                 ROOT / folder))
    # A network of its own, so that every server has the port that compose.yaml and the images give it; mounts and processes
    # of its own, so that none outlives the tests. conftest.py is left out: it wants a built program.
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                           "bash", "-c", 'ip link set lo up && exec "$@"', "bash",
                           "/usr/bin/python3", "-m", "pytest", "--confcutdir=tests/image", "--junitxml=build/results/image.xml",
                           *arguments, "tests/image/checks.py"], cwd=ROOT)
    remove_store()
    sys.exit(done.returncode)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
