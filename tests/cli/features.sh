# The cache of features: the next run reads it, and whatever happens to it, results stay the same.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o new.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 4 --batch 16 --lr 0.02 --threads 1 --milestones none
    --method base --freeze-before fc:1"
run() {
    name=$1
    shift
    rm -rf "$name.onnx" "$name.run"
    expect_exit 0 train new.onnx -o "$name.onnx" $common --epochs 2 "$@"
}
run plain
images='^the features of [0-9]+ training, 40 test images'
read_from="$images are read from cache/[0-9a-f]{32}[.]features: "

# Written, and read: with memory and without, by another method, with another seed and split.
run first --feature-cache cache
expect_stderr "$images are computed once: [0-9.]+ MiB, kept in cache/"
expect_same first.onnx plain.onnx
for memory in 1024 0 0.05; do
    run again --feature-cache cache --feature-memory $memory
    expect_stderr "$read_from"
    expect_no_stderr_but '^epoch |^the features'
    expect_same again.onnx plain.onnx
done
expect_exit 0 train new.onnx -o crt.onnx $common --method crt --epochs 1 --feature-cache cache
run seeded --seed 4 --feature-cache cache
expect_stderr "$read_from"
run split --imbalance 2 --feature-cache cache
expect_stderr 'images: [0-9]+ are read from cache/.*, [0-9]+ computed once and added: '
run other --imbalance 2
expect_same split.onnx other.onnx
file=$(ls cache/*.features | head -n 1)

# A run that goes on finds what it has computed; from another folder, too.
run more --epochs 1 --feature-cache cache
mkdir -p place
(cd place && "$TOOL" train --run ../more.run --resume --epochs 2 --threads 1) >.stdout 2>.stderr ||
    fail "it does not go on"
expect_stderr "$images are read from .*/cache/"
expect_same more.onnx plain.onnx

# Killed while it computes, or before that: the next one begins with what is there, or anew.
rm -r cache
for after in 0.02 0.05 0.1 0.2 0.4; do
    last_command="train, killed after $after s"
    "$TOOL" train new.onnx -o killed.onnx --run killed.$after $common --epochs 2 \
        --feature-cache cache >/dev/null 2>&1 &
    pid=$!
    sleep $after
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    run again --feature-cache cache
    expect_no_stderr_but '^epoch |^the features|at its end are damaged or cut short'
    expect_same again.onnx plain.onnx
    [ "$after" = 0.1 ] || rm -r cache
done
[ -d cache ] || run again --feature-cache cache

# Cut anywhere: the rows before the cut are read, and the others added.
for size in 20000 20001 100; do
    file=$(ls cache/*.features)
    truncate -s $size "$file"
    run again --feature-cache cache
    expect_stderr "warning: $file: [0-9]+ bytes at its end are damaged or cut short: the [0-9]+ "
    expect_same again.onnx plain.onnx
    run again --feature-cache cache
    expect_stderr "$read_from"
done

# Bounded: files of other models that were used least recently are removed, and said to be.
file=$(ls cache/*.features)
for key in 00000000000000000000000000000001 00000000000000000000000000000002; do
    cp "$file" cache/$key.features
    touch -d '2001-01-01' cache/$key.features
done
touch cache/00000000000000000000000000000001.features
own=$(wc -c <"$file")
run again --feature-cache cache --feature-cache-size "$(awk "BEGIN { print 2.5 * $own / 1048576 }")"
removed="1 file of features used least recently, [0-9.]+ MiB, is removed"
expect_stderr "$read_from[0-9.]+ MiB; $removed"
expect_same again.onnx plain.onnx
[ -f "$file" ] && [ -f cache/00000000000000000000000000000001.features ] &&
    [ ! -f cache/00000000000000000000000000000002.features ] || fail "another file is removed"
rm cache/0000*
run again --feature-cache-size 1
expect_stderr 'warning: --feature-cache-size has no effect: there is no --feature-cache'

# A file of something else, rows that were changed, a place that cannot be.
rm -rf cache
run again --feature-cache cache
file=$(ls cache/*.features)
echo something else >"$file"
run again --feature-cache cache
expect_stderr "warning: $file: it is cut short: the features are computed anew"
expect_same again.onnx plain.onnx
printf '\377\377' | dd of="$file" bs=1 seek=500 conv=notrunc 2>/dev/null
run again --feature-cache cache
expect_stderr "warning: $file: it is damaged: the features are computed anew"
expect_same again.onnx plain.onnx
run again --feature-cache cache
expect_stderr "$read_from"
touch plain.file
expect_refusal 3 'cannot write in plain.file: Not a directory' train new.onnx -o no.onnx $common \
    --epochs 1 --feature-cache plain.file
expect_refusal 3 'cannot write not/there: its folder not/: No such file or directory' \
    train new.onnx -o no.onnx $common --epochs 1 --feature-cache not/there
run again --feature-cache there/
expect_stderr "$images are computed once: .* kept in there/"

# Options that do nothing say so.
rm -rf again.onnx again.run
expect_exit 0 train new.onnx -o again.onnx --data idx:four --method base --epochs 1 --batch 16 \
    --threads 1 --feature-cache cache --feature-cache-size 5 --augmented-copies 2 \
    --feature-memory 5 --augment flip
for option in feature-cache feature-cache-size augmented-copies feature-memory; do
    expect_stderr "warning: --$option has no effect: no layer is frozen"
done
run again --augmented-copies 3
expect_stderr 'warning: --augmented-copies has no effect: --augment is none'
expect_same again.onnx plain.onnx
expect_refusal 2 '--augmented-copies: --mix mixup makes another image each time' train new.onnx \
    -o no.onnx $common --augmented-copies 2 --augment flip --mix mixup

# Augmented copies: the same with a file and without, and again; other than new ones each time.
copies="--augment shift:2,flip --augmented-copies 3"
run copies $copies
expect_stderr '^each image is augmented 3 times and no more: an approximation'
expect_stderr '^the features of [0-9]+ training [(]3 copies of each[)], 40 test images are computed'
run anew $copies --feature-memory 0
expect_same copies.onnx anew.onnx
run filed $copies --feature-cache cache
expect_same copies.onnx filed.onnx
run filed $copies --feature-cache cache --feature-memory 0
expect_stderr 'test images are read from'
expect_same copies.onnx filed.onnx
run random --augment shift:2,flip
expect_different random.onnx copies.onnx
[ -x "${MAKE_PHOTOS:-}" ] || exit 0

# Photographs are known by what is in them: another name is none, other content of the same size is.
"$MAKE_PHOTOS" photos 12 || fail "no photographs"
expect_exit 0 new lenet -o lenet.onnx --classes 2 --input 3,32,32
photos="--data folder:photos --test-part 0.4 --method base --batch 4 --lr 0.01 --epochs 2
    --freeze-before fc:1 --augment none --mean 0.5"
expect_exit 0 train lenet.onnx -o one.onnx $photos --threads 1 --feature-cache cache2
expect_exit 0 train lenet.onnx -o two.onnx $photos --threads 1 --feature-cache cache2
expect_stderr 'images are read from cache2/'
expect_same one.onnx two.onnx
cp photos/dark/002.jpg kept.jpg
printf '\077' | dd of=photos/dark/002.jpg bs=1 seek=30 conv=notrunc 2>/dev/null # of its table
expect_different kept.jpg photos/dark/002.jpg
touch -r kept.jpg photos/dark/002.jpg
rm -r one.onnx one.run two.onnx two.run
expect_exit 0 train lenet.onnx -o one.onnx $photos --threads 1 --feature-cache cache2
expect_stderr 'images: 23 are read from cache2/.*, 1 computed once and added: '
expect_exit 0 train lenet.onnx -o two.onnx $photos --threads 1
expect_same one.onnx two.onnx
expect_exit 0 train lenet.onnx -o three.onnx $photos --threads 2 --augment resized-crop,flip \
    --augmented-copies 2 --feature-cache cache2
expect_exit 0 train lenet.onnx -o four.onnx $photos --threads 2 --augment resized-crop,flip \
    --augmented-copies 2 --feature-memory 0
expect_same three.onnx four.onnx

# Images that are left out have no features; others take their places in batches as they do anyway.
for number in 001 007; do
    for class in dark light; do
        file=$(ls photos/$class/$number.*)
        head -c 120 "$file" >cut && mv cut "$file"
    done
done
rm -r one.onnx one.run two.onnx two.run
expect_exit 0 train lenet.onnx -o one.onnx $photos --threads 1 --on-bad-image skip --epochs 5
expect_stderr '^the features of 1[0-4] training, [0-9]+ test images are computed once'
expect_exit 0 train lenet.onnx -o two.onnx $photos --threads 1 --on-bad-image skip --epochs 5 \
    --feature-memory 0
expect_same one.onnx two.onnx
for run in one two; do
    sed 's/"seconds":[^,]*,//' $run.run/metrics.jsonl >$run.metrics
done
expect_same one.metrics two.metrics
expect_exit 0 train lenet.onnx -o three.onnx $photos --threads 2 --on-bad-image skip --epochs 5 \
    --feature-memory 0 --feature-cache cache3 --run bad.1
expect_exit 0 train lenet.onnx -o four.onnx $photos --threads 2 --on-bad-image skip --epochs 5 \
    --run bad.2
expect_same three.onnx four.onnx
