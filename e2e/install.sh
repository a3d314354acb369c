#!/usr/bin/env bash
# Installs what `make e2e` needs besides Go, and prints the names: Debian packages,
# Synapse in a virtualenv below build/, and the page's npm packages below
# e2e/page/. It changes nothing that is installed already.
#
#   e2e/install.sh              everything
#   e2e/install.sh appservice   what `make e2e-appservice` needs: no browser
#   e2e/install.sh breakages    what `make breakages` needs: no browser and no page
#   e2e/install.sh stack        what `make stack` needs: no browser and no Redis
set -euo pipefail
what=${1:-everything}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. e2e/packages.sh

SYNAPSE=matrix-synapse==1.163.2
VENV=build/synapse

say() { printf '== %s\n' "$*"; }

# programs lists each program with the Debian package that has it.
programs() {
  printf '%s\n' 'nginx nginx-light' 'python3 python3'
  [ "$what" = breakages ] || printf '%s\n' 'node nodejs' 'npm npm'
  [ "$what" = stack ] || printf '%s\n' 'redis-server redis-server'
  [ "$what" != breakages ] || printf '%s\n' 'haproxy haproxy' 'caddy caddy' 'ip iproute2' 'iptables iptables'
  [ "$what" = everything ] || return 0
  printf '%s\n' 'chromium chromium' 'certutil libnss3-tools' 'curl curl' \
    'buildah buildah' 'skopeo skopeo' 'caddy caddy' \
    'haproxy haproxy' 'ip iproute2' 'iptables iptables'
}

# packages lists the packages of the missing programs.
packages() {
  local program package
  while read -r program package; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || echo "$package"
  done < <(programs)
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  [ "$what" != everything ] || busybox_is_static || echo busybox-static
}

# The busybox must be static: it runs as a shell in an image without libraries.
busybox_is_static() { ! ldd "$(command -v busybox)" >/dev/null 2>&1 && command -v busybox >/dev/null; }

install_synapse() {
  [ "$(cat "$VENV/installed" 2>/dev/null)" != "$SYNAPSE" ] || return 0
  say "$SYNAPSE in $VENV"
  rm -rf "$VENV"
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$SYNAPSE"
  echo "$SYNAPSE" >"$VENV/installed"
}

install_page() {
  cd e2e/page
  ! cmp -s package-lock.json node_modules/installed || return 0
  say "npm packages of e2e/page (Element Call, the widget API, esbuild, LiveKit's client, axe)"
  npm ci --no-audit --no-fund
  cp package-lock.json node_modules/installed
}

install_packages
install_synapse
[ "$what" = breakages ] || install_page
