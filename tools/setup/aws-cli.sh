# shellcheck shell=bash
# The AWS CLI, for tests and the demo only, in a virtual environment of its own. Sourced.

AWS_CLI_VERSION=1.46.2

setup_aws_cli() {
  local home=$ROOT/.cache/awscli
  [[ -f $home/version && $(<"$home/version") == "$AWS_CLI_VERSION" ]] && return
  rm -rf -- "$home"
  install_aws_cli "$home" || fail "the AWS CLI could not be fetched; check that the Python package index can be reached"
  echo "$AWS_CLI_VERSION" >"$home/version"
  did "installed the AWS CLI $AWS_CLI_VERSION for tests"
}

# Debian's own Python: another one on the PATH may be gone tomorrow.
install_aws_cli() {
  /usr/bin/python3 -m venv "$1" &&
    run_logged "pip awscli" "$1/bin/pip" install --disable-pip-version-check --no-input "awscli==$AWS_CLI_VERSION" &&
    [[ -n $(find "$1/lib" -path '*/data/lambda-microvms/*' -name 'service-2.json*' -print -quit) ]]
}
