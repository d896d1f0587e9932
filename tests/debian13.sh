#!/usr/bin/env bash
# Runs a command of this tree on a bare Debian, in a root made by debootstrap
# outside the tree.  Needs root and the machine's own apt sources.
#   usage: debian13.sh [--suite NAME] [COMMAND [ARGUMENT...]]
#     --suite NAME   default: trixie, Debian 13
#     COMMAND        in the tree's copy there; default: tests/run.sh
# The root, ${TMPDIR:-/tmp}/saliency-NAME, stays for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
  echo "debian13.sh: $*" >&2
  exit 1
}

# Where this machine gets Debian from.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' | grep -v security | sed -n 1p
}

make_root() {
  [[ -f $root/made ]] && return
  command -v debootstrap >/dev/null || deploy/install_packages.sh debootstrap
  local from
  from=$(mirror)
  [[ $from ]] || die "no Debian among this machine's apt sources"
  rm -rf "$root"
  debootstrap --variant=minbase "$suite" "$root" "$from"
  touch "$root/made"
}

# The names and the ways of fetching that hold on this machine hold there too.
share_network() {
  cp /etc/hosts /etc/resolv.conf "$root/etc/"
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries|Queue)' \
    >"$root/etc/apt/apt.conf.d/90from-outside" || true
}

# What git knows or would take, with its times, so that a second build is short.
copy_tree() {
  mkdir -p "$root/src"
  find "$root/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
  git ls-files -z --cached --others --exclude-standard |
    tar --null --ignore-failed-read -T - -c | tar -x -C "$root/src"
}

# Mounts in a namespace of its own: they end with the command, however it ends.
run_inside() {
  unshare --mount -- bash -euc '
    root=$1
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      bash -c "cd /src && exec \"\$@\"" bash "$@"' bash "$root" "$@"
}

main() {
  suite=trixie
  if [[ ${1-} == --suite ]]; then
    suite=${2:?debian13.sh: --suite needs a NAME}
    shift 2
  fi
  case ${1-} in
    -h | --help)
      sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
      return
      ;;
    -*) die "unknown argument $1 (see --help)" ;;
    "") set -- tests/run.sh ;;
  esac
  root=${TMPDIR:-/tmp}/saliency-$suite
  [[ $(id -u) == 0 ]] || die "debootstrap and chroot need root"

  make_root
  share_network
  copy_tree
  run_inside "$@"
}

main "$@"
