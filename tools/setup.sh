#!/bin/sh
# Installs what onnx-mfm is built, demonstrated and tested with, on Debian 12 or newer: only what is
# missing, as root or through sudo.
#
#     sh tools/setup.sh            to build
#     sh tools/setup.sh --demo     and for tools/demo.sh
#     sh tools/setup.sh --test     and for tools/test.sh
#     sh tools/setup.sh --peers    and PyTorch, whose exports the tests read when it is there
set -eu

build="build-essential cmake ninja-build pkg-config libprotobuf-c-dev protobuf-c-compiler
    libonnx-dev libdnnl-dev zlib1g-dev libxxhash-dev libjansson-dev
    libpopt-dev libjpeg-dev libpng-dev
    libcunit1-dev libopenmpi-dev"
packages=$build
for option in "$@"; do
    case $option in
    --demo) packages="$packages dataset-fashion-mnist" ;;
    --test)
        packages="$packages dataset-fashion-mnist libonnx-testdata python3-venv clang
            openmpi-bin libmpich-dev mpich iproute2
            libclang-rt-14-dev libomp-dev clang-format-14 zsh fish dpkg-dev doxygen"
        ;;
    --peers) packages="$packages python3-torch python3-torchvision python3-pil python3-onnx" ;;
    *)
        echo "setup.sh: unknown option: $option: --demo, --test and --peers are known" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "setup.sh: this is no Debian: install the equivalents of these packages by hand:" >&2
    # shellcheck disable=SC2086 # words
    echo $packages >&2
    exit 1
fi

missing=
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: these packages are missing:$missing: install them as root" >&2
        exit 1
    fi
    as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# What apt says is shown only when it fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "setup.sh: failed: $*" >&2
        exit 1
    fi
}
echo "installing:$missing" >&2
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
# shellcheck disable=SC2086 # words
quietly $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y install --no-install-recommends $missing
