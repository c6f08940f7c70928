# The action's image: one static binary and nothing else. CA roots are linked
# into it (golang.org/x/crypto/x509roots/fallback); there is no shell and no /tmp.
#
# A runner begins without a layer cache and builds this in every job. Whoever
# releases should ship a built image instead (runs.image in action.yml), and pin
# the base by digest: `docker buildx imagetools inspect golang:1.26` tells it.

# The build platform's own compiler builds for all platforms: no emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS=linux
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w" -o /ecs-fleet .

# No USER and no WORKDIR: the runner needs root for the workspace's files and
# sets the directory itself.
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support
FROM scratch
COPY --from=build /ecs-fleet /ecs-fleet
# The binary itself is process 1, so that a cancelled job's SIGINT reaches it.
ENTRYPOINT ["/ecs-fleet"]
