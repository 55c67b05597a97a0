#!/usr/bin/env bash
# Builds what a microVM boots from into .cache/guest: the distribution's cloud kernel (vmlinux, on arm64 Image), the
# agent, the initramfs that holds it and a busybox, and the host's own pieces (native/). Quick when nothing
# changed: every step is stamped with what it was made from.
#
#   guest/build.sh            make what is missing or out of date
#   guest/build.sh --update   also look for a newer kernel
#
# Needs: apt, dpkg, gcc with a static libc, cpio, node 24 (the project's own is found by itself).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(cd "$here/.." && pwd)/.cache
out=$cache/guest
PATH=$cache/node/bin:$PATH
mkdir -p "$out"

# One builder at a time; the others find the work done.
exec 9>"$out/.lock"
flock 9

work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { echo "guest: $*"; }
fail() { echo "guest: $*" >&2; exit 1; }

# Load order. Devices come from ACPI, so virtio_mmio must be there before the drivers that sit on it.
boot_modules=(virtio_ring virtio virtio_mmio virtio_blk failover net_failover virtio_net virtio-rng overlay inet_diag tcp_diag)
# For what an app with all capabilities may do and cannot load by itself: FUSE, tunnels, loop devices, containers of its own.
all_capabilities_modules=(fuse tun loop veth bridge br_netfilter dummy
  nft_chain_nat nft_compat nft_ct nft_fib_inet nft_masq nft_redir nft_reject_inet
  iptable_filter iptable_nat ip6table_filter ip6table_nat
  xt_MASQUERADE xt_REDIRECT xt_addrtype xt_comment xt_conntrack xt_mark xt_multiport xt_nat xt_tcpudp)

case $(dpkg --print-architecture) in
  amd64) kernel_file=vmlinux; debian_kernel=linux-image-cloud-amd64 ;;
  arm64) kernel_file=Image; debian_kernel=linux-image-cloud-arm64 ;;
  *) fail "no kernel is known for $(dpkg --print-architecture)" ;;
esac

# The versioned package behind the distribution's cloud kernel meta package.
kernel_package() {
  local meta package
  for meta in "$debian_kernel" linux-image-virtual linux-image-kvm; do
    package=$(apt-cache depends --no-recommends --no-suggests --important "$meta" 2>/dev/null |
      sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    if [[ -n $package ]]; then echo "$package"; return; fi
  done
  fail "apt knows no cloud kernel; run: apt-get update"
}

# Ubuntu keeps part of the modules in a package of their own.
download_kernel() {
  local package=$1 modules=${1/linux-image-/linux-modules-}
  local packages=("$package")
  if apt-cache show "$modules" >/dev/null 2>&1; then packages+=("$modules"); fi
  say "downloading ${packages[*]}"
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}") || fail "the kernel package could not be downloaded; run: apt-get update"
  local deb
  for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/kernel"; done
}

unpack_kernel_image() {
  local image=$1 to=$2
  if [[ $kernel_file == vmlinux ]]; then
    node "$here/extract-vmlinux.ts" "$image" "$to"
  elif gzip -t "$image" 2>/dev/null; then
    gzip -dc "$image" >"$to"
  else
    cp "$image" "$to"
  fi
}

module_file() {
  local name=$1
  find "$work/kernel" -name "$name.ko" -o -name "$name.ko.xz" -o -name "$name.ko.zst" -o -name "$name.ko.gz" | head -n 1
}

# The named modules and all they need, each after what it needs, none twice.
with_dependencies() {
  local name file needs
  for name in "$@"; do
    file=$(module_file "$name")
    needs=$([[ -z $file ]] || modinfo -F depends "$file" | tr ',' ' ')
    # shellcheck disable=SC2086 # one word a module
    [[ -z $needs ]] || with_dependencies $needs
    echo "$name"
  done | awk '!seen[$0]++'
}

unpack_module() {
  local name=$1 to=$2 found
  found=$(module_file "$name")
  case $found in
    "") say "$name is built into the kernel" ;;
    *.xz) xz -dc "$found" >"$to" ;;
    *.zst) zstd -qdc "$found" >"$to" ;;
    *.gz) gzip -dc "$found" >"$to" ;;
    *) cp "$found" "$to" ;;
  esac
}

# The number in front of a module's name is its place in the load order.
unpack_modules() {
  local to=$1 place=10 name all
  mapfile -t all < <(with_dependencies "${all_capabilities_modules[@]}")
  mkdir -p "$to/boot" "$to/all-capabilities"
  for name in "${boot_modules[@]}"; do unpack_module "$name" "$to/boot/$((place++))-$name.ko"; done
  for name in "${all[@]}"; do unpack_module "$name" "$to/all-capabilities/$((place++))-$name.ko"; done
}

