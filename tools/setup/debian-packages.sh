# shellcheck shell=bash
# The distribution's packages: engine, image builds, networks, and the compiler of the guest agent. Sourced.

# One line per need; a|b means either will do.
wanted_packages() {
  case $(dpkg --print-architecture) in
    amd64) echo qemu-system-x86 ;;
    arm64) echo qemu-system-arm ;;
    *) fail "Catnap runs on amd64 and arm64, not on $(dpkg --print-architecture)" ;;
  esac
  printf '%s\n' buildah 'crun|runc' e2fsprogs nftables iproute2 util-linux procps kmod \
    gcc libc6-dev make cpio zstd lz4 xz-utils zip curl ca-certificates libnss-myhostname python3 python3-venv
}

# The wanted packages that dpkg does not know as installed.
missing_packages() {
  local installed need choice
  installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null | grep -oP '(?<=ii )\S+' | tr '\n' ' ') "
  wanted_packages | while read -r need; do
    for choice in ${need//|/ }; do
      [[ $installed == *" $choice "* ]] && continue 2
    done
    echo "${need%%|*}"
  done
  has_npm || echo npm
}

has_npm() {
  local version
  version=$(npm_version)
  [[ ${version%%.*} -ge 9 ]]
}

# Read from npm's own package file: starting npm for it would take most of a second.
npm_version() {
  local script manifest
  script=$(command -v npm) || { echo 0; return; }
  manifest=$(dirname -- "$(dirname -- "$(readlink -f -- "$script")")")/package.json
  { grep -m1 -oP '"version":\s*"\K[0-9.]+' "$manifest" || npm --version; } 2>/dev/null || echo 0
}

setup_debian_packages() {
  local missing
  command -v dpkg-query apt-get >/dev/null || fail "this is no Debian or Ubuntu; install by hand what tools/setup/debian-packages.sh lists"
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] && return
  say "Debian packages to install: ${missing[*]}"
  install_packages "${missing[@]}" || fail "install these by hand, then run ./dev setup again: ${missing[*]}"
  did "installed ${#missing[@]} Debian packages"
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  if ! are_candidates_fetchable "$@"; then
    run_logged "apt-get update" as_root apt-get -q update || return
  fi
  run_logged "apt-get install" as_root apt-get -q install -y --no-install-recommends "$@" && return
  run_logged "apt-get update" as_root apt-get -q update || return
  run_logged "apt-get install" as_root apt-get -q install -y --no-install-recommends "$@"
}

# Lists younger than a day that know every name spare the update.
are_candidates_fetchable() {
  [[ -n $(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null) ]] &&
    apt-cache show --no-all-versions "$@" >/dev/null 2>&1
}
