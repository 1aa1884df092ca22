# The README's recipe for photographs, command by command as it stands there, for a small network in
# the place of VGG-11, few photographs and few epochs.
. "$SOURCE/tests/cli/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

"$MAKE_PHOTOS" photos 20 || fail "no photographs"
mkdir new-photos && cp photos/dark/00[0-3].* photos/light/01[0-3].* new-photos
expect_exit 0 new lenet -o vgg11.onnx --classes 10 --input 3,32,32

sed -n '/^## From a pretrained/,/^## [^F]/p' "$SOURCE/README.md" | sed -n '/^```sh$/,/^```$/p' |
    sed -e '/^```/d' -e 's/--classes 67/--classes 2/' -e 's/-per-class 20/-per-class 4/' \
        -e 's/batch 40/batch 8/g' -e 's/--lr 0.001/--lr 0.01/' -e 's/--epochs 30/--epochs 4/' \
        -e 's/--milestones 20/--milestones none --threads 1/' -e 's/ *\\$/ \\/' >recipe.sh
[ "$(grep -c '^onnx-mfm ' recipe.sh)" -eq 5 ] || fail "the recipe has not five commands"
mkdir bin && ln -s "$TOOL" bin/onnx-mfm
last_command="the recipe of the README"
PATH=$work/bin:$PATH sh -e recipe.sh >.stdout 2>.stderr || fail "exit code $?"
expect_stdout '^folder:photos: images of any size'
expect_stdout 'test error: last '
expect_file places.onnx
[ "$(grep -c '^new-photos/.*: dark .*, light ' .stdout)" -eq 4 ] || fail "not all dark photographs"
[ "$(grep -c '^new-photos/.*: light .*, dark ' .stdout)" -eq 4 ] || fail "not all light ones"
grep -q 'tells no n' .stderr && fail "the model tells less than it should"

# --mean goes into the file, is what eval and predict go by, and another run may choose again.
expect_exit 0 inspect places.onnx
expect_stdout 'mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, 0.225'
eval="eval places.onnx --data folder:photos --test-part 0.4 --json"
expect_exit 0 $eval
cp .stdout told.json
expect_exit 0 $eval --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
expect_stdout '"normalisation": "options"'
sed 's/"options"/"model"/' .stdout >given.json
expect_same given.json told.json
expect_exit 0 $eval --mean 0.1 --std 0.3
expect_different .stdout told.json
expect_refusal 2 '--mean: x: expected a number' eval places.onnx --data folder:photos \
    --test-part 0.4 --mean x --std 1
