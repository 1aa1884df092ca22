# Every loss, sampler, mixing, optimiser, schedule, finishing and recipe trains from the command
# line, run.json keeps what was chosen and no more, and what has no effect is told.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 20 5
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
common="--data idx:four --imbalance 5 --batch 16 --lr 0.02 --threads 1 --epochs 2"
meta="--meta-per-class 4 --meta-batch 8"

# names TITLE: the parts that the help lists.
names() {
    "$TOOL" train --help | sed -n "/^$1:\$/,/^\$/s/^  \([a-z-]*\) .*/\1/p"
}

# one OPTION...: a run, with or without a modulator; the file written is what was evaluated.
one() {
    rm -rf one.run
    others='^epoch |^ *$|^the features of [0-9]+ |^costs follow'
    others="$others|^the last layer.s biases start at -1.099 and"
    case " $* " in
    *" mfm "* | *" mfm-"* | *" mw-net "* | *" l2rw "*) reads=$meta ;;
    *" scenes-mfm"* | *" scenes-mw-net "* | *" scenes-l2rw "*) reads=$meta ;;
    *) reads= ;;
    esac
    expect_exit 0 train lenet.onnx -o one.onnx --run one.run $common $reads "$@"
    expect_no_stderr_but "$others"
    expect_stdout '^test error: last [0-9.]+ %'
}

for axis in "loss Losses" "sampler Samplers" "mix Mixing" "optimizer Optimizers" \
    "schedule Schedules" "finish Finishing"; do
    option=${axis% *}
    found=$(names "${axis#* }")
    [ "$(echo "$found" | wc -l)" -ge 2 ] || fail "the help lists no ${axis#* }"
    for name in $found; do
        one --method base "--$option" "$name"
        grep -q "\"$option\": \"$name\"" one.run/run.json || fail "run.json: no $option $name"
    done
done
for loss in $(names Losses); do
    one --method mfm --loss "$loss" --layer fc:1
done
one --method base --class-weights class-balanced --class-weights-mean weights --defer-reweight 1
one --method base --sampler class-balanced --defer-resample 1
for method in $(names Methods); do
    case $method in
    bbn) where="--branch conv:2" ;;
    mfm | mfm-free) where="--layer fc:1" ;;
    *) where= ;;
    esac
    one --method "$method" --sharpness 0.05 $where
done
one --method base --loss ldam --mix mixup --class-weights inverse
one --method base --warmup 2 --decay weights

# Options that a run began with hold when it goes on: the same bytes as without the interruption.
for options in "--loss ldam --class-weights inverse --defer-reweight 1" \
    "--loss cosen --validation disjoint:2" "--loss cosen --mix mixup" \
    "--sampler square-root --mix remix" "--optimizer nesterov --sharpness 0.1" \
    "--optimizer adamw --finish tau-normalisation"; do
    rm -rf whole.run part.run
    expect_exit 0 train lenet.onnx -o whole.onnx $common --method base $options --epochs 4
    expect_exit 0 train lenet.onnx -o part.onnx $common --method base $options
    expect_exit 0 train lenet.onnx -o part.onnx --run part.run --resume --epochs 4
    expect_same whole.onnx part.onnx
done

# A schedule that goes by the number of epochs says so when that grows.
expect_exit 0 train lenet.onnx -o end.onnx $common --method base --schedule cosine
expect_exit 0 train lenet.onnx -o end.onnx --resume --epochs 3
expect_stderr 'warning: resume: --epochs grows from 2 to 3: cosine goes by the number of epochs'
expect_exit 0 train lenet.onnx -o grown.onnx $common --method bbn --branch fc:1
expect_exit 0 train lenet.onnx -o grown.onnx --resume --epochs 3
expect_stderr 'warning: resume: --epochs grows from 2 to 3: bbn goes by the number of epochs'

# A checkpoint's weights are not those that finishing, or LDAM's classifier, makes of them.
expect_exit 0 train lenet.onnx -o ldam.onnx $common --method base --loss ldam
expect_refusal 3 'the weights as they are trained; --loss ldam' strip ldam.run/checkpoint.onnx \
    -o no.onnx
expect_refusal 3 'take the plain model' eval ldam.run/checkpoint.onnx --data idx:four
head -c 1600 /dev/zero >image
expect_refusal 3 'take the plain model' run ldam.run/checkpoint.onnx --input image -o logits
expect_exit 0 run ldam.run/model.onnx --input image -o logits
expect_exit 0 eval ldam.run/model.onnx --data idx:four
expect_exit 0 train lenet.onnx -o tau.onnx $common --method base --finish tau-normalisation
expect_refusal 3 '--finish tau-normalisation' strip tau.run/checkpoint.onnx -o no.onnx

# Biases that another run has trained are overwritten aloud, those of a new layer in silence.
expect_exit 0 train lenet.onnx -o first.onnx $common --method base --loss sigmoid \
    --last-bias classes
expect_no_stderr_but '^(epoch |the last layer)'
expect_exit 0 train first.onnx -o second.onnx $common --method base --loss sigmoid \
    --last-bias classes
expect_stderr 'warning: --last-bias classes overwrites biases that have been trained: first.onnx'
expect_exit 0 train first.onnx -o second.onnx --run crt.run $common --method crt --loss sigmoid \
    --last-bias classes
expect_no_stderr_but '^(epoch |the last layer|the features of)'

