# matrixrtc-auth: one static binary in an empty image. No shell, no root, and
# nothing that it writes but /data.
# The build runs on the builder's own platform and compiles for the target's.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src

# The modules are a layer of their own: a change of the source keeps it.
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
# The second name is for compose files and playbooks that were made for
# lk-jwt-service and say "command: /lk-jwt-service". (As a directory, because
# COPY follows a link that it is given.)
COPY --from=build /program/ /
# Delegated leaves are kept here; a new named volume takes the owner over. It is
# no VOLUME: that would be an unnamed one, writable even where the root is not,
# and gone with the container, so that nothing would say that leaves are lost.
COPY --from=build --chown=65532:65532 /data /data
LABEL org.opencontainers.image.title="matrixrtc-auth" \
      org.opencontainers.image.description="A MatrixRTC authorization service: lets Matrix users join calls on a LiveKit SFU" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/matrixrtc-auth", "healthcheck"]
ENTRYPOINT ["/matrixrtc-auth"]
