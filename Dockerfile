# matrixrtc-auth: one static binary in an empty image. The image has no shell. The
# program does not run as root, and writes only to /data.
# The compiler runs on the platform of the building machine, and compiles for the
# platform of the image.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src

# The modules are a separate layer: after a change of the source, Docker does not
# download them again.
COPY go.mod go.sum ./
COPY internal/protoyaml/go.mod internal/protoyaml/
RUN go mod download

COPY . .
ARG TARGETOS
ARG TARGETARCH
# Empty means the number in the VERSION file.
ARG VERSION=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION:-$(cat VERSION)}" \
    -o /program/matrixrtc-auth . \
    && ln -s matrixrtc-auth /program/lk-jwt-service \
    && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The folder has the program and the link lk-jwt-service. The link is for compose
# files and playbooks that were made for lk-jwt-service and have "command:
# /lk-jwt-service". COPY of the link alone would copy the program a second time.
COPY --from=build /program/ /
# The service stores delegated leaves in /data. Docker gives a new named volume the
# owner of this folder. There is no VOLUME line, because Docker would then make an
# unnamed volume, which is writable even in a read-only container and is removed with
# the container. The service could not warn that leaves will be lost.
COPY --from=build --chown=65532:65532 /data /data
LABEL org.opencontainers.image.title="matrixrtc-auth" \
      org.opencontainers.image.description="A MatrixRTC authorization service: lets Matrix users join calls on a LiveKit SFU" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/matrixrtc-auth", "healthcheck"]
ENTRYPOINT ["/matrixrtc-auth"]
