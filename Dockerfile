# SPDX-License-Identifier: MIT
# Driveshaft in a container. Build it with `./dev image`, or with
#
#     docker build -t driveshaft .
#
# docs/containers.md says how it is run.

FROM debian:13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        ccache cmake dpkg-dev g++ libboost-dev libboost-json-dev libboost-program-options-dev libboost-url-dev libfmt-dev \
        libjs-dygraphs liblog4cxx-dev libssl-dev ninja-build prometheus-cpp-dev && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache \
    cmake -G Ninja -B /build && cmake --build /build --target driveshaft -j "$(nproc)" && \
    DESTDIR=/image cmake --install /build --component program --strip --prefix /usr
# The packages of the libraries that the program is linked with. The last stage installs them and no others.
RUN mkdir debian && touch debian/control && \
    dpkg-shlibdeps -O /image/usr/bin/driveshaft | sed 's/^shlibs:Depends=//; s/([^)]*)//g; s/,//g' >/packages

FROM debian:13-slim
LABEL org.opencontainers.image.title=driveshaft \
    org.opencontainers.image.description="Runs the jobs of a Gearman server on HTTP endpoints" \
    org.opencontainers.image.licenses=MIT
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    apt-get update && apt-get install -y --no-install-recommends ca-certificates $(cat /packages) && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=build /image/ /
# A number, because Kubernetes' runAsNonRoot cannot look up a name. The program needs no entry in /etc/passwd.
USER 65532:65532
EXPOSE 8888
# SIGTERM starts a drain, which is over when the running jobs are: give the container that time before it is killed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["driveshaft", "status"]
# The log goes to stderr without --logconfig; here it goes to stdout. `exec` gives the program the shell's process id, so that
# signals reach it.
ENTRYPOINT ["/bin/sh", "-c", "exec driveshaft \"$@\" 2>&1", "driveshaft"]
CMD ["--jobsconfig", "/etc/driveshaft/jobs.json", "--shutdown_timeout", "3600"]
