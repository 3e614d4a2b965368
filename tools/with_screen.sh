#!/bin/sh
# Run a command where a full napari viewer can open: on the display there is, else on a virtual one.
#
#   sh tools/with_screen.sh COMMAND [ARGUMENT...]
#
# On Debian and Ubuntu the virtual screen (Xvfb) and software OpenGL (Mesa) are installed where they are missing. Where
# that cannot be done the command runs all the same, and what needs a screen fails and says so.
set -eu

packages="xvfb xauth libgl1 libgl1-mesa-dri libegl1 libopengl0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0
libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
libxcb-xinerama0 libxcb-xkb1"

say() { echo "== $*" >&2; }

missing_packages() {
    for package in $packages; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
    done
}

install_packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        say "A virtual screen needs packages that only root can install. Please run once:"
        say "  sudo apt-get install $missing"
        return 0
    fi
    say "Installing a virtual screen with apt-get: $missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # one argument a package
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

if [ "$(uname -s)" != Linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec "$@"
fi
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
    install_packages || say "apt-get could not install the virtual screen (see above)."
fi
if command -v xvfb-run >/dev/null 2>&1 && command -v xauth >/dev/null 2>&1; then
    say "No display here: using a virtual one (Xvfb)."
    exec xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" "$@"
fi
say "No display, and no xvfb-run to make one: tests that need a screen will fail and say so."
exec "$@"