build_kernel() {
  local recipe stamp=$out/kernel.stamp package
  recipe=$( (echo "${boot_modules[@]}" : "${all_capabilities_modules[@]}"; declare -f with_dependencies unpack_modules; cat "$here/extract-vmlinux.ts") | sha256sum | cut -d' ' -f1)
  if [[ ${1:-} != --update && -f $out/$kernel_file && -d $out/modules && $(cat "$stamp" 2>/dev/null) == "$recipe" ]]; then return; fi
  package=$(kernel_package)
  download_kernel "$package"
  unpack_kernel_image "$(find "$work/kernel/boot" -name 'vmlinuz-*' | head -n 1)" "$work/$kernel_file"
  unpack_modules "$work/modules"
  rm -rf "$out/modules"
  mv "$work/modules" "$out/modules"
  mv "$work/$kernel_file" "$out/$kernel_file"
  echo "${package#linux-image-} $(dpkg-deb -f "$(find "$work" -maxdepth 1 -name 'linux-image-*.deb' | head -n 1)" Version)" >"$out/kernel-version"
  echo "$recipe" >"$stamp"
  say "kernel $(cat "$out/kernel-version")"
}

build_agent() {
  local recipe stamp=$out/agent.stamp
  local flags=(-std=c11 -D_GNU_SOURCE -Os -static -s -ffunction-sections -fdata-sections -Wl,--gc-sections
    -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2)
  recipe=$( (gcc --version; echo "${flags[@]}"; sha256sum "$here"/agent/*.[ch]) | sha256sum | cut -d' ' -f1)
  if [[ -f $out/agent && $(cat "$stamp" 2>/dev/null) == "$recipe" ]]; then return; fi
  gcc "${flags[@]}" "$here"/agent/*.c -o "$work/agent"
  mv "$work/agent" "$out/agent"
  echo "$recipe" >"$stamp"
  say "agent of $(stat -c %s "$out/agent") bytes"
}

# Programs of the host side, from native/.
build_native() {
  local recipe stamp=$out/native.stamp source=$here/../native
  local flags=(-std=c11 -D_GNU_SOURCE -Os -s -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes)
  recipe=$( (gcc --version; echo "${flags[@]}"; declare -f build_native; cat "$source"/*.c) | sha256sum | cut -d' ' -f1)
  if [[ -f $out/vmm-launch && $(cat "$stamp" 2>/dev/null) == "$recipe" ]]; then return; fi
  gcc "${flags[@]}" -static "$source/vmm-launch.c" -o "$work/vmm-launch"
  gcc "${flags[@]}" -shared -fPIC "$source/read-only-memory.c" -o "$work/read-only-memory.so" -ldl
  gcc "${flags[@]}" -O2 -static "$source/sparse-sum.c" -o "$work/sparse-sum"
  mv "$work/vmm-launch" "$work/read-only-memory.so" "$work/sparse-sum" "$out/"
  # without a time stamp counter there is nothing to measure
  if [[ $kernel_file == vmlinux ]]; then
    gcc "${flags[@]}" -static "$source/tsc-khz.c" -o "$work/tsc-khz"
    mv "$work/tsc-khz" "$out/tsc-khz"
  fi
  echo "$recipe" >"$stamp"
}

# What a shell falls back to in images that have none.
build_tools() {
  local recipe stamp=$out/tools.stamp found
  recipe=$(declare -f build_tools | sha256sum | cut -d' ' -f1)
  if [[ -f $out/busybox && $(cat "$stamp" 2>/dev/null) == "$recipe" ]]; then return; fi
  mkdir -p "$work/tools"
  (cd "$work/tools" && apt-get download -qq -o APT::Sandbox::User=root busybox-static) || fail "busybox-static could not be downloaded; run: apt-get update"
  dpkg-deb -x "$work"/tools/*.deb "$work/tools"
  found=$(find "$work/tools" -path '*/bin/busybox' -type f)
  [[ -n $found ]] || fail "the package busybox-static holds no busybox"
  mv "$found" "$out/busybox"
  echo "$recipe" >"$stamp"
  say "busybox of $(stat -c %s "$out/busybox") bytes"
}

# Not compressed: unpacking would cost an emulated guest more than copying does.
build_initramfs() {
  local recipe stamp=$out/initramfs.stamp root=$work/initramfs
  recipe=$(cat "$out/kernel.stamp" "$out/agent.stamp" "$out/kernel-version" "$out/tools.stamp" | sha256sum | cut -d' ' -f1)
  if [[ -f $out/initramfs.cpio && $(cat "$stamp" 2>/dev/null) == "$recipe" ]]; then return; fi
  mkdir -p "$root"/{dev,root,tools}
  cp -r "$out/modules" "$root/modules"
  install -m 755 "$out/agent" "$root/init"
  install -m 755 "$out/busybox" "$root/tools/busybox"
  (cd "$root" && find . -print0 | sort -z | cpio --quiet --null --create --format=newc --owner=0:0 --reproducible) >"$work/initramfs.cpio"
  mv "$work/initramfs.cpio" "$out/initramfs.cpio"
  echo "$recipe" >"$stamp"
  say "initramfs of $(stat -c %s "$out/initramfs.cpio") bytes"
}

build_kernel "${1:-}"
build_agent
build_tools
build_native
build_initramfs
