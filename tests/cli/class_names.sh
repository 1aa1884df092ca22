# Classes by their names: folders that are called by numbers, names that a head was given, and what
# a run makes of both.
. "$SOURCE/tests/cli/lib.sh"
[ -x "${MAKE_PHOTOS:-}" ] || { echo "skipped: this build reads no image files"; exit 77; }

"$MAKE_PHOTOS" photos 12 || fail "no photographs"
expect_exit 0 new lenet -o new.onnx --classes 2 --input 3,32,32
common="--method base --batch 8 --lr 0.01 --epochs 6 --milestones none --threads 1 --augment none
    --test-part 0.4"

# Folders called 2 and 10, which stand in the order of their bytes: 10 is class 0. A test part that
# lacks it is of class 1.
mkdir numbers && cp -r photos/dark numbers/10 && cp -r photos/light numbers/2
expect_exit 0 train new.onnx -o numbers.onnx --data folder:numbers $common
expect_stdout 'test error: last 0.00 %'
mkdir -p part/test && cp -r photos/light part/test/2
expect_exit 0 eval numbers.onnx --data folder:part
expect_stdout '^error 0.00 %, .*, 12 images$'
expect_stdout '^2 +12 +[0-9]+ +100.00 %$'
mv part/test/2 part/test/02
expect_exit 0 eval numbers.onnx --data folder:part
expect_stderr 'class 0 is 10 in numbers.onnx and 02 in folder:part: are these its images?'

# A head has the last word on which class is which, and on what is for testing nothing changes.
printf 'light\ndark\n' >names
expect_exit 0 head new.onnx -o named.onnx --class-names names
expect_exit 0 train named.onnx -o trained.onnx --data folder:photos $common
expect_no_stderr_but '^epoch '
expect_stdout 'test error: last 0.00 %'
expect_exit 0 predict trained.onnx photos/light/000.png --json
expect_stdout '"class": 0'
expect_stdout '"name": "light"'
expect_exit 0 eval trained.onnx --data folder:photos --test-part 0.4
expect_stdout '^light +5 +7 +100.00 %$'
expect_exit 0 data folder:photos --test-part 0.4 --write-list plain.txt
sort plain.txt >plain.sorted
sort trained.run/images.txt >trained.sorted
expect_same plain.sorted trained.sorted
expect_exit 0 train trained.onnx -o again.onnx --data folder:photos $common
expect_exit 0 predict again.onnx photos/light/000.png --json
expect_stdout '"class": 0'

# Other classes than the head's are told, and a class of it without images is refused.
printf 'light\nnight\n' >other
expect_exit 0 head new.onnx -o other.onnx --class-names other
expect_exit 0 train other.onnx -o changed.onnx --data folder:photos $common
expect_stderr 'class 0 is light in other.onnx and dark in folder:photos: are these its images?'
printf 'light\nnight\ndark\n' >more
expect_exit 0 head new.onnx -o more.onnx --class-names more
expect_refusal 3 'class 1 [(]night[)] has no training images' train more.onnx -o no.onnx \
    --data folder:photos $common

# Images that only number their classes take the names of a head, and keep them in a second run on
# the same images, but not on others.
make_data four 4 40 10
expect_exit 0 new lenet -o grey.onnx --classes 4 --input 1,20,20
printf 'cat\ndog\nbird\nfish\n' >names
expect_exit 0 head grey.onnx -o named.onnx --class-names names
idx="--data idx:four --method base --batch 16 --lr 0.01 --epochs 1 --milestones none --threads 1"
expect_exit 0 train named.onnx -o first.onnx $idx
expect_exit 0 eval first.onnx --data idx:four
expect_stdout '^fish +10 +40 '
expect_exit 0 train first.onnx -o second.onnx $idx
expect_exit 0 eval second.onnx --data idx:four
expect_stdout '^fish +10 +40 '
expect_exit 0 train first.onnx -o third.onnx $idx --imbalance 4
expect_exit 0 eval third.onnx --data idx:four
expect_stdout '^3 +10 '

# Names are as wide as a terminal shows them: an accent by itself has no column, an ideograph two.
mkdir words
cp -r photos/dark "words/$(printf 'Cafe\314\201')"
cp -r photos/light "words/$(printf '\347\214\253')"
expect_exit 0 data folder:words --test-part 0.5
expect_stdout "^$(printf 'Cafe\314\201')            6         6       6       6$"
expect_stdout "^$(printf '\347\214\253')              6         6       6       6$"
expect_stdout '^class   available     train    meta    test$'
expect_stdout '^all            12        12      12      12$'
