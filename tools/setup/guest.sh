# shellcheck shell=bash
# Kernel, initramfs and agent of the microVMs. Sourced; guest/build.sh knows by itself whether anything is to do.

setup_guest() {
  local before after
  before=$(guest_fingerprint)
  run_logged "guest" "$ROOT/guest/build.sh" || fail "the guest could not be built"
  after=$(guest_fingerprint)
  if [[ $before != "$after" ]]; then did "built the guest: kernel, initramfs, agent"; fi
}

guest_fingerprint() { find "$ROOT/.cache/guest" -maxdepth 1 -type f -printf '%f %s %T@\n' 2>/dev/null | sort; }
