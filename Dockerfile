# The image of the server: docs/container.md. Nothing runs in the stages for the target, so that a machine of one
# architecture builds for the other.

# The digest, if there is one, as @sha256:...: the same of all architectures.
ARG NODE_TAG=24.21.0-trixie-slim
ARG NODE_DIGEST=
# Set by the builder.
ARG TARGETARCH

FROM --platform=$TARGETPLATFORM node:${NODE_TAG}${NODE_DIGEST} AS target

FROM --platform=$BUILDPLATFORM node:${NODE_TAG}${NODE_DIGEST} AS builder

FROM builder AS for-amd64
ENV NODE_CPU=x64 TRIPLE=x86_64-linux-gnu COMPILER=g++-x86-64-linux-gnu

FROM builder AS for-arm64
ENV NODE_CPU=arm64 TRIPLE=aarch64-linux-gnu COMPILER=g++-aarch64-linux-gnu

FROM for-${TARGETARCH} AS tools
ARG TARGETARCH
RUN dpkg --add-architecture $TARGETARCH && apt-get update && \
    apt-get install -y --no-install-recommends binutils cmake make $COMPILER

# What node, the add-on and their libraries need of Debian, without the rest: half the size, no shell to break into.
# Scanners find the packages in status.d.
FROM tools AS root
WORKDIR /packages
RUN for package in base-files libc6 libgcc-s1 libstdc++6; do apt-get download $package:$TARGETARCH || exit 1; done
WORKDIR /root-fs
RUN for file in /packages/base-files_*.deb /packages/lib*.deb; do \
      name=$(dpkg-deb -f $file Package) && dpkg-deb -x $file . && \
      mkdir -p var/lib/dpkg/status.d && dpkg-deb -f $file > var/lib/dpkg/status.d/$name || exit 1; \
    done && \
    rm -rf usr/share/man usr/share/locale usr/share/lintian usr/lib/*/gconv && \
    printf 'root:x:0:0::/:\nlcq:x:65532:0::/:\n' > etc/passwd && printf 'root:x:0:\n' > etc/group
COPY --from=target /usr/local/bin/node usr/bin/node
RUN $TRIPLE-strip usr/bin/node

FROM for-${TARGETARCH} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci --no-audit --no-fund

FROM tools AS compiled
WORKDIR /app
COPY --from=packages /app ./
COPY CMakeLists.txt ./
COPY src src
RUN cmake -S . -B build -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=${TRIPLE%%-*} \
      -DCMAKE_CXX_COMPILER=$TRIPLE-g++ && \
    cmake --build build --parallel && $TRIPLE-strip build/lcq.node
COPY tsconfig.json ./
COPY scripts scripts
RUN node -e "import('/app/scripts/setup/typescript.mjs').then((step) => step.make())" && \
    node scripts/bundle.mjs && find dist -name '*.map' -delete -o -name '*.d.ts' -delete

# No libraries of other platforms, no headers, sources, types or tests.
FROM packages AS production
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --no-audit --no-fund --omit=dev --os=linux --cpu=$NODE_CPU --libc=glibc && \
    rm -rf node_modules/node-addon-api node_modules/node-api-headers && \
    find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 2 -maxdepth 2 ! -path "*/linux/$NODE_CPU" \
      -exec rm -r {} + && \
    find node_modules -type d \( -name test -o -name tests -o -name benchmark -o -name benchmarks \) -prune \
      -exec rm -r {} + && \
    find node_modules -type f \( -name '*.map' -o -name '*.md' -o -name '*.[cm]ts' -o -name '*.ts' -o -name '*.h' -o \
      -name '*.cc' \) \
      -delete
COPY LICENSE ./
COPY proto proto
COPY models models
COPY --from=compiled /app/build/lcq.node build/lcq.node
COPY --from=compiled /app/dist dist

FROM scratch
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title=lcq-serving \
      org.opencontainers.image.description="Serves vision models quantized to 2, 3 and 4 bits, on CPUs, over gRPC and REST" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
COPY --from=root /root-fs /
COPY --from=production /app /app
WORKDIR /app
ENV NODE_ENV=production
# Any other user works as well.
USER 65532:0
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "/app/dist/bundle/lcq.js", "health"]
ENTRYPOINT ["node", "/app/dist/bundle/lcq.js"]
CMD ["serve"]
