# Runs on one page, while they go on and afterwards.
. "$SOURCE/tests/cli/lib.sh"

make_data four 4 40 10
expect_exit 0 new lenet -o lenet.onnx --classes 4 --input 1,20,20
options="--data idx:four --imbalance 10 --meta-per-class 4 --batch 16 --meta-batch 8 --lr 0.02
    --threads 1 --epochs 2 --milestones none"
mkdir runs
expect_exit 0 train lenet.onnx -o base.onnx --method base --seeds 1-2 $options \
    --run "runs/the base"
expect_exit 0 train lenet.onnx -o mfm.onnx --method mfm --layer fc:1 --run runs/mfm $options

# has FILE PATTERN [N]: so many lines match (1 or more).
has() {
    found=$(grep -Ec -- "$2" "$1") || true
    [ "$found" -ge 1 ] || fail "$1: no line matches: $2"
    [ $# -lt 3 ] || [ "$found" -eq "$3" ] || fail "$1: $found lines match: $2"
}
page=runs/mfm/report.html
expect_file $page
has $page '<h2>Confusion</h2>'
has $page 'as 0: '
grep -q refresh $page && fail "a page of a finished run is loaded again"

expect_exit 0 report "runs/the base" runs/mfm -o page.html --figures figures --csv all.csv \
    --tensorboard events --points 40 --mistakes 5 --threads 1 --test-prior test1 \
    --test-prior forward:5
expect_stdout '^wrote page.html: 3 runs$'
expect_stdout '^wrote [0-9]+ figures into figures$'
has page.html '<td>mean of 2</td>' 1
has page.html '<h2>Confusion</h2>' 1
has page.html '<h2>Calibration</h2>' 1
has page.html 'gamma.fc1 \(KL [0-9.]+\)'
has page.html 'beta.fc1 \(KL [0-9.]+\)'
has page.html 'Label distributions of mfm, %'
has page.html '<h3>the base/seed-2</h3>'
has page.html 'Test images, drawn by label distribution'
has page.html 'forward:5'
grep -Eq 'src="[^d]|<link|https?://[^w]' page.html && fail "the page needs something else"
# The only script is the one that the head allows, by its hash.
has page.html '<script' 1
sed -n '/^<script>/,/^<\/script>$/p' page.html | sed '1s/<script>//;$d' >script
hash=$(sha256sum script | cut -d ' ' -f 1 | perl -ne 'chomp; print pack "H*", $_' | base64)
grep -Fq "script-src 'sha256-$hash'" page.html || fail "the head does not allow the script: $hash"
if command -v chromium >/dev/null 2>&1; then
    # dom FILE: the page as a browser has it when its script has run.
    dom() {
        chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/chromium" \
            --dump-dom "file://$work/$1" >dom.html 2>chromium.log ||
            fail "chromium: $(tail -n 3 chromium.log)"
    }
    first_run() {
        tr -d '\n' <dom.html | grep -o '<td><span class="key"[^/]*/span>[^<]*' | head -n 1 |
            sed 's/.*>//'
    }
    dom page.html
    has dom.html '<th tabindex="0" title="sorts by this column'
    [ "$(first_run)" = "the base/seed-1" ] || fail "the first run is $(first_run)"
    # A copy whose first head is chosen twice: by names, downwards.
    sed -e '/http-equiv="Content-Security/d' -e 's|</body>|<script>var head = \
        document.querySelector("table.sort th"); head.click(); head.click();</script></body>|' \
        page.html >chosen.html
    dom chosen.html
    has dom.html 'aria-sort="descending"'
    [ "$(first_run)" = "the base/seed-2" ] || fail "the first run, sorted, is $(first_run)"
else
    echo "not tried: no chromium: the page's script"
fi
for figure in recall reliability train-loss confusion-3 labels-1 gamma.fc1-3; do
    has figures/$figure.svg '^<svg xmlns='
    has figures/$figure.svg '^</svg>$'
done
[ "$(wc -l <all.csv)" -eq 7 ] || fail "all.csv has not a line for each run and epoch"
has all.csv '^run,epoch,train_loss,meta_loss,.*,"recall 0"'
has all.csv '^"runs/the base/seed-2",2,[0-9.]+,,'
for run in runs-the-base-seed-1 runs-the-base-seed-2 runs-mfm; do
    expect_file events/$run/events.out.tfevents.onnx-mfm
done
grep -q test_error events/runs-mfm/events.out.tfevents.onnx-mfm || fail "no event of the error"

# Runs whose names come to the same, and a folder whose name is a pattern.
cp -r "runs/the base" 'runs/[the] base'
cp -r runs/mfm runs-mfm
expect_exit 0 report runs/mfm runs-mfm 'runs/[the] base' -o x.html --metrics-only \
    --tensorboard twice
expect_stdout '^wrote x.html: 4 runs$'
expect_file twice/runs-mfm~2/events.out.tfevents.onnx-mfm
expect_same twice/runs-mfm/events.out.tfevents.onnx-mfm events/runs-mfm/events.out.tfevents.onnx-mfm
# All classes have equally many points, where there is room for so many.
expect_exit 0 report runs/mfm -o x.html --points 6 --mistakes 0 --threads 1 --figures six
for class in 0 1 2 3; do
    [ "$(grep -o "<title>$class</title>" six/gamma.fc1-1.svg | wc -l)" -eq 1 ] ||
        fail "class $class has not one point of four"
done
# Models of two forms are not two seeds of one, whatever their options; two starts of one are.
for form in 1 2; do
    expect_exit 0 new resnet$((8 + 12 * form)) -o form$form.onnx --classes 4 --input 1,20,20 ||
        fail "no model"
    expect_exit 0 train form$form.onnx -o x$form.onnx --method base $options --epochs 1 \
        --run form$form
done
expect_exit 0 report form1 form2 -o x.html --metrics-only
has x.html '>form1</td>' 1
grep -q 'mean of' x.html && fail "a mean over models of two forms"
expect_exit 0 new lenet -o again.onnx --classes 4 --input 1,20,20 --seed 9
expect_exit 0 train again.onnx -o x.onnx --method base $options --run again
expect_exit 0 report again "runs/the base" -o x.html --metrics-only
has x.html '<td>mean of 3</td>' 1
rm -r again form1 form2 x*.onnx* runs-mfm 'runs/[the] base' x.html

# What the page calls the command that repeats a run does so.
command=$(sed -n 's/.*<pre>\(.*\)<\/pre>.*/\1/p' page.html | tail -n 1 |
    sed "s/<[^>]*>//g; s/&amp;/\\&/g; s/&#39;/'/g")
case $command in
*'--layer fc:1'*) ;;
*) fail "the command does not tell the layer: $command" ;;
esac
mkdir bin && ln -s "$TOOL" bin/onnx-mfm
(PATH=$work/bin:$PATH && eval "$command") >.stdout 2>.stderr || fail "cannot: $command"
expect_same repeated.onnx mfm.onnx

