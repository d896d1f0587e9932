#!/usr/bin/env bash
# Step 3 of the image: a folder with all that the server needs at run time and
# nothing else - no shell, no package manager.
#   usage: collect_image.sh FOLDER
# It holds the two programs, the shared libraries that they name, fonts, the
# bundled models, a configuration for containers and the user they run as.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:?usage: collect_image.sh FOLDER}
bin=build/release/bin
# Opened by name at run time, so that no program names them; there on the CUDA
# flavour alone.
opened_later=(libcudnn*.so.* libnvrtc*.so.* libcublas*.so.*)

put() {
  install -D -m "$1" "$2" "$image$3"
}

# Paths of the libraries that a program or a library is linked to.
libraries_of() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// {print $1}' |
    grep -v ':$' | sort -u
}

programs() {
  local program
  for program in saliency-server saliency; do
    put 755 "$bin/$program" "/usr/bin/$program"
    strip --strip-unneeded "$image/usr/bin/$program"
  done
}

libraries() {
  local pattern path missing
  missing=$(ldd $bin/saliency-server $bin/saliency | grep 'not found' || true)
  if [[ $missing ]]; then
    printf 'collect_image.sh: libraries are missing:\n%s\n' "$missing" >&2
    exit 1
  fi
  # By the names that the programs look for; a link becomes the file it means.
  { libraries_of $bin/saliency-server $bin/saliency
    for pattern in "${opened_later[@]}"; do
      for path in /usr/lib/x86_64-linux-gnu/$pattern; do
        [[ ! -e $path ]] || { echo "$path"; libraries_of "$path"; }
      done
    done; } | sort -u | while read -r path; do
      put 755 "$path" "$path"
    done
}

models() {
  local name file
  for name in efficientnet_lite0 voc-emoji; do
    for file in config.pbtxt labels.txt LICENSES.md 1/model.pt; do
      put 644 deploy/models/$name/$file /models/$name/$file
    done
  done
}

# Text on overlays is drawn with these (core/image/text.cc).
fonts() {
  local font
  for font in dejavu/DejaVuSans.ttf dejavu/DejaVuSans-Bold.ttf \
      droid/DroidSansFallbackFull.ttf; do
    put 644 "/usr/share/fonts/truetype/$font" "/usr/share/fonts/truetype/$font"
  done
  for font in fonts-dejavu-core fonts-droid-fallback; do
    put 644 "/usr/share/doc/$font/copyright" "/usr/share/doc/$font/copyright"
  done
}

system() {
  put 644 docker/server.toml /etc/saliency/server.toml
  put 644 LICENSE /usr/share/doc/saliency-server/LICENSE
  echo "saliency:x:10001:10001::/:/nonexistent" >"$image/etc/passwd"
  echo "saliency:x:10001:" >"$image/etc/group"
  put 644 /etc/ssl/certs/ca-certificates.crt \
    /etc/ssl/certs/ca-certificates.crt
  # Where a container engine mounts its own.
  mkdir -p "$image/proc" "$image/sys" "$image/dev" "$image/tmp"
  chmod 1777 "$image/tmp"
}

mkdir -p "$image"
programs
libraries
models
fonts
system
