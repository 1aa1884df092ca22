# Photographs that cannot be read, of which each rank meets some: left out by all, told once, and
# counted as by one process.
. "$SOURCE/tests/cli/mpi/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

spoil() {
    for file in "$@"; do
        head -c 100 "$file" >cut && mv cut "$file"
    done
}

# Of 480 training images all ranks read 400 at first, for their mean: not the last of each six.
mkdir photos
"$MAKE_PHOTOS" photos/train 240 && "$MAKE_PHOTOS" photos/test 10 || fail "no photographs"
expect_exit 0 new lenet -o lenet.onnx --classes 2 --input 3,32,32
bad="train/dark/005 train/dark/011 train/dark/017 train/light/005 train/light/023 test/light/002
    test/dark/006"
for image in $bad; do
    spoil photos/$image.jpg
done
options="train lenet.onnx --data folder:photos --method base --batch 16 --lr 0.01 --epochs 2
    --milestones none --threads 1 --on-bad-image skip"

# What the last command has told of the run of that name.
told() {
    tr -d ' \n' <$1.run/run.json | grep -o '"bad_images":{[^}]*}'
    grep 'could not be read' .stdout
}

# same NAME OPTION...: 2 and 3 ranks against one process.
same() {
    name=$1
    shift
    expect_exit 0 $options "$@" -o $name.onnx
    told $name >$name.txt
    [ "$(cat $name.txt)" = '"bad_images":{"train":5,"test":2}
images that could not be read: 5 of 480 for training, 2 of 20 for testing' ] || fail "no count"
    for ranks in 2 3; do
        expect_ranks 0 $ranks $options "$@" -o $name-$ranks.onnx
        expect_same $name.onnx $name-$ranks.onnx
        told $name-$ranks >ranks.txt
        expect_same $name.txt ranks.txt
        for image in $bad; do
            expect_once "$image.jpg: .*: it is left out"
        done
        ! grep -q 'rank [1-9]' .stderr || fail "other ranks than the first speak"
    done
}

same drawn --augment resized-crop,flip
same validated --augment none --validation disjoint:2
same kept --augment none --freeze-before fc:1 --feature-cache features
# Where each rank meets the same image, in another place of each epoch.
same often --augment none --sampler class-balanced --epochs 3

# More of them than are told, and each rank has others.
for last in 05 11 17 23 29 35 41 47 53 59 65 71 77 83 89 95; do
    spoil photos/train/*/?$last.jpg
done
expect_exit 0 $options -o many.onnx
told many >many.txt
expect_ranks 0 2 $options -o many-2.onnx
told many-2 >ranks.txt
expect_same many.txt ranks.txt
expect_same many.onnx many-2.onnx
[ "$(grep -c 'it is left out' .stderr)" -eq 12 ] || fail "not ten and two are told"
