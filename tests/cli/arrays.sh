# Arrays of numbers: the same run as of images, tables, and what is refused.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 12 5
mkdir images table
"$MAKE_ARRAYS" idx four images 0.5 0.25 || fail "make-arrays idx"
"$MAKE_ARRAYS" table table 4 30 10 120 || fail "make-arrays table"
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 new lenet -o other.onnx --classes 4 --input 1,20,24

# Numbers that are those of normalised images, in the order of the file's channels: the same run.
common="--epochs 2 --batch 16 --meta-batch 8 --lr 0.02 --threads 1 --imbalance 3 --meta-per-class 2"
for method in base mfm l2rw; do
    expect_exit 0 train lenet.onnx -o i-$method.onnx --data idx:four $common --method $method \
        --mean 0.5 --std 0.25 --validation disjoint:2
    expect_exit 0 train lenet.onnx -o a-$method.onnx --data arrays:images $common --method $method \
        --validation disjoint:2
    for file in i-$method a-$method; do
        expect_exit 0 meta $file.onnx --own --remove mfm.preprocess --remove mfm.classes \
            -o $file.bare.onnx
    done
    expect_same i-$method.bare.onnx a-$method.bare.onnx
done
expect_exit 0 eval i-base.onnx --data idx:four --json
grep '"error"\|"loss"\|"ece"' .stdout >images.json
expect_exit 0 eval a-base.onnx --data arrays:images --json
expect_stdout '"normalisation": "model"'
grep '"error"\|"loss"\|"ece"' .stdout >arrays.json
expect_same images.json arrays.json

# A table, through a network that is the end of another: [n, 120].
expect_exit 0 extract lenet.onnx -o tail.onnx --from flatten.out --to logits
expect_exit 0 data arrays:table --imbalance 3
expect_stdout '^arrays:table: rows of shape \[120\], 4 classes$'
expect_exit 0 data arrays:table --json
expect_stdout '"preprocess": null'
plain="--data arrays:table $common"
table="$plain --layer fc:1"
expect_exit 0 train tail.onnx -o stored.onnx $table --run stored
expect_exit 0 inspect stored.onnx
expect_stdout '^arrays +\[120\]: numbers as stored$'
expect_exit 0 train tail.onnx -o scaled.onnx $table --mean data --run scaled
expect_different stored.onnx scaled.onnx
expect_exit 0 inspect scaled.onnx
expect_stdout '^arrays +\[120\]: axis 1, mean .*, \.\.\., deviation .*, \.\.\.$'
expect_exit 0 inspect scaled.onnx --json
expect_stdout '"axis": 1'
expect_exit 0 check scaled.onnx
grep -q 'along axis 1' scaled/report.html || fail "the page does not tell the numbers"
grep -q 'as stored' stored/report.html || fail "the page does not tell the numbers"
expect_exit 0 report scaled stored -o page.html
# The model tells what is used: later, and by another command.
expect_exit 0 eval scaled.onnx --data arrays:table --json
expect_stdout '"normalisation": "model"'
grep '"error"\|"loss"' .stdout >told.json
expect_exit 0 eval scaled.onnx --data arrays:table --normalise data --json
expect_stdout '"normalisation": "data"'
grep '"error"\|"loss"' .stdout >data.json
expect_same told.json data.json
expect_exit 0 eval scaled.onnx --data arrays:table --mean 0 --std 1 --json
grep '"error"\|"loss"' .stdout >zero.json
expect_different told.json zero.json
expect_exit 0 eval tail.onnx --data arrays:table --json
expect_stdout '"normalisation": "stored"'
expect_exit 0 run scaled.onnx --input table/test_x.npy --stored -o stored.npy
expect_no_stderr
expect_exit 0 run scaled.onnx --input table/test_x.npy -o ready.npy
expect_stderr '--stored takes them as they are'
expect_different stored.npy ready.npy
expect_refusal 3 '--stored: lenet.onnx was not trained on arrays' \
    run lenet.onnx --input images/test_x.npy --stored -o no.npy
