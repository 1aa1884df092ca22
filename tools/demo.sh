#!/bin/sh
# Installs what is missing, builds, and shows what the program does: a LeNet trained on a long tail
# of Fashion-MNIST (6000 images of the first class, 6 of the last), plainly, with logit adjustment
# and with a feature modulator, three seeds each, what they are worth on balanced test images, and a
# report of all runs. Within five minutes on two cores, once it is built.
#
#     sh tools/demo.sh               as root or with sudo
#     MFM_SETUP=0 sh tools/demo.sh   installs nothing
#     MFM_EPOCHS=5 sh tools/demo.sh  shorter (15 epochs are the default)
set -eu
cd "$(dirname "$0")/.."

epochs=${MFM_EPOCHS:-15}
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

# The training images of a class fall by a factor of 1000 from the first to the last; each seed
# chooses others, and another order.
tail="--imbalance 1000"
meta="--meta-per-class 10 --meta-from copy"
# The learning rate falls by ten after four fifths of the epochs.
schedule="--epochs $epochs --lr 0.05 --milestones $((epochs * 4 / 5 > 0 ? epochs * 4 / 5 : 1))"
seeds="--seeds 1-3"

# shellcheck disable=SC2086 # options are words
{
    run new lenet -o lenet.onnx --seed 1
    run data $data $tail $meta
    run train lenet.onnx -o plain.onnx --data $data $tail --method base $schedule $seeds
    run train lenet.onnx -o logit-adjustment.onnx --data $data $tail --method base \
        --loss logit-adjustment $schedule $seeds
    run train lenet.onnx -o mfm.onnx --data $data $tail $meta --method mfm --layer fc:1 \
        $schedule $seeds
    run report plain.run logit-adjustment.run mfm.run -o report.html
}

# figure FOLDER KEY: "mean +- deviation" over the seeds, "-" where there is none.
figure() {
    awk -v key="\"$2\":" '
        $1 == "\"mean\":" || $1 == "\"deviation\":" { part = $1 }
        $1 == "\"runs\":" { part = "" }
        part != "" && $1 == key && $2 !~ /null/ { number[part] = sprintf("%.1f", $2) }
        END {
            text = number["\"mean\":"] == "" ? "-" : number["\"mean\":"]
            if (number["\"deviation\":"] != "")
                text = text " +- " number["\"deviation\":"]
            print text
        }' "$1/summary.json"
}

row() {
    printf '%-34s %13s %18s %13s\n' "$1" "$(figure plain.run "$2")" \
        "$(figure logit-adjustment.run "$2")" "$(figure mfm.run "$2")"
}

echo
echo "on 10000 balanced test images, in percent, mean and deviation over three seeds:"
echo
printf '%-34s %13s %18s %13s\n' "" plain "logit adjustment" MFM
row "error" test_error
row "recall, over 100 training images" many
row "recall, 20 to 100" medium
row "recall, under 20" few
echo
for folder in plain logit-adjustment mfm; do
    sed -n '/"runs"/,$s/^ *"test_error": \([0-9.]*\),*$/\1/p' $folder.run/summary.json | sort -n |
        awk -v name=$folder 'NR == 1 { low = $1 } { high = $1 }
            END {
                printf "%-16s seeds differ by %.1f: %.1f to %.1f\n", name, high - low, low, high
            }'
done
cat <<END

So much do runs of one method differ by their seeds alone: a smaller difference between two methods
says nothing. Each file is a plain classifier of the same size and speed. To go on:
    cd $out && PATH=\$PWD/../release/tools:\$PATH
    onnx-mfm eval mfm-seed-1.onnx --data $data   recall of every class, confusion
    onnx-mfm inspect mfm-seed-1.onnx                        layers, and the names that --layer takes
    onnx-mfm inject mfm-seed-1.onnx -o i.onnx --layer fc:1  what was trained, as ONNX
    onnx-mfm train --help

The runs side by side, for any browser:
    $PWD/report.html
END
