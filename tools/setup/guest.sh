# shellcheck shell=bash
# Kernel, initramfs and agent of the microVMs. Sourced; guest/build.sh knows by itself whether anything is to do.

setup_guest() {
  local before
  before=$(guest_fingerprint)
  if [[ -z $before ]] && ! knows_cloud_kernel; then
    run_logged "apt-get update" as_root apt-get -q update || fail "the package lists could not be fetched"
  fi
  run_logged "guest" "$ROOT/guest/build.sh" || fail "the guest could not be built (see above)"
  if [[ $before != "$(guest_fingerprint)" ]]; then did "built the guest: kernel, initramfs, agent"; fi
}

# Fresh machines and containers often come without package lists.
knows_cloud_kernel() { apt-cache show "linux-image-cloud-$(dpkg --print-architecture)" >/dev/null 2>&1 || apt-cache show linux-image-virtual >/dev/null 2>&1; }

guest_fingerprint() {
  mkdir -p "$ROOT/.cache/guest"
  find "$ROOT/.cache/guest" -maxdepth 1 -name '[!.]*' -type f -printf '%f %s %T@\n' | sort
}
