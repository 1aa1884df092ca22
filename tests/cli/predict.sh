# The classes of image files: what is told, of what is not told, and of what cannot be read.
. "$SOURCE/tests/cli/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

"$MAKE_PHOTOS" photos 20 || fail "no photographs"
expect_exit 0 new lenet -o lenet.onnx --classes 2 --input 3,32,32
expect_exit 0 train lenet.onnx -o m.onnx --data folder:photos --test-part 0.4 --method base \
    --batch 8 --lr 0.01 --epochs 4 --milestones none --threads 1
expect_stdout 'test error: last 0.00 %'

# Files, folders and a list; a line for each, in their order, whatever the number of threads.
expect_exit 0 predict m.onnx photos/dark/001.jpg photos/light/000.png
expect_no_stderr
[ "$(wc -l <.stdout)" -eq 2 ] || fail "two lines are due"
expect_stdout '^photos/dark/001.jpg: dark [0-9.]+ %, light [0-9.]+ %$'
expect_stdout '^photos/light/000.png: light [0-9.]+ %, dark [0-9.]+ %$'
expect_exit 0 predict m.onnx photos --top 1 --threads 1
sed 's/:.*//' .stdout >paths.txt
find photos -name '*.*' | sort >wanted.txt
expect_same paths.txt wanted.txt
[ "$(grep -c '^photos/dark/.*: dark [0-9.]* %$' .stdout)" -eq 20 ] || fail "not all dark ones"
[ "$(grep -c '^photos/light/.*: light [0-9.]* %$' .stdout)" -eq 20 ] || fail "not all light ones"
cp .stdout one.txt
expect_exit 0 predict m.onnx photos --top 1 --threads 3
expect_same .stdout one.txt
"$TOOL" predict m.onnx - --top 1 --threads 1 <wanted.txt >list.txt || fail "a list: exit code $?"
expect_same list.txt one.txt

# JSON has numbers that add up, and what went wrong.
expect_exit 0 predict m.onnx photos/dark/001.jpg --json
expect_stdout '"path": "photos/dark/001.jpg"'
expect_stdout '"class": 0'
expect_stdout '"name": "dark"'
expect_stdout '"error": null'
sed -n 's/.*"probability": //p' .stdout |
    awk '{ sum += $1 } END { exit sum < 0.999999 || sum > 1.000001 }' ||
    fail "probabilities do not add up to 1"

# What cannot be read is told, and the others go on.
head -c 100 photos/dark/001.jpg >cut.jpg
echo "no image" >text.png
expect_exit 3 predict m.onnx photos/dark/000.png cut.jpg gone.jpg text.png photos/light/001.jpg
expect_stdout '^photos/dark/000.png: dark '
expect_stdout '^photos/light/001.jpg: light '
[ "$(wc -l <.stdout)" -eq 2 ] || fail "two lines are due"
expect_stderr '^onnx-mfm predict: warning: cut.jpg: JPEG: '
expect_stderr '^onnx-mfm predict: warning: gone.jpg: No such file or directory$'
expect_stderr '^onnx-mfm predict: warning: text.png: neither JPEG nor PNG'
expect_stderr '^onnx-mfm predict: 3 of 5 images were not classified$'
expect_exit 3 predict m.onnx cut.jpg photos/light/001.jpg --json
expect_stdout '"error": "cut.jpg: JPEG: '
expect_stdout '"name": "light"'

# A model that tells nothing needs to be told.
expect_refusal 3 'lenet.onnx tells no normalisation: give --mean and --std' \
    predict lenet.onnx photos/dark/000.png
expect_exit 0 predict lenet.onnx photos/dark/000.png --mean imagenet
expect_stderr 'has no class names: classes are shown as numbers; --class-names FILE names them'
expect_stdout ': [01] [0-9.]+ %, [01] [0-9.]+ %$'
printf 'night\r\nday' >names.txt
expect_exit 0 predict lenet.onnx photos/dark/000.png --mean 0.5 --std 0.25,0.25,0.25 \
    --class-names names.txt
expect_no_stderr
expect_stdout ': (night [0-9.]+ %, day|day [0-9.]+ %, night) [0-9.]+ %$'
expect_exit 0 predict m.onnx photos/light/001.jpg --class-names names.txt
expect_stdout ': day '
echo third >>names.txt && echo fourth >>names.txt
expect_refusal 3 'names.txt: 3 names: the model has 2 classes' \
    predict m.onnx photos/dark/000.png --class-names names.txt
printf 'night\n\n' >gap.txt
expect_refusal 3 'gap.txt: line 2 is empty' \
    predict m.onnx photos/dark/000.png --class-names gap.txt
expect_exit 0 predict lenet.onnx photos/dark/000.png --mean 0.5 --std 0.5
cp .stdout both.txt
expect_exit 0 predict lenet.onnx photos/dark/000.png --mean 0.5
expect_same .stdout both.txt
expect_refusal 2 '--mean data: there is no dataset here' predict lenet.onnx photos --mean data
expect_refusal 2 '--mean goes with --std' predict lenet.onnx photos --mean 0.4
expect_refusal 2 '--std goes with --mean' predict lenet.onnx photos --std 0.5
expect_refusal 2 '--mean, --std: deviation 0 in channel 0' \
    predict lenet.onnx photos --mean 0 --std 0
for mean in 1,2 1,2,3,4 1,,2 x nan 1,2,3,; do
    expect_refusal 2 '--mean: .*: expected a number, or 3 by comma' \
        predict lenet.onnx photos --mean "$mean" --std 1
done
expect_refusal 2 'no IMAGE given: after MODEL m.onnx' predict m.onnx
expect_refusal 2 'no MODEL given' predict
mkdir empty
expect_refusal 3 'empty: no JPEG or PNG file in the folder' predict m.onnx empty
: >nothing
last_command="onnx-mfm predict m.onnx - (an empty list)"
"$TOOL" predict m.onnx - <nothing >.stdout 2>.stderr && fail "an empty list is good"
expect_stderr 'standard input names no image: expected one path per line'

# A name in the model or of a file cannot move the cursor.
cp photos/dark/000.png "$(printf 'a\033b.png')"
expect_exit 0 predict m.onnx "$(printf 'a\033b.png')"
expect_stdout '^a\\x1bb.png: dark '
