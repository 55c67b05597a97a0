# shellcheck shell=bash
# Clients that only tests need: a browser, the tool that makes it trust our root, the AWS CLI 2, Python's WebSocket client
# and boto3. Sourced.

PYTHON_CLIENTS=(websockets==17.4 boto3==1.44.5)

setup_test_clients() {
  local missing=()
  # Ubuntu's package of that name is a snap, which does not run here: there a browser of one's own does.
  command -v chromium google-chrome >/dev/null || missing+=(chromium)
  command -v certutil >/dev/null || missing+=(libnss3-tools)
  # The only AWS CLI 2 in a package index, for `aws logs tail`; where there is none that part of a walkthrough uses version 1.
  [[ -x /usr/bin/aws ]] || { has_candidate awscli && missing+=(awscli); } || true
  if [[ ${#missing[@]} -gt 0 ]]; then
    say "Debian packages to install for tests: ${missing[*]}"
    install_packages "${missing[@]}" || fail "install these by hand, then run ./dev test again: ${missing[*]}"
    did "installed ${#missing[@]} Debian packages for tests"
  fi
  install_python_clients
}

has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[0-9]* ]]; }

install_python_clients() {
  local home=$ROOT/.cache/python-clients
  [[ -f $home/version && $(<"$home/version") == "${PYTHON_CLIENTS[*]}" ]] && return
  rm -rf -- "$home"
  /usr/bin/python3 -m venv "$home" &&
    run_logged "pip clients" "$home/bin/pip" install --disable-pip-version-check --no-input "${PYTHON_CLIENTS[@]}" &&
    [[ -n $(find "$home/lib" -path '*/data/lambda-microvms/*' -name 'service-2.json*' -print -quit) ]] ||
    fail "Python's clients could not be fetched; check that the Python package index can be reached"
  echo "${PYTHON_CLIENTS[*]}" >"$home/version"
  did "installed for tests: ${PYTHON_CLIENTS[*]}"
}
