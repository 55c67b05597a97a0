# shellcheck shell=bash
# node_modules as package-lock.json says. Sourced.

setup_npm_packages() {
  "$NODE" "$ROOT/tools/is-npm-current.ts" && return
  run_logged "npm ci" project_npm ci --prefix "$ROOT" --no-audit --no-fund || fail "check that the npm registry can be reached, then run ./dev setup again"
  did "installed the npm packages"
}
