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

# Debian asks policy-rc.d before it starts a service; where there is none yet there
# is one for as long as packages are installed.
install_packages() {
  local missing root=() policy=/usr/sbin/policy-rc.d
  mapfile -t missing < <(packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "== Debian packages: ${missing[*]}"
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" apt-get update -q
  if [ ! -e "$policy" ]; then
    # shellcheck disable=SC2064 # its value now
    trap "${root[*]} rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
  fi
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_packages
