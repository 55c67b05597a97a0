# shellcheck shell=bash
# Messages, progress and privilege for the setup steps. Sourced.

DID_SOMETHING=""

say() { printf 'setup: %s\n' "$*"; }

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

did() {
  # shellcheck disable=SC2034 # read by ./dev
  DID_SOMETHING=yes
  say "$*"
}

# Tenths of a second since an EPOCHREALTIME value.
seconds_since() {
  local micros=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((micros / 1000000)) $((micros / 100000 % 10))
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo --preserve-env=http_proxy,https_proxy,no_proxy,DEBIAN_FRONTEND "$@"
  else
    fail "'$1' needs root: run ./dev setup as root, or install sudo"
  fi
}

# run_logged LABEL COMMAND...: output to a log, a line every few seconds, the log's end when it fails.
run_logged() {
  local label=$1 begun=$EPOCHREALTIME log pid seconds=0
  shift
  mkdir -p "$ROOT/.cache/log"
  log=$ROOT/.cache/log/${label//[^A-Za-z0-9]/-}.log
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    seconds=$((seconds + 1))
    # 0.2 s a round: told after 2 s, then every 5 s
    if ((seconds == 10 || (seconds > 10 && seconds % 25 == 0))); then
      say "  $label ... $(seconds_since "$begun") s"
    fi
  done
  if ! wait "$pid"; then
    tail -n 30 "$log" | sed 's/^/  | /' >&2
    printf 'setup: %s failed; the whole output is in %s\n' "$label" "$log" >&2
    return 1
  fi
}
