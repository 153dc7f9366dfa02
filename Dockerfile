# syntax=docker/dockerfile:1

FROM rust:1-bookworm AS builder
WORKDIR /build

# The dependencies first, over an empty program: this layer is made anew only when they change.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir -p src tests/it \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs tests/it/main.rs \
    && cargo build --profile dist --locked \
    && rm -r src tests

COPY . .
# What is copied may be older than what was built from the empty program.
RUN touch src/main.rs src/lib.rs \
    && cargo build --profile dist --locked \
    && mkdir -p /state && mkdir -m 0700 /state/calbridge /state/calbridge-key

# glibc, libgcc and the certificate authorities, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12
COPY --from=builder /build/target/dist/calbridge /usr/local/bin/calbridge
# The two directories, private to the user below: what a new volume begins as.
COPY --from=builder --chown=65532:65532 /state/ /var/lib/

# The key is kept apart from the store, so that a copy of the one is of no use without the other.
ENV CALBRIDGE_DATA_DIR=/var/lib/calbridge \
    CALBRIDGE_VAULT__KEY_FILE=/var/lib/calbridge-key/master.key \
    CALBRIDGE_LISTEN=0.0.0.0:3001
VOLUME ["/var/lib/calbridge", "/var/lib/calbridge-key"]
WORKDIR /var/lib/calbridge
USER 65532:65532
EXPOSE 3001
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/calbridge", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/calbridge"]
CMD ["serve"]
