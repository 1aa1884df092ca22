# No option is ignored in silence. Each option of train, with each method: the results are others
# than without it, or a warning says that it has no effect, or the run is refused. effects.txt has a
# value for each option that the help tells, and is complete.
. "$SOURCE/tests/cli/lib.sh"

table=$SOURCE/tests/cli/effects.txt
make_data four 4 16 5
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
last=$("$TOOL" inspect lenet.onnx --tensors --json |
    sed -n 's/^ *"name": "\(fc[^"]*bias\)",$/\1/p' | tail -n 1)
[ -n "$last" ] || fail "no bias of the last layer"
common="--data idx:four --imbalance 4 --batch 8 --lr 0.02 --threads 1 --epochs 2"
expect_exit 0 train lenet.onnx -o modulated.onnx $common --layer fc:1 --modulator-lr 0.5 \
    --meta-batch 4
mv modulated.run/modulator.onnx mod.onnx
expect_exit 0 train lenet.onnx -o told.onnx $common --method base --mean 0.5 --std 0.5
mkdir small && "$MAKE_IDX" small 4 16 5 15 || fail "make-idx"
methods=$("$TOOL" train --help | sed -n '/^Methods:$/,/^$/s/^  \([a-z0-9-]*\) .*/\1/p')
mkdir results
tail -c 400 four/train-images-idx3-ubyte >pixels
cat pixels pixels pixels pixels >image # as 400 floats

# options_of METHOD: what it needs, and meta batches as small as the others, in $own.
options_of() {
    own="--method $1"
    case $1 in
    mfm | mfm-free) own="$own --layer fc:1 --meta-batch 4" ;;
    mw-net | l2rw) own="$own --meta-batch 4" ;;
    bbn) own="$own --branch conv:2" ;;
    esac
}

# run METHOD OPTION...: leaves the exit code in $code, and in $sum the sum of what was measured and
# of the modulator.
run() {
    rm -rf one.onnx one.run
    model=lenet.onnx more=
    options_of "$1"
    for word in $2; do
        case $word in
        MODEL=*) model=${word#MODEL=} ;;
        FREE) own=$(echo "$own" | sed 's/--layer [^ ]*//') ;;
        *) more="$more $word" ;;
        esac
    done
    # shellcheck disable=SC2086
    "$TOOL" train $model -o one.onnx $common $own $more >.stdout 2>.stderr
    code=$?
    last_command="onnx-mfm train $model -o one.onnx $common $own $more"
    sum=
    [ "$code" -eq 0 ] || return 0
    sum=$({
        sed 's/"seconds":[^,]*,//' one.run/metrics.jsonl
        cat one.run/modulator.onnx 2>/dev/null
    } | cksum)
}

# The sum of the logits of the models of that run: asked for where all else is the same.
logits() {
    for model in one.onnx one.run/best.onnx; do
        [ ! -e $model ] || "$TOOL" run $model --input image -o - 2>/dev/null
    done | cksum
}

# without METHOD CONTEXT: the same of a run with the surroundings alone, whose name is $known_as.
without() {
    known=results/$1.$known_as
    if [ ! -e "$known" ]; then
        run "$1" "$2"
        echo "$code $sum" >"$known"
        [ "$code" -ne 0 ] || logits >"$known.logits"
    fi
    read -r plain_code plain_sum <"$known"
}

# wrong MESSAGE: all that is wrong is told, at the end.
wrong() {
    echo "$*: $last_command" >>wrongs
}

# try KIND OPTION VALUE CONTEXT METHOD: sets $changed.
try() {
    without "$5" "$4"
    changed=no
    if [ "$1" = '>' ]; then
        [ "$plain_code" -ne 0 ] || wrong "$5: it is not refused without --$2"
    elif [ "$plain_code" -ne 0 ]; then
        return 0
    fi
    case $3 in -) given="--$2" ;; *) given="--$2 $3" ;; esac
    run "$5" "$4 $given"
    warned=no
    grep -q "warning: --$2 has no effect" .stderr && warned=yes
    if [ "$code" -ne 0 ]; then
        [ "$code" -eq 2 ] || [ "$code" -eq 3 ] || wrong "exit code $code"
        return 0
    fi
    [ "$sum" = "$plain_sum" ] && [ "$(logits)" = "$(cat "$known.logits")" ] || changed=yes
    case $1 in
    =) return 0 ;;
    '~')
        [ "$warned" = yes ] || wrong "$5: --$2 is ignored in silence"
        return 0
        ;;
    !) [ "$changed" = no ] || wrong "$5: --$2 changes the results" ;;
    esac
    [ "$changed$warned" != nono ] || wrong "$5: --$2 is ignored in silence"
    [ "$changed$warned" != yesyes ] || wrong "$5: --$2: a warning denies its effect"
}

# Every option of the help is in the table.
"$TOOL" train --help | sed -n 's/^ *\(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' |
    grep -v '^help$' | sort -u >told
sed -n 's/^[-=!~>]* *\([a-z][a-z0-9-]*\).*/\1/p' "$table" | sort -u >tried
cmp -s told tried || fail "effects.txt: options that it lacks, or that are none: $(diff told tried)"

while IFS='|' read -r what context; do
    case $what in '#'* | '- '* | '') continue ;; esac
    kind=+
    case $what in '! '* | '= '* | '~ '* | '> '*) kind=${what%% *} what=${what#? } ;; esac
    # shellcheck disable=SC2086
    set -- $what
    option=$1 value=$(echo "$2" | sed "s/@LAST/$last/")
    context=$(echo "$context" | sed "s/@LAST/$last/;s/^ *//")
    with= seen=no
    case $kind in =) with=" ${context#*:} " context= ;; esac
    known_as=$(echo "$context" | tr -c 'a-zA-Z0-9.\n' _)
    for method in $methods; do
        try "$kind" "$option" "$value" "$context" "$method" </dev/null
        [ "$changed" = no ] || seen=yes
        [ "$kind" = '=' ] && [ "$plain_code$code" = 00 ] || continue
        case $with in
        *" $method "*) expected=no ;;
        *) expected=yes ;;
        esac
        [ "$warned" = "$expected" ] || wrong "$method: --$option: a warning: $warned"
        [ "$changed" = no ] || wrong "$method: --$option changes the results"
    done
    case $kind in [!+'>']*) continue ;; esac
    [ "$seen" = yes ] || wrong "--$option $value has an effect with no method"
done <"$table"
[ ! -e wrongs ] || fail "$(cat wrongs)"
