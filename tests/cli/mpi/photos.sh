# Photographs that cannot be read, of which each rank meets some: left out by all, told once, and
# counted as by one process.
. "$SOURCE/tests/cli/mpi/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

"$MAKE_PHOTOS" photos 30 || fail "no photographs"
expect_exit 0 new lenet -o lenet.onnx --classes 2 --input 3,32,32
bad="dark/001 dark/005 dark/017 dark/018 dark/026 light/002 light/003 light/009 light/013 light/025"
for image in $bad; do
    head -c 100 photos/$image.jpg >cut && mv cut photos/$image.jpg
done
options="train lenet.onnx --data folder:photos --test-part 0.4 --method base --batch 8 --lr 0.01
    --epochs 2 --milestones none --threads 1 --on-bad-image skip"
not_measured="--mean 0.5 --std 0.5"

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
    [ "$(grep -c . $name.txt)" -eq 2 ] || fail "no count"
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

same drawn $not_measured --augment resized-crop,flip
same validated --augment none --validation disjoint:2
same frozen --augment none --freeze-before fc:1
same kept $not_measured --augment none --freeze-before fc:1 --feature-cache features
# Where each rank meets the same image, in another place of each epoch.
same often $not_measured --augment none --sampler class-balanced --epochs 4

# More of them than are told.
for image in photos/light/01?.jpg photos/dark/00?.jpg photos/dark/02?.jpg; do
    head -c 100 $image >cut && mv cut $image
done
expect_exit 0 $options $not_measured -o many.onnx
told many >many.txt
expect_ranks 0 2 $options $not_measured -o many-2.onnx
told many-2 >ranks.txt
expect_same many.txt ranks.txt
expect_same many.onnx many-2.onnx
