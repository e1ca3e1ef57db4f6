# Circlet in a container of its own: the program, the libraries that it is linked with, certificate authorities, no shell.
#
#   docker build -t circlet .
#
# It needs a seccomp profile that allows io_uring (`circlet generate seccomp`), lockable memory, a configuration at
# /etc/circlet/circlet.toml, and a volume at /var/lib/circlet. docs/install.md has the whole command.

FROM rust:1.95-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /source
COPY . .
# The image as a directory. A static program could not look names up as the C library does, and names are what
# containers call each other by: so the libraries of the program come along.
RUN cargo build --release --locked --package circlet \
    && mkdir -p /image/usr/bin /image/etc /image/tmp /state/circlet \
    && strip -o /image/usr/bin/circlet target/release/circlet \
    && ldd target/release/circlet | grep -o '/[^ ]*' \
        | xargs cp --parents --dereference --target-directory=/image \
    && cp --parents /etc/ssl/certs/ca-certificates.crt /etc/nsswitch.conf /image \
    && echo 'circlet:x:65532:65532::/var/lib/circlet:/nonexistent' > /image/etc/passwd \
    && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /image/ /
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
