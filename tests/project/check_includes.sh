#!/bin/sh
# Includes go one way, and each third-party interface has one home: check_includes.sh ROOT
#     core/base <- core/engine <- core/data <- core/report <- core/train <- onnx <- models <- tools
# A folder may include itself and what stands to its left. One line a breach; exits 1 when there is
# one, and 2 when there is nothing to check.
set -eu
cd "$1"
files=$(find core onnx models tools tests -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "no sources below $1"; exit 2; }
# shellcheck disable=SC2086 # no file of the project has a space in its name
awk '
function folder(path,    part) {
    split(path, part, "/")
    return part[1] == "core" ? part[1] "/" part[2] : part[1]
}
function breach(why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, $2, why
    bad = 1
}
function only(header, home, name) {
    if ($2 ~ header && FILENAME !~ home)
        breach(name)
}
BEGIN {
    n = split("core/base core/engine core/data core/report core/train onnx models tools tests",
              order, " ")
    for (i = 1; i <= n; i++)
        rank[order[i]] = i
}
/^[ \t]*#[ \t]*include/ {
    sub(/#[ \t]*include/, "#include ")
    if ($2 ~ /\.\.\// && FILENAME !~ "^tests/")
        breach("paths start at the root of the project")
    from = folder(FILENAME)
    to = folder(substr($2, 2))
    if ((to in rank) && rank[to] > rank[from])
        breach(from " may not include " to)
    only("^[<\"](.*[.]pb-c[.]h|protobuf-c/)", "^(onnx|tests/onnx)/", "protobuf-c belongs to onnx/")
    only("^[<\"](dnnl|oneapi)", "^core/engine/kernels/",
         "convolution libraries belong to core/engine/kernels/")
    only("^[<\"](cblas|mkl|f77blas)", "^$",
         "matrix products are core/engine/kernels/gemm/gemm.h, which says why")
    only("^[<\"]mpi[.]h", "^core/train/comm/transport_mpi[.]c",
         "MPI belongs to core/train/comm/transport_mpi.c")
    only("^[<\"]jansson", "^(onnx|core/report|tools|tests)/",
         "JSON belongs to onnx/, core/report/ and tools/")
    only("^[<\"]popt", "^tools/", "options belong to tools/")
    only("^[<\"](jpeglib|jerror|turbojpeg|png)[.]h", "^(core/data|tests)/",
         "image files belong to core/data/")
    only("^[<\"]zlib", "^(core/data|tests)/", "compressed files belong to core/data/")
    only("^[<\"]CUnit", "^tests/", "CUnit belongs to tests/")
}
END { exit bad }
' $files
