#!/bin/sh
# The operator table is what the program prints: operators_page.sh PROGRAM PAGE
set -eu
if ! "$1" ops --markdown | diff -u "$2" -; then
    echo "renew the page: onnx-mfm ops --markdown > docs/operators.md"
    exit 1
fi
