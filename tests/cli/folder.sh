# Photographs in folders: described, trained on and evaluated; what cannot be read is told.
. "$SOURCE/tests/cli/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

"$MAKE_PHOTOS" photos 20 || fail "no photographs"
expect_exit 0 data folder:photos --test-part 0.4
expect_stdout '^folder:photos: images of any size in 3 channels, 2 classes$'
expect_stdout '^dark +12 +12 +10 +8$'
expect_stdout '^light +12 +12 +10 +8$'
expect_exit 0 data folder:photos --test-part 0.4 --json
expect_exit 2 data folder:photos
expect_stderr 'photos: no test images: give --test-part F, or put the classes into photos/train'
make_data four 4 40 10
expect_exit 2 data idx:four --test-part 0.5
expect_stderr '--test-part: idx has a test part of its own'

expect_exit 0 new lenet -o lenet.onnx --classes 2 --input 3,32,32
options="--data folder:photos --test-part 0.4 --method base --batch 8 --lr 0.01 --epochs 4
    --milestones none --threads 1"
expect_exit 0 train lenet.onnx -o a.onnx $options --augment resized-crop,flip
expect_stdout 'test error: last 0.00 %'
expect_stdout 'eval a.onnx --data folder:photos --list a.run/images.txt$'
expect_exit 0 eval a.onnx --data folder:photos --test-part 0.4
expect_stdout '^error 0.00 %, loss .*, 16 images$'
expect_exit 0 eval a.onnx --data folder:photos
expect_stderr 'all 40 images are taken for testing'
expect_exit 0 inspect a.onnx --json
expect_stdout '"resize"'

# The same seed gives the same images, with any number of threads that read them.
expect_exit 0 train lenet.onnx -o b.onnx $options --augment resized-crop,flip
cmp a.onnx b.onnx || fail "another model from the same seed"

# The list that the run has written gives the same parts, and so does data's; a new file does not
# get into them.
expect_exit 0 data folder:photos --test-part 0.4 --write-list written.txt
cmp written.txt a.run/images.txt || fail "another list"
"$TOOL" data folder:photos --test-part 0.4 --write-list - 2>/dev/null | cmp - written.txt ||
    fail "another list on standard output"
[ ! -e ./- ] || fail "a file that is called -"
expect_refusal 3 'it is the input file' data folder:photos --list written.txt \
    --write-list written.txt
cmp written.txt a.run/images.txt || fail "the list was written over"
cp photos/dark/002.jpg photos/dark/new.jpg
expect_exit 0 eval a.onnx --data folder:photos --list a.run/images.txt --json
expect_stdout '"images": 16'
expect_stdout '"bad_images": 0'
hash_of() { sed -n 's/.*"test_hash": "\(.*\)".*/\1/p' .stdout; }
expect_exit 0 data folder:photos --list a.run/images.txt --json
listed=$(hash_of)
rm photos/dark/new.jpg
expect_exit 0 data folder:photos --test-part 0.4 --json
[ -n "$listed" ] && [ "$listed" = "$(hash_of)" ] || fail "other test images by the list"
expect_exit 0 train lenet.onnx -o l.onnx --data folder:photos --list a.run/images.txt \
    --method base --batch 8 --lr 0.01 --epochs 4 --milestones none --threads 1 \
    --augment resized-crop,flip
cmp a.onnx l.onnx || fail "another model from the list"

# A test part by itself, in which a class is missing: the model tells the classes.
mkdir -p only/test && cp -r photos/light only/test
expect_exit 0 eval a.onnx --data folder:only
expect_stdout '^light  *20  *12  *100.00 %$'
expect_exit 3 train lenet.onnx -o c.onnx $options --data folder:only --test-part 0
expect_stderr 'only/train: no such folder'
mv only/test/light only/test/bright
expect_exit 3 eval a.onnx --data folder:only
expect_stderr 'only/test: bright is no class of the model'

head -c 100 photos/dark/001.jpg >cut && mv cut photos/dark/001.jpg
expect_exit 3 train lenet.onnx -o c.onnx $options
expect_stderr 'photos/dark/001.jpg: JPEG: '
expect_exit 0 train lenet.onnx -o c.onnx --run d.run $options --on-bad-image skip
expect_stderr 'photos/dark/001.jpg: JPEG: .*: it is left out'
expect_stdout 'images that could not be read: . of 24 for training, . of 16 for testing'
grep -q '"bad_images"' d.run/run.json || fail "run.json does not count bad images"
expect_exit 3 eval a.onnx --data folder:photos
expect_exit 0 eval a.onnx --data folder:photos --on-bad-image skip
expect_stderr 'photos: 1 of 40 images cannot be read and is left out'
expect_stdout ', 39 images$'
expect_exit 1 data folder:photos --test-part 0.4 --on-bad-image skip --check-images
expect_stderr 'photos/dark/001.jpg: JPEG: '
expect_stderr '1 of 40 images cannot be read'

# A missing image of a list.
sed 's/002.jpg/gone.jpg/' a.run/images.txt >missing.txt
expect_exit 3 eval a.onnx --data folder:photos --list missing.txt
expect_stderr 'missing.txt:[0-9]*: photos/dark/gone.jpg: No such file'
expect_exit 0 data folder:photos --list missing.txt --on-bad-image skip

# Without an image that can be evaluated there is no error, and no run.
mkdir -p single/dark single/light && cp photos/dark/000.png single/dark
cp photos/light/000.png single/light
expect_exit 0 data folder:single --test-part 0.4
expect_refusal 3 'folder:single: no test images: --test-part takes none of a class of one image' \
    train lenet.onnx -o none.onnx --data folder:single --test-part 0.4 --method base --batch 1
mkdir -p broken/train broken/test/light && cp -r photos/dark photos/light broken/train
head -c 100 photos/light/001.jpg >broken/test/light/001.jpg
expect_exit 3 eval a.onnx --data folder:broken --on-bad-image skip
expect_stderr 'evaluation: none of 1 image can be read'
expect_exit 3 train lenet.onnx -o none.onnx --data folder:broken --on-bad-image skip --method base \
    --batch 8 --epochs 1 --threads 1
expect_stderr 'evaluation: none of 1 image can be read'
