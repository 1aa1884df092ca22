#!/bin/sh
# Installs what is missing, builds, and shows what the program does: a LeNet trained on a long tail
# of Fashion-MNIST (6000 images of the first class, 6 of the last), plainly and with a feature
# modulator, and what both are worth on balanced test images. A few minutes on two cores.
#
#     sh tools/demo.sh               as root or with sudo
#     MFM_SETUP=0 sh tools/demo.sh   installs nothing
#     MFM_EPOCHS=5 sh tools/demo.sh  shorter (30 epochs are the default)
set -eu
cd "$(dirname "$0")/.."

epochs=${MFM_EPOCHS:-30}
case $epochs in
'' | *[!0-9]* | 0)
    echo "demo.sh: MFM_EPOCHS: $epochs: a whole number from 1 on" >&2
    exit 2
    ;;
esac
data=fashion-mnist
out=build/demo

if [ "${MFM_SETUP:-1}" != 0 ]; then
    sh tools/setup.sh --demo
fi
mkdir -p build
echo "building"
if ! { cmake --preset release &&
    cmake --build --preset release --target onnx-mfm; } >build/demo.log 2>&1; then
    tail -n 30 build/demo.log >&2
    echo "demo.sh: the build failed: build/demo.log" >&2
    exit 1
fi
PATH=$PWD/build/release/tools:$PATH
rm -rf "$out"
mkdir -p "$out"
cd "$out"

# Shows a command, then runs it.
run() {
    echo
    echo "\$ onnx-mfm $*"
    onnx-mfm "$@"
}

# The training images of a class fall by a factor of 1000 from the first to the last.
split="--imbalance 1000 --meta-per-class 10 --meta-from copy"
# The learning rate falls by ten after four fifths of the epochs.
schedule="--epochs $epochs --lr 0.05 --milestones $((epochs * 4 / 5 > 0 ? epochs * 4 / 5 : 1))"

# shellcheck disable=SC2086 # options are words
{
    run new lenet -o lenet.onnx --seed 1
    run data $data $split
    run train lenet.onnx -o base.onnx --data $data $split --method base $schedule
    run train lenet.onnx -o mfm.onnx --data $data $split --method mfm --layer fc:1 $schedule
}

# One line a class: training images, recall, name.
recalls() {
    awk '/^class / { table = 1; next } table && NF == 0 { exit }
        table { recall = $(NF - 1); training = $(NF - 2); images = $(NF - 3); name = $0
                sub(" *" images " +" training " +[0-9.]+ %$", "", name)
                printf "%s\t%s\t%s\n", training, recall, name }' "$1"
}
for model in base mfm; do
    onnx-mfm eval $model.onnx --data $data --imbalance 1000 >$model.txt
    recalls $model.txt | sort -n | head -n 5 >$model.rarest
    sed -n 's/^error \([0-9.]*\) .*/\1/p' $model.txt >$model.error
done

echo
echo "on 10000 balanced test images, in percent:"
echo
printf '%-34s %8s %8s\n' "" plain MFM
printf '%-34s %8s %8s\n' "error" "$(cat base.error)" "$(cat mfm.error)"
paste base.rarest mfm.rarest | awk -F '\t' '{
    printf "%-34s %8s %8s\n", sprintf("recall of %s (%d images)", $3, $1), $2, $5 }'
printf '%-34s %8s %8s\n' "file (in $out)" base.onnx mfm.onnx
cat <<EOF

Both files are plain classifiers of the same size and speed. To go on:
    cd $out && PATH=\$PWD/../release/tools:\$PATH
    onnx-mfm eval mfm.onnx --data $data         recall of every class, confusion
    onnx-mfm inspect mfm.onnx                        layers, and the names that --layer takes
    onnx-mfm inject mfm.onnx -o i.onnx --layer fc:1  what was trained, as ONNX
    onnx-mfm train --help
EOF
