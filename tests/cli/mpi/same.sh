# Whatever the number of ranks, the results are those of one process, byte for byte: each method,
# and what is random or adds over samples in another way.
. "$SOURCE/tests/cli/mpi/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
expect_exit 0 head lenet.onnx -o dropout.onnx --classes 4 --dropout 0.3
expect_exit 0 new resnet20 -o resnet.onnx --classes 4 --input 1,20,20
data="--data idx:four --imbalance 2 --batch 16 --meta-batch 8 --lr 0.01 --epochs 2"

# same RANKS NAME OPTION...: with each number of ranks, against one process.
same() {
    numbers=$1 name=$2
    shift 2
    expect_exit 0 train "$@" -o $name.onnx
    cut -d, -f1-7 $name.run/metrics.jsonl >$name.txt
    for ranks in $numbers; do
        expect_ranks 0 $ranks train "$@" -o $name-$ranks.onnx
        expect_same $name.onnx $name-$ranks.onnx
        cut -d, -f1-7 $name-$ranks.run/metrics.jsonl >$name-$ranks.txt
        expect_same $name.txt $name-$ranks.txt
        same_state $name.run/checkpoint.onnx $name-$ranks.run/checkpoint.onnx
    done
}

# Two checkpoints: all numbers of the optimisers, too. What differs is what the run notes of itself
# (the name of its output, threads, seconds), and so the checksum.
same_state() {
    expect_exit 1 diff "$1" "$2"
    expect_stdout '^~ metadata mfm.checkpoint:'
    expect_stdout '^~ metadata mfm.checksum:'
    expect_stderr ': 2 differences$'
}

# What ranks add up is no matter of the MPI: all of it is tried under the first that there is, and
# under others what sends in other ways.
same_here() {
    [ "$MPI" != "$FIRST_MPI" ] || same "$@"
}

same "2 3 4" base lenet.onnx --method base $data --validation disjoint:2
# Where ranks have different numbers of images, and some parts of a batch none.
same_here "3" odd lenet.onnx --method base $data --batch 13
same_here "4" few lenet.onnx --method base $data --batch 5
same_here "2" dropped dropout.onnx --method base $data --augment shift:2,flip
same_here "4" mixed lenet.onnx --method base $data --mix mixup --augment flip
same "2 3 4" mfm lenet.onnx --method mfm --layer fc:1 $data
same_here "3" three lenet.onnx --method mfm --layer conv:1 --layer conv:2 --layer fc:1 $data
same_here "4" free lenet.onnx --method mfm-free --layer fc:1 $data
same "3" mw-net lenet.onnx --method mw-net $data
same_here "2" mw-norm lenet.onnx --method mw-net --weighting-norm weights $data
same_here "3" l2rw lenet.onnx --method l2rw $data
same_here "2" sharp lenet.onnx --method mfm --layer fc:1 --sharpness 0.05 $data
same_here "3" costs lenet.onnx --method base --loss cosen $data --epochs 3
same_here "2" weights lenet.onnx --method base --class-weights inverse \
    --class-weights-mean weights $data
same_here "3" crt lenet.onnx --method crt $data
same_here "2" lws lenet.onnx --method lws $data
same_here "4" mislas lenet.onnx --method mislas $data

# Batch normalisation over all ranks, with crops and flips; features of frozen layers, kept in a
# file by rank 0 and read by the others.
same "3" resnet-a resnet.onnx --method base $data --epochs 1 --augment shift:2,flip
same "4" resnet-m resnet.onnx --method mfm --layer block:2 --layer block:5 --layer last_conv $data \
    --epochs 1
same "2" frozen resnet.onnx --method base --freeze-before block:7 $data --epochs 1
expect_ranks 0 3 train resnet.onnx --method base --freeze-before block:7 $data --epochs 1 \
    --feature-cache features -o cached.onnx
expect_same frozen.onnx cached.onnx
# Each rank's own batch statistics are another training, with running statistics alike on all.
expect_ranks 0 2 train resnet.onnx --method base $data --epochs 1 --augment shift:2,flip \
    --batch-norm local -o local.onnx
expect_different resnet-a.onnx local.onnx

# Two branches share weights, whose gradients are added over a rank's samples and both branches
# before they are over the ranks: the same but for rounding.
expect_exit 0 train resnet.onnx --method bbn $data --batch 58 --epochs 1 -o bbn.onnx
expect_ranks 0 3 train resnet.onnx --method bbn $data --batch 58 --epochs 1 -o bbn-3.onnx
expect_exit 0 diff bbn.onnx bbn-3.onnx --tolerance 1e-4

# So it is with a parameter that nodes compute with before it meets an image, as LDAM's cosines do.
if [ "$MPI" = "$FIRST_MPI" ]; then
    expect_exit 0 train lenet.onnx --method mfm --layer fc:1 --loss ldam $data -o cosines.onnx
    expect_ranks 0 3 train lenet.onnx --method mfm --layer fc:1 --loss ldam $data -o cosines-3.onnx
    expect_exit 0 diff cosines.onnx cosines-3.onnx --tolerance 1e-4
fi

# Rows of a table, standardised.
mkdir table && "$MAKE_ARRAYS" table table 4 40 10 120 || fail "make-arrays"
expect_exit 0 extract lenet.onnx -o tail.onnx --from flatten.out --to logits
same "2 3" table tail.onnx --method mfm --layer fc:1 $data --data arrays:table --mean data

# A matrix whose gradients are kept by factors, which the ranks exchange: [80, 55296].
mkdir wide && "$MAKE_IDX" wide 80 1 1 96 0 0 || fail "make-idx wide"
expect_exit 0 new lenet -o narrow.onnx --classes 80 --input 1,96,96
expect_exit 0 head narrow.onnx -o wide.onnx --classes 80 --after conv:1
wide="--data idx:wide --method mfm --layer last_conv --batch 8 --meta-batch 7 --lr 0.01 --epochs 1"
same "2 3" factors wide.onnx $wide
expect_ranks 0 2 train wide.onnx $wide -o factors-2t.onnx --threads 2
expect_same factors.onnx factors-2t.onnx

# Each rank with several threads.
expect_ranks 0 2 train lenet.onnx --method mfm --layer fc:1 $data -o threads.onnx --threads 2
expect_same mfm.onnx threads.onnx
