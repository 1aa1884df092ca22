#!/bin/sh
# Makes the Debian package of a build, unpacks it, and runs what is in it from there: package.sh
# BUILD_FOLDER WORK_FOLDER MAKE_IDX
set -eu
build=$1 work=$2 make_idx=$3

fail() {
    echo "FAILED: $*"
    exit 1
}
for program in cpack dpkg-deb dpkg-shlibdeps; do
    command -v $program >/dev/null || { echo "skipped: no $program"; exit 77; }
done
rm -rf "$work"
mkdir -p "$work/root" "$work/data"
cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/made" >"$work/cpack.log" 2>&1 ||
    { cat "$work/cpack.log"; fail "cpack"; }
deb=$(find "$work/made" -maxdepth 1 -name 'onnx-mfm_*.deb')
[ -n "$deb" ] || fail "no package: $(ls "$work/made")"

version=$(dpkg-deb -f "$deb" Version)
[ "$(dpkg-deb -f "$deb" Package)" = onnx-mfm ] || fail "it has another name"
# It needs what it is linked with, and says so.
for library in libc6 libjansson4 libpopt0; do
    dpkg-deb -f "$deb" Depends | grep -q "$library" || fail "it does not depend on $library"
done
# It needs no MPI: a module is a package of its own, which needs that MPI and this very version.
dpkg-deb -f "$deb" Depends | grep -Eq 'mpi(ch|[0-9])' && fail "it depends on an MPI"
modules=0
for module in "$build"/tools/onnx-mfm-*.so; do
    [ -e "$module" ] || continue
    name=$(basename "$module" .so)
    of_module=$(find "$work/made" -maxdepth 1 -name "${name}_*.deb")
    [ -n "$of_module" ] || fail "no package of $name: $(ls "$work/made")"
    dpkg-deb -f "$of_module" Depends | grep -Eq "onnx-mfm \(= $version\)" ||
        fail "$name does not depend on onnx-mfm of its version"
    dpkg-deb -f "$of_module" Depends | grep -Eq 'lib(open)?mpi' || fail "$name depends on no MPI"
    [ "$(dpkg-deb -c "$of_module" | grep -vc '/$')" -eq 1 ] || fail "$name has other files too"
    modules=$((modules + 1))
done
# All of it is root's and lies below /usr.
dpkg-deb -c "$deb" >"$work/contents"
awk '$2 != "root/root" || $6 !~ /^\.\/(usr\/.*)?$/ { print; bad = 1 } END { exit bad }' \
    "$work/contents" || fail "files that do not belong into it"

# Removed, it is gone: dpkg lists on what has a script for that, or conffiles. The loader's cache
# follows a shared library by a trigger.
for package in "$work/made"/*.deb; do
    dpkg-deb -I "$package" | grep -Eq ' (postinst|postrm|conffiles)( |$)' &&
        fail "$(basename "$package") leaves something behind"
    dpkg-deb -c "$package" | grep -Eq '/lib/[^/]*/?libonnx-mfm\.so' || continue
    dpkg-deb -I "$package" triggers | grep -qx 'activate-noawait ldconfig' ||
        fail "$(basename "$package") does not tell the loader"
done

dpkg-deb -x "$deb" "$work/root"
root=$work/root/usr
LD_LIBRARY_PATH=$(find "$root/lib" -name 'libonnx-mfm.so*' -exec dirname {} \; | sort | head -n 1)
export LD_LIBRARY_PATH
tool=$root/bin/onnx-mfm
[ "$("$tool" version)" = "onnx-mfm $version" ] || fail "it is not version $version"
"$make_idx" "$work/data" 4 40 10 20
cd "$work"
"$tool" new lenet -o lenet.onnx --classes 4 --input 1,20,20 >said
"$tool" train lenet.onnx -o trained.onnx --data idx:data --imbalance 10 --layer fc:1 --batch 16 \
    --meta-batch 8 --meta-per-class 4 --epochs 2 --threads 1 >said 2>&1 ||
    { cat said; fail "train"; }
"$tool" eval trained.onnx --data idx:data >said || fail "eval"

# Started by an MPI without its module: what to install.
if MFM_MPI=nowhere OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 "$tool" train lenet.onnx \
    -o x.onnx --data idx:data >said 2>&1; then
    fail "it trains as two processes without a module"
fi
grep -q 'no module that works for nowhere: install its package' said ||
    { cat said; fail "no hint"; }

# The manual page of each command can be read, and completion is there.
"$tool" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
    grep -Ev '^(help|version)$' >commands
[ "$(wc -l <commands)" -ge 10 ] || fail "help lists no commands"
while read -r command; do
    page=$(find "$root/share/man" -name "onnx-mfm-$command.1*")
    [ -s "$page" ] || fail "no manual page of $command"
    command -v man >/dev/null || continue
    MANPAGER=cat MANWIDTH=80 man --warnings -l "$page" >page.txt 2>warnings </dev/null ||
        fail "man refuses the page of $command"
    [ ! -s warnings ] || fail "man on the page of $command: $(head -n 3 warnings)"
    grep -q "onnx.mfm.$command" page.txt || fail "the page of $command does not name it"
done <commands
for file in bash-completion/completions/onnx-mfm zsh/vendor-completions/_onnx-mfm \
    fish/vendor_completions.d/onnx-mfm.fish doc/onnx-mfm/copyright doc/onnx-mfm/README.md \
    doc/onnx-mfm/docs/method.md doc/onnx-mfm/examples/serve.c; do
    [ -s "$root/share/$file" ] || fail "no $file"
done
echo "$(basename "$deb"): $(wc -l <contents) files, $(wc -l <commands) commands, $modules modules"
