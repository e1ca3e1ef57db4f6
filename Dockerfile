# Circlet in a container of its own: the program, the libraries that it is linked with, certificate authorities, no shell.
#
#   docker build -t circlet .
#
# It needs a seccomp profile that allows io_uring (`circlet generate seccomp`), lockable memory, a configuration at
# /etc/circlet/circlet.toml, and a volume at /var/lib/circlet. docs/install.md has the whole command.

# The Debian of both stages must be one: the program needs the C library that it was linked with.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package circlet \
    && strip target/release/circlet \
    && mkdir -p /state/circlet

# Not FROM scratch: a static program could not look names up as the C library does, and names are what containers call
# each other by.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/circlet /usr/bin/circlet
# The directory as a part of what is copied, so that it belongs to the user of the image; an empty volume takes that over.
COPY --from=build --chown=65532:65532 /state/ /var/lib/
USER 65532:65532
WORKDIR /var/lib/circlet
VOLUME /var/lib/circlet
EXPOSE 8080
STOPSIGNAL SIGTERM
# Healthy is a gateway that answers, whatever its backends do: another start would not mend those.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/bin/circlet", "status", "-c", "/etc/circlet/circlet.toml", "--json"]
ENTRYPOINT ["/usr/bin/circlet"]
CMD ["run", "-c", "/etc/circlet/circlet.toml"]
