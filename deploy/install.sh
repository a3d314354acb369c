#!/usr/bin/env bash
# Installs the Debian packages that `make deploy` needs besides Go, and says which.
# What is there already is left alone. Nothing of them is started by that.
set -euo pipefail

programs() {
  printf '%s\n' 'systemd-analyze systemd' 'systemd-socket-activate systemd' \
    'prometheus prometheus' 'promtool prometheus'
}

packages() {
  local program package
  while read -r program package; do
    command -v "$program" >/dev/null || echo "$package"
  done < <(programs) | sort -u
}

. "$(dirname "${BASH_SOURCE[0]}")/../e2e/packages.sh"
install_packages
