#!/usr/bin/env bash
# Installs the Debian packages that `make deploy` needs besides Go, and prints their
# names. It changes no package that is installed already, and starts no service.
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
