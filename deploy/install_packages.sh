#!/usr/bin/env bash
# Installs the Debian packages that are missing; does nothing where none is.
#   usage: install_packages.sh [--list] GROUP...
#     GROUP    build, run, test, bench, lint, train, ...: a list in
#              deploy/packages/, one package a line, behind it perhaps a
#              program: where there is one, the package is not needed
#     --list   only print the packages of the groups
set -euo pipefail
lists=$(cd "$(dirname "$0")/packages" && pwd)

die() {
  echo "install_packages.sh: $*" >&2
  exit 1
}

# The lines of the groups, each once; comments begin with #.
packages_of() {
  local group
  for group in "$@"; do
    [[ -f $lists/$group.txt ]] ||
      die "no group \"$group\"; there are: $(cd "$lists" && echo *.txt)"
    sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$lists/$group.txt"
  done | sort -u
}

# Of a package, and perhaps of the program that it is wanted for.
is_there() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ||
    { [[ ${2-} ]] && command -v "$2" >/dev/null; }
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "to install packages run this as root, or install sudo:" \
        "apt-get install ${missing[*]}"
  fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=300 "$@"
}

# OpenBLAS built on pthreads starts threads of its own in every one of
# LibTorch's; an administrator may prefer it, so it is only said.
check_blas() {
  local blas
  blas=$(readlink -f /usr/lib/*/libblas.so.3 2>/dev/null | head -n 1)
  [[ $blas != *openblas-pthread* ]] ||
    echo "note: libblas.so.3 is OpenBLAS on pthreads, which ignores" \
         "LibTorch's number of threads; openblas-openmp is installed too" \
         "(see update-alternatives --config)" >&2
}

main() {
  local list_only=
  if [[ ${1-} == --list ]]; then
    list_only=1
    shift
  fi
  (($#)) || die "usage: install_packages.sh [--list] GROUP..."
  local wanted
  wanted=$(packages_of "$@")
  if [[ $list_only ]]; then
    cut -d ' ' -f 1 <<<"$wanted"
    return
  fi

  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die "there is no apt here, and the packages have Debian's names (12 or" \
        "later): install their like by hand: ${wanted//$'\n'/ }"
  fi
  local package program
  while read -r package program; do
    is_there "$package" "$program" || missing+=("$package")
  done <<<"$wanted"
  if ((${#missing[@]})); then
    echo "installing ${missing[*]}"
    apt update || echo "apt-get update failed: going on with the lists as they are" >&2
    apt install --no-install-recommends "${missing[@]}"
  fi
  check_blas
}

missing=()
main "$@"
