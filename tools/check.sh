#!/usr/bin/env bash
# Runs every static check and reports all that fail; quiet where all is well.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
PATH=$PWD/node_modules/.bin:$PATH

failed=()

check() {
  local label=$1 begun=$EPOCHREALTIME output result
  shift
  output=$("$@" 2>&1)
  result=$?
  local millis=$(((${EPOCHREALTIME/[.,]/} - ${begun/[.,]/}) / 1000))
  if [[ $result -eq 0 ]]; then
    printf 'ok      %-14s %5d ms\n' "$label" "$millis"
  else
    printf 'FAILED  %-14s %5d ms\n%s\n' "$label" "$millis" "$(sed 's/^/  /' <<<"$output")"
    failed+=("$label")
  fi
}

shell_scripts() { git ls-files -z --cached --others --exclude-standard | xargs -0 grep -lIE '^#!/(usr/bin/env bash|bin/bash|bin/sh)|^# shellcheck shell=' --; }

shell_syntax() {
  local script result=0
  while read -r script; do bash -n "$script" || result=1; done < <(shell_scripts)
  if command -v shellcheck >/dev/null; then shell_scripts | xargs shellcheck --severity=warning || result=1; fi
  return "$result"
}

# A suppression says why: "// oxlint-disable-next-line rule -- reason".
suppression_reasons() { ! grep -rnE 'oxlint-disable|eslint-disable|@ts-(ignore|expect-error|nocheck)' src test bench tools --include='*.ts' | grep -vE ' -- \S|@ts-expect-error \S'; }

check format oxfmt --check .
check lint oxlint --type-aware
check types tsc --project .
check imports node tools/check-imports.ts
check "dead code" knip
check duplicates node tools/find-duplicates.ts
check suppressions suppression_reasons
check shell shell_syntax
check lockfile node tools/complete-lockfile.ts --check

if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'check: failed: %s\n' "$(IFS=,; echo "${failed[*]}")"
  exit 1
fi
echo "check: everything passed"
