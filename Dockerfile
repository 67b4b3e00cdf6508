# The service without the embedded engines: point it at Kafka and ClickHouse (docker-compose.yml does). What it keeps is in /var/lib/anteroom.
FROM node:22-bookworm-slim AS pages
WORKDIR /src
COPY scripts/web.sh scripts/
COPY api/openapi.yaml api/
COPY web web
RUN scripts/web.sh

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=pages /src/web/dist web/dist
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/anteroom ./cmd/anteroom && mkdir /out/state

# 2 MB with a shell and wget, which the health check needs. Nothing in it is linked into the binary.
FROM busybox:1.37.0-musl
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/anteroom /usr/local/bin/anteroom
# A volume that is made of this folder belongs to the user.
COPY --from=build --chown=65532:65532 /out/state /var/lib/anteroom
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/anteroom"]
CMD ["serve", "--roles=ingest,media,retention,api"]
