#!/usr/bin/env bash
# Unpacks Prometheus and promtool from Debian's package into a folder, since
# installing it would leave a service running on somebody's machine.
#   usage: unpack_prometheus.sh FOLDER
# Does nothing where FOLDER has them.  Prints the folder of the programs.
set -euo pipefail
folder=${1:?usage: unpack_prometheus.sh FOLDER}

if [[ ! -x $folder/usr/bin/promtool ]]; then
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  # apt's own user must be able to write there.
  chmod 777 "$fetched"
  (cd "$fetched" && apt-get -q download prometheus >&2)
  mkdir -p "$folder"
  dpkg-deb --extract "$fetched"/prometheus_*.deb "$folder"
fi
realpath "$folder/usr/bin"