# Runs of one method are told apart by what else they have.
expect_exit 0 train lenet.onnx -o adjusted.onnx --method base --loss logit-adjustment \
    --finish tau-normalisation $options --epochs 1
expect_exit 0 report runs/mfm adjusted.run -o parts.html --metrics-only
has parts.html '<td>mfm</td>'
has parts.html '<td>base, logit-adjustment, then tau-normalisation</td>' 1

# Without the images a run has its curves, and says why no more.
mv four away
expect_exit 0 report runs/mfm -o less.html
expect_stderr 'warning: runs/mfm was not evaluated: '
has less.html 'It was not evaluated: '
has less.html 'Training loss'
expect_exit 0 report runs/mfm -o less.html --metrics-only
expect_no_stderr
make_data four 4 40 10 9
expect_exit 0 report runs/mfm -o less.html
expect_stderr 'are not those of the run'

expect_exit 0 report runs/mfm --json -o less.html --metrics-only
grep -q '"method": "mfm"' .stdout || fail "no method in the JSON"
# A line that is half written is left out where it is the last, and damage elsewhere.
cp -r runs/mfm cut
printf '{"epoch":3,"train_lo' >>cut/metrics.jsonl
expect_exit 0 report cut -o less.html --metrics-only --csv less.csv
expect_stderr 'warning: cut/metrics.jsonl: its last line is not whole: it is left out$'
[ "$(wc -l <less.csv)" -eq 3 ] || fail "not a line for each epoch that is whole"
echo >>cut/metrics.jsonl
expect_refusal 3 'cut/metrics.jsonl: line 3: expected an object with an epoch' \
    report cut -o x.html --metrics-only
sed '2s/"recall":\[/&50.0,/' runs/mfm/metrics.jsonl >cut/metrics.jsonl
expect_refusal 3 'cut/metrics.jsonl: line 2: recall of 5 classes: run.json has 4' \
    report cut -o x.html --metrics-only
# Charts have one list of classes: runs of other classes are refused, by number and by name.
make_data three 3 40 10
expect_exit 0 new lenet -o three.onnx --classes 3 --input 1,20,20
expect_exit 0 train three.onnx -o three-trained.onnx --method base --data idx:three --epochs 1 \
    --milestones none --threads 1 --run three.run
