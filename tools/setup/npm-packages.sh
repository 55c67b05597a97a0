# shellcheck shell=bash
# node_modules as package-lock.json says. Sourced.

setup_npm_packages() {
  "$NODE" "$ROOT/tools/is-npm-current.ts" && return
  command -v npm >/dev/null || fail "npm is missing; run ./dev setup"
  run_logged "npm ci" npm ci --prefix "$ROOT" --no-audit --no-fund || fail "check that the npm registry can be reached, then run ./dev setup again"
  did "installed the npm packages"
}
