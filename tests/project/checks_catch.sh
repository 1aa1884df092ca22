#!/bin/sh
# Each structure check finds the one breach it is shown, and passes the same tree without it:
# checks_catch.sh WORK_FOLDER
set -eu
work=$1
here=$(cd "$(dirname "$0")" && pwd)

# A small tree that breaks no rule.
tree() {
    rm -rf "$work"
    mkdir -p "$work/core/engine" "$work/core/train" "$work/onnx" "$work/tools"
    cp "$here/../../.clang-format" "$work"
    printf '#include "core/engine/a.h"\nint f(void)\n{\n    return 0;\n}\n' >"$work/core/engine/a.c"
    printf '#include <protobuf-c/protobuf-c.h>\n#include "core/train/t.h"\n' >"$work/onnx/o.c"
    printf '#include <popt.h>\n#include "onnx/o.h"\n' >"$work/tools/t.c"
    printf 'See [the code](core/engine/a.c), [elsewhere](https://example.org/).\n' >"$work/a.md"
}

# repeat COUNT TEXT
repeat() {
    awk -v count="$1" -v text="$2" 'BEGIN { while (count--) printf "%s", text }'
}

# catches CHECK FILE TEXT: the check exits with 1 once FILE ends with TEXT (as printf reads it).
catches() {
    tree
    sh "$here/check_$1.sh" "$work" || { echo "check_$1 refuses a good tree"; exit 1; }
    printf "$3" >>"$work/$2"
    status=0
    said=$(sh "$here/check_$1.sh" "$work") || status=$?
    if [ "$status" -ne 1 ]; then
        echo "check_$1 exits with $status for: $3"
        exit 1
    fi
    case $said in
    *"$2:"*) ;;
    *) echo "check_$1 does not name $2: $said"; exit 1 ;;
    esac
}

catches includes core/engine/a.c '#include "core/train/t.h"\n'
catches includes core/train/t.c '  #  include "onnx/o.h"\n'
catches includes onnx/o.c '#include "tools/t.h"\n'
catches includes onnx/o.c '#include "../core/engine/a.h"\n'
catches includes tools/t.c '#include "onnx.pb-c.h"\n'
catches includes core/engine/a.c '#include <cblas.h>\n'
catches includes onnx/o.c '#include <dnnl.h>\n'
catches includes core/train/t.c '#include <jansson.h>\n'
catches includes onnx/o.c '#include <popt.h>\n'
catches includes core/train/t.c '#include <mpi.h>\n'
catches lengths core/engine/a.c "$(repeat 500 '\\n')"
catches lengths core/engine/a.c "int g(void)\n{\n$(repeat 71 '\\n')}\n"
catches lengths core/engine/a.c "// $(repeat 98 x)\n"
catches texts core/engine/a.c '// see /ho''me/somebody/notes\n'
catches texts tools/t.c '// TO''DO\n'
if sh "$here/check_format.sh" "$here/../.." >/dev/null || [ $? -ne 77 ]; then
    catches format core/engine/a.c 'int  g;\n'
fi
catches links a.md '[gone](core/engine/b.c)\n'

tree
sh "$here/check_folders.sh" "$work" || { echo "check_folders refuses a good tree"; exit 1; }
for i in $(seq 21); do : >"$work/core/engine/$i.c"; done
status=0
said=$(sh "$here/check_folders.sh" "$work") || status=$?
case $status$said in
1core/engine:*) ;;
*) echo "check_folders takes 21 files: $status $said"; exit 1 ;;
esac

status=0
sh "$here/check_includes.sh" "$here" >/dev/null || status=$?
[ "$status" -eq 2 ] || { echo "a tree without sources is not refused: $status"; exit 1; }