expect_refusal 3 'three.run has 3 classes, runs/mfm has 4: a page compares runs of the same' \
    report runs/mfm three.run -o x.html
cp -r runs/mfm renamed
sed 's/"name": "2"/"name": "two"/' runs/mfm/run.json >renamed/run.json
expect_refusal 3 'class 2 of renamed is two, of runs/mfm 2: a page compares runs of the same' \
    report runs/mfm renamed -o x.html --metrics-only
expect_exit 0 report renamed -o x.html --metrics-only
rm x.html
expect_refusal 3 'cannot read nowhere: No such file' report nowhere -o x.html
mkdir empty
expect_refusal 3 'empty: no run in this folder: it has no run.json, nor a folder seed-N' \
    report empty -o x.html
# The record of a run, or of runs with several seeds, stands for its folder; other files do not.
expect_exit 0 report runs/mfm/run.json -o less.html --metrics-only
has less.html 'Training run runs/mfm<'
expect_exit 0 report "runs/the base/summary.json" -o less.html --metrics-only
expect_stdout '^wrote less.html: 2 runs$'
(cd runs/mfm && "$TOOL" report run.json -o ../../less.html --metrics-only) >.stdout 2>.stderr ||
    fail "no report of run.json in this folder"
expect_refusal 3 'runs/mfm/model.onnx: it is a file: expected a run folder, or the run.json' \
    report runs/mfm/model.onnx -o x.html
# What another version made is shown, and said to be.
version=$("$TOOL" version | cut -d ' ' -f 2)
cp -r runs/mfm older
sed 's/"onnx-mfm": "[^"]*"/"onnx-mfm": "0.0.9"/' runs/mfm/run.json >older/run.json
expect_exit 0 report older -o less.html --metrics-only
expect_stderr "warning: older/run.json: Made by onnx-mfm 0.0.9, read by $version: what its options"
has less.html 'Made by onnx-mfm 0.0.9, read by '
sed 's/"options": {/&"warp": 9,/' runs/mfm/run.json >older/run.json
expect_exit 0 report older -o less.html --metrics-only
has less.html 'The command leaves out --warp, which is unknown here'
sed '/"onnx-mfm": /d' runs/mfm/run.json >older/run.json
expect_refusal 3 'cannot read older/run.json: onnx-mfm: expected the version that wrote it' \
    report older -o x.html
expect_refusal 2 '--test-prior with --metrics-only' report runs/mfm --metrics-only \
    --test-prior test1 -o x.html
expect_refusal 2 'no RUN given' report -o x.html
if command -v rsvg-convert >/dev/null; then
    expect_exit 0 report runs/mfm -o less.html --metrics-only --figures pictures --png
    expect_file pictures/recall.png
else
    expect_refusal 3 'rsvg-convert is not installed: install' report runs/mfm -o x.html \
        --figures pictures --png
fi
expect_refusal 2 '--png needs --figures' report runs/mfm --png -o x.html
expect_refusal 2 '--groups: expected' report runs/mfm --groups 3 -o x.html
echo '{}' >runs/mfm/run.json
expect_refusal 3 'runs/mfm/run.json: ' report runs/mfm -o x.html

# Pictures of photographs, 20 pixels a side and more, are not reduced to where nothing is seen.
[ -x "${MAKE_PHOTOS:-}" ] || exit 0
"$MAKE_PHOTOS" photos 12 || fail "no photographs"
expect_exit 0 new lenet -o two.onnx --classes 2 --input 3,32,32
expect_exit 0 train two.onnx -o two-trained.onnx --data folder:photos --test-part 0.5 --run two \
    --method base --epochs 1 --batch 4 --lr 1e-9 --milestones none --threads 1
expect_exit 0 report two -o photos.html --threads 1
sed -n 's/<wbr.>//g; s/.*base64,\([^"]*\)".*"x">\([^<]*\)<.*/\1 \2/p' photos.html >pictures.txt
expect_file pictures.txt
while read -r picture path; do
    [ -f "photos/$path" ] || fail "the page names no file: $path"
    for side in $(printf %s "$picture" | base64 -d | od -An -j16 -N8 -tu1); do
        echo "$side"
    done >sides
    [ "$(sed -n 4p sides)" -ge 20 ] && [ "$(sed -n 8p sides)" -ge 20 ] ||
        fail "the picture of $path is $(sed -n 4p sides) x $(sed -n 8p sides)"
done <pictures.txt
