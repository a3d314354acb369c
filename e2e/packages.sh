# shellcheck shell=bash
# install_packages installs the Debian packages that the function packages lists. The
# script that reads this file defines that function. No installed service starts by
# itself: Debian asks policy-rc.d before it starts one. If that file is missing, this
# function creates one that refuses, and removes it at the end of the script.
install_packages() {
  local missing root=() policy=/usr/sbin/policy-rc.d
  mapfile -t missing < <(packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "== Debian packages: ${missing[*]}"
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" apt-get update -q
  if [ ! -e "$policy" ]; then
    # shellcheck disable=SC2064 # the trap needs the value that root has now
    trap "${root[*]} rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
  fi
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}