# Deferred parts have no say before their epoch.
expect_exit 0 train lenet.onnx -o plain.onnx $common --method base
expect_exit 0 train lenet.onnx -o later.onnx $common --method base --class-weights inverse \
    --sampler reversed --defer-reweight 2 --defer-resample 2
expect_same plain.onnx later.onnx

# What does not go together is refused, what has no effect is said.
expect_refusal 2 'unknown loss focl.*focal' train lenet.onnx -o no.onnx $common --loss focl
expect_refusal 2 'unknown sampler' train lenet.onnx -o no.onnx $common --sampler nothing
expect_refusal 2 'unknown mix none' train lenet.onnx -o no.onnx $common --mix none-at-all
expect_exit 3 train lenet.onnx -o no.onnx $common --method base --loss ldam \
    --finish tau-normalisation
expect_stderr 'a classifier of its own'
expect_exit 0 train lenet.onnx -o told.onnx $common --method base --tau 2 --defer-resample 1 \
    --class-weights-beta 0.9 --momentum 0.5 --optimizer adam
expect_stderr 'warning: --tau has no effect: it belongs to loss logit-adjustment'
expect_stderr 'warning: --defer-resample has no effect: the sampler is shuffle'
expect_stderr 'warning: --class-weights-beta has no effect: --class-weights is none'
expect_stderr 'warning: --momentum has no effect: it belongs to optimizer sgd, nesterov'
grep -q '"tau"' told.run/run.json && fail "run.json keeps an option that has no effect"
expect_exit 0 train lenet.onnx -o twice.onnx $common --method base --sampler class-balanced \
    --loss balanced-softmax
expect_stderr 'warning: rare classes are favoured twice, by balanced-softmax and class-balanced'

expect_exit 0 train lenet.onnx -o twice.onnx --run bbn.run $common --method bbn --branch conv:2 \
    --loss balanced-softmax
expect_stderr 'warning: rare classes are favoured twice, by bbn and balanced-softmax'
expect_exit 0 train twice.onnx -o more.onnx $common --method bbn --branch fc:1
expect_stderr 'warning: --branch has no effect: the model has two branches already'
expect_exit 0 train lenet.onnx -o still.onnx $common --method mfm --freeze-modulator
expect_stderr 'warning: the modulator modulates nothing, .*: this is plain training'
expect_exit 0 inject lenet.onnx -o fresh.onnx --layer fc:1
expect_exit 0 train fresh.onnx -o still2.onnx $common --method mfm --freeze-modulator
expect_stderr 'warning: the modulator modulates nothing'
expect_same still.onnx plain.onnx
expect_exit 0 inject lenet.onnx -o gated.onnx --layer fc:1 --modulation gated
expect_exit 0 train gated.onnx -o still3.onnx $common --method mfm --freeze-modulator
expect_no_stderr_but '^epoch '
expect_refusal 2 'no network that could start' train lenet.onnx -o no.onnx $common \
    --method mfm-free --modulator still.onnx
expect_exit 3 train lenet.onnx -o no.onnx $common --method mfm-free --mix mixup
expect_stderr 'those of single images: --mix none'

# Meta steps that never come are told: the modulator stays as it starts.
expect_exit 0 train lenet.onnx -o never.onnx $common $meta --method mfm --layer fc:1 \
    --meta-from-epoch 3
expect_stderr 'warning: no epoch of this run has meta steps'
expect_exit 0 train lenet.onnx -o never.onnx --run never2.run $common $meta --method mw-net \
    --meta-from-epoch 2 --meta-until-epoch 1
expect_stderr 'warning: no epoch of this run has meta steps'
expect_exit 0 train lenet.onnx -o last.onnx $common $meta --method mfm --layer fc:1 \
    --meta-from-epoch 2
expect_no_stderr_but '^epoch '

# Recipes: printed with their source, taken, and changed option by option.
expect_exit 0 recipes
expect_stdout '^ldam-drw$'
for row in base focal class-balanced cosen l2rw mw-net mfm mfm-hash; do
    expect_stdout "^scenes-$row\$"
done
expect_stdout 'Cao et al., NeurIPS 2019'
expect_exit 2 recipes --name ldm
expect_exit 0 recipes --json
recipes=$(sed -n 's/^ *"name": "\(.*\)",$/\1/p' "$work/.stdout")
[ "$(echo "$recipes" | wc -l)" -ge 20 ] || fail "recipes --json names too few"
for recipe in $recipes; do
    case $recipe in
    mfm* | scenes-mfm*) layer="--layer fc:1" ;;
    bbn) layer="--branch conv:2" ;;
    mislas) layer="--statistics kept" ;; # LeNet has none
    *) layer= ;;
    esac
    one --recipe "$recipe" $layer
    grep -q "\"recipe\": \"$recipe\"" one.run/run.json || fail "run.json: no recipe $recipe"
done
one --recipe ldam-drw --ldam-scale 20
grep -q '"ldam-scale": 20' one.run/run.json || fail "an option does not change the recipe"
grep -q '"defer-reweight": 160' one.run/run.json || fail "the recipe's options are not there"
one --recipe ldam-drw --loss focal
grep -q '"ldam-margin"' one.run/run.json && fail "options of a loss that is not used are kept"
expect_refusal 2 'unknown recipe ldam-drv.*ldam-drw' train lenet.onnx -o no.onnx $common \
    --recipe ldam-drv
