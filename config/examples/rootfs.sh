#!/bin/sh
# Gathers what an image of Tidegate consists of: the program, the libraries that
# it needs, and the files that say who it runs as.
#
#   sh config/examples/rootfs.sh target/release/tidegate image
#   docker build -t tidegate -f config/examples/Containerfile image
set -eu

if [ $# -ne 2 ] || [ ! -x "$1" ]; then
    echo "usage: sh rootfs.sh PROGRAM DIRECTORY: a tidegate, and a directory that is made" >&2
    exit 2
fi
program=$1
root=$2/rootfs

mkdir -p "$root/usr/bin" "$root/etc/tidegate" "$root/etc/ssl/certs" "$root/var/lib/registry"
cp "$program" "$root/usr/bin/tidegate"
chmod 755 "$root/usr/bin/tidegate"

# A program without libraries says so and fails, which is as good.
ldd "$program" 2>/dev/null | sed -n 's/^[^/]*\(\/[^ ]*\).*$/\1/p' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

# Those that webhooks and upstreams are checked against, if this machine has any.
if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi

echo 'tidegate:x:65532:65532:Tidegate:/var/lib/registry:/' > "$root/etc/passwd"
echo 'tidegate:x:65532:' > "$root/etc/group"
