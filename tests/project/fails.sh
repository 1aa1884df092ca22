#!/bin/sh
# Runs a known-bad case and demands that it is reported: fails.sh STATUS TEXT COMMAND...
# The command must exit with that status, and its output must hold the text.
set -u
status=$1 text=$2
shift 2
said=$("$@" 2>&1)
got=$?
printf '%s\n' "$said"
if [ "$got" -ne "$status" ]; then
    echo "exit status $got: $status was to be reported"
    exit 1
fi
case $said in
*"$text"*) exit 0 ;;
esac
echo "not said: $text"
exit 1
