# peerlab as a container image: one static program, certificates of public authorities, an empty /tmp, and nothing else.
#
#   docker build -t registry.example/peerlab:1 .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/peerlab:1 --push .
#
# It runs as a user without rights, and with a root file system that nobody writes to. What is kept in files goes to /tmp: what a peer that you
# start remembers, the folder of a run, the cache of the simulation. Mount something there where the root is read-only.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# As `task build` does, for any architecture.
ARG TARGETOS TARGETARCH
RUN go run ./internal/sim/guest/pack peerlab.example/peerlab/cmd/peerlab internal/sim/guest/guest.wasm.gz \
    && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
       go build -trimpath -tags peerlab_guest -ldflags='-s -w' -o /image/peerlab ./cmd/peerlab \
    && mkdir -p -m 1777 /image/tmp \
    && mkdir -p /image/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image/ /
ENV HOME=/tmp
USER 65532:65532
ENTRYPOINT ["/peerlab"]
