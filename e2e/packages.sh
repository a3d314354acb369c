# shellcheck shell=bash
# install_packages installs the Debian packages that the function packages of the
# script that reads this file lists. Nothing that is installed starts by itself:
# Debian asks policy-rc.d before it starts a service, and where there is none yet
# there is one for as long as packages are installed.
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