# A run goes on, frozen features are kept, samples are mixed.
expect_exit 0 train tail.onnx -o whole.onnx $table --mean data --epochs 3 --run whole
expect_exit 0 train --run scaled --resume --epochs 3 -o more.onnx
expect_same whole.onnx more.onnx
expect_exit 0 train tail.onnx -o crt.onnx $plain --method crt --feature-cache cache
expect_exit 0 train tail.onnx -o mixed.onnx $table --mean data --mix mixup \
    --sampler class-balanced --seeds 1-2
# Names, and rows that the model's labels do not tell.
printf 'a\nb\nc\nd\n' >table/classes.txt
expect_exit 0 train tail.onnx -o named.onnx $table
expect_exit 0 inspect named.onnx
expect_stdout '^classes +4: a '

# What has no meaning, and what does not fit.
for option in '--augment flip' '--fit' '--pad'; do
    expect_refusal 2 "$(echo "$option" | cut -d' ' -f1).*arrays:table are numbers, no pictures" \
        train tail.onnx -o no.onnx $table $option
done
expect_refusal 2 '--mix cutmix: it pastes areas of images' \
    train tail.onnx -o no.onnx $table --mix cutmix
expect_exit 0 train lenet.onnx -o cut.onnx --data arrays:images $common --mix cutmix
expect_refusal 2 '--mean imagenet: of images' train tail.onnx -o no.onnx $table --mean imagenet
expect_refusal 2 '--mean goes with --std' train tail.onnx -o no.onnx $table --mean 1
expect_refusal 2 'deviation 0 at 0' train tail.onnx -o no.onnx $table --mean 1 --std 0
expect_refusal 2 '--std: 1,2: expected a number, or 120 by comma' \
    train tail.onnx -o no.onnx $table --mean 1 --std 1,2
expect_refusal 2 'test-part: arrays has a test part of its own' \
    train tail.onnx -o no.onnx $table --test-part 0.5
expect_refusal 3 'rows of arrays:table have shape \[120\], those of the model.s input \[1,20,20\]' \
    train lenet.onnx -o no.onnx --data arrays:table $common
expect_refusal 3 'rows of arrays:images have shape \[1,20,20\], .* \[1,20,24\]' \
    train other.onnx -o no.onnx --data arrays:images $common
expect_refusal 3 'images are \[batch, channels, height, width\]; arrays:FOLDER has other data' \
    train tail.onnx -o no.onnx --data idx:four $common --method base
# One model of two kinds of data.
expect_refusal 3 'the model was trained on images: --mean 0 --std 1 hands over' \
    eval i-base.onnx --data arrays:images
expect_exit 0 eval i-base.onnx --data arrays:images --mean 0 --std 1 --json
grep '"error"\|"loss"\|"ece"' .stdout >arrays.json
expect_same images.json arrays.json
expect_refusal 3 'the model was trained on arrays of numbers, no images .--normalise data' \
    eval a-base.onnx --data idx:four
expect_exit 0 eval a-base.onnx --data idx:four --mean 0.5 --std 0.25 --json
grep '"error"\|"loss"\|"ece"' .stdout >arrays.json
expect_same images.json arrays.json
expect_exit 0 meta a-base.onnx --own --set 'mfm.preprocess={"version":2,"numbers":[]}' -o bad.onnx
expect_refusal 3 'metadata mfm.preprocess: numbers: a list of 1 to 5 lengths' \
    eval bad.onnx --data arrays:images
expect_exit 1 check bad.onnx
expect_stdout 'metadata mfm.preprocess: numbers: a list of 1 to 5 lengths'
expect_exit 0 eval bad.onnx --data arrays:images --mean 0 --std 1
expect_refusal 3 'the model was trained on arrays of numbers, no images' \
    predict scaled.onnx lenet.onnx
# A file that ends early is named.
head -c 300 table/train_x.npy >short && mv short table/train_x.npy
expect_refusal 3 'table/train_x.npy: .* bytes after the header: its shape \[120,120\] needs 57600' \
    data arrays:table
