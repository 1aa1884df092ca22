#!/bin/sh
# The model's tables are what its script prints: scaling_page.sh SCRIPT PAGE
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
tables() {
    grep -E '^(\||\*\*|rate of )'
}
printed=$(python3 "$1" | tables)
shown=$(sed -n '/^## Predicted/,$p' "$2" | tables)
if [ "$printed" != "$shown" ]; then
    printf 'the page has\n%s\n\nand the script prints\n%s\n' "$shown" "$printed"
    echo "renew the page's tables: python3 tools/bench/scaling.py"
    exit 1
fi
