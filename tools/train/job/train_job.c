#include "tools/train/job/train_job.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/words.h"
#include "core/data/fnv.h"
#include "core/data/sources/files/image_list.h"
#include "core/data/sources/source.h"
#include "onnx/info/best_info.h"
#include "onnx/info/inspect.h"
#include "onnx/info/structure.h"
#include "onnx/surgery/branch.h"
#include "onnx/surgery/inject.h"
#include "onnx/checkpoint.h"
#include "onnx/info/preprocess_info.h"
#include "tools/files.h"
#include "tools/options/option_json.h"
#include "tools/report/run_version.h"
#include "tools/show/print_json.h"

enum { HASH_TEXT = 17 };

static void hash_text(uint64_t hash, char text[HASH_TEXT])
{
    snprintf(text, HASH_TEXT, "%016" PRIx64, hash);
}

static int parse_stored(mfm_train_job *job)
{
    char *text = NULL;
    const int status = mfm_checkpoint_options(job->ctx, job->checkpoint, &text);
    if (status)
        return status;
    job->stored = text ? json_loads(text, 0, NULL) : NULL;
    mfm_free(job->ctx, text);
    if (!json_is_object(json_object_get(job->stored, "options")))
        return mfm_fail(job->ctx, MFM_EDATA,
                        "cannot resume from %s: it does not record its options",
                        job->folder.checkpoint);
    return MFM_OK;
}

/* The folder in which the run's relative places were named, where that is another one than this and
 * still there; NULL where not, or when memory ran out. The caller frees *folder. */
static int run_began_in(const mfm_train_job *job, char **folder)
{
    const json_t *stored = json_object_get(job->stored, "folder");
    char here[PATH_MAX];
    *folder = NULL;
    int status = stored ? mfm_json_exact_text(job->ctx, stored, folder) : MFM_OK;
    if (*folder &&
        (access(*folder, X_OK) || !getcwd(here, sizeof here) || strcmp(*folder, here) == 0)) {
        mfm_free(job->ctx, *folder);
        *folder = NULL;
    }
    return status == MFM_EDATA ? MFM_OK : status;
}

static int adopt_model(mfm_train_job *job, const char *folder)
{
    char *name = NULL;
    int status = mfm_json_exact_text(job->ctx, json_object_get(job->stored, "model_file"), &name);
    if (!status) {
        job->run_model = folder && name[0] != '/' ? mfm_format(job->ctx, "%s/%s", folder, name)
                                                  : mfm_strdup(job->ctx, name);
        status = job->run_model ? MFM_OK : MFM_ENOMEM;
    }
    mfm_free(job->ctx, name);
    job->model_path = job->run_model;
    return status == MFM_EDATA
               ? mfm_fail(job->ctx, status, "cannot resume from %s: it does not tell its model",
                          job->folder.checkpoint)
               : status;
}

/* place: of the record whose options these are. */
static int adopt_options(mfm_train_job *job, const json_t *options, const char *place,
                         mfm_arguments *given)
{
    char *folder;
    const char *other;
    int status = mfm_run_version(job->ctx, job->stored, place, &other);
    if (status)
        return status;
    if (other)
        mfm_warn(job->ctx,
                 "%s: onnx-mfm %s has made the run, this is " MFM_VERSION
                 ": it may go on otherwise than it would have there",
                 place, other);
    status = run_began_in(job, &folder);
    if (!status)
        status = mfm_train_adopt(job->ctx, &job->form, options, folder, &job->arguments, given);
    if (!status && !job->model_path)
        status = adopt_model(job, folder);
    mfm_free(job->ctx, folder);
    return status;
}

/* What runs towards the last epoch has run towards another one so far. */
static void warn_of_end(const mfm_train_job *job, long long epochs)
{
    const mfm_train_options o = mfm_train_options_of(&job->form, &job->arguments);
    const char *names[3];
    int count = 0;
    if (o.method->needs_end)
        names[count++] = o.method->name;
    if (o.schedule.kind->needs_end)
        names[count++] = o.schedule.kind->name;
    if (o.sampler->needs_end)
        names[count++] = o.sampler->name;
    for (int i = 0; i < count; i++)
        mfm_warn(job->ctx,
                 "resume: --epochs grows from %lld to %u: %s goes by the number of epochs, and "
                 "jumps back: a run of %u epochs from the start would have gone otherwise",
                 epochs, o.epochs, names[i], o.epochs);
}

int mfm_train_job_adopt_run(mfm_train_job *job, mfm_arguments *given)
{
    int status = mfm_run_folder_load(&job->folder, &job->checkpoint);
    if (!status)
        status = parse_stored(job);
    if (status)
        return status;
    const json_t *options = json_object_get(job->stored, "options");
    status = adopt_options(job, options, job->folder.checkpoint, given);
    if (status)
        return status;
    const json_int_t epochs = json_integer_value(json_object_get(options, "epochs"));
    if ((json_int_t)job->arguments.epochs < epochs)
        return mfm_fail(job->ctx, MFM_EINVAL,
                        "resume: --epochs: %" PRIu64 ": the run began with %lld: it may only grow: "
                        "drop the option, or start a new run with --run DIR",
                        job->arguments.epochs, (long long)epochs);
    if ((json_int_t)job->arguments.epochs > epochs)
        warn_of_end(job, (long long)epochs);
    return MFM_OK;
}

int mfm_train_job_adopt_sibling(mfm_train_job *job, const char *run_json, mfm_arguments *given)
{
    char *text;
    size_t size;
    const int status = mfm_read_file(job->ctx, run_json, &text, &size);
    if (status)
        return status;
    job->stored = json_loadb(text, size, 0, NULL);
    mfm_free(job->ctx, text);
    const json_t *options = json_object_get(job->stored, "options");
    return json_is_object(options)
               ? adopt_options(job, options, run_json, given)
               : mfm_fail(job->ctx, MFM_EDATA, "cannot read %s: it does not record its options",
                          run_json);
}

static void add_bytes(void *self, const void *bytes, size_t size)
{
    uint64_t *hash = self;
    *hash = mfm_fnv(*hash, bytes, size);
}

int mfm_train_job_hash_model(mfm_train_job *job)
{
    job->model_hash = MFM_FNV_START;
    const int status = mfm_model_stream(job->ctx, job->session.model, add_bytes, &job->model_hash);
    return status ? status : mfm_model_structure(job->ctx, job->session.model, &job->architecture);
}

/* Whether the run that goes on tells the same hash under key. */
static bool same_as_stored(const mfm_train_job *job, const char *key, uint64_t hash)
{
    char text[HASH_TEXT];
    const char *stored = json_string_value(json_object_get(job->stored, key));
    hash_text(hash, text);
    return stored && strcmp(stored, text) == 0;
}

int mfm_train_job_check_sibling(const mfm_train_job *job)
{
    if (!job->stored || same_as_stored(job, "model", job->model_hash))
        return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINVAL,
                    "resume: %s: not the model that the other runs began with: leave it out, or "
                    "start new runs with --run DIR",
                    job->model_path);
}

/* 0 where the run that goes on does not tell it. */
static uint64_t stored_hash(const mfm_train_job *job, const char *key)
{
    const char *stored = json_string_value(json_object_get(job->stored, key));
    return stored ? strtoull(stored, NULL, 16) : 0;
}

int mfm_train_job_load_checkpoint(mfm_train_job *job)
{
    if (job->run_model) {
        job->model_hash = stored_hash(job, "model");
        job->architecture = stored_hash(job, "architecture");
    } else if (!same_as_stored(job, "model", job->model_hash)) {
        return mfm_fail(job->ctx, MFM_EINVAL,
                        "resume: %s: not the model that the run began with: leave it out, or start "
                        "a new run with --run DIR",
                        job->model_path);
    }
    mfm_model_free(job->session.model);
    job->session.model = job->checkpoint;
    job->checkpoint = NULL;
    return MFM_OK;
}

/* A fresh modulator changes nothing until it is trained. */
static int warn_of_identity(const mfm_train_job *job)
{
    const mfm_train_options o = mfm_train_options_of(&job->form, &job->arguments);
    bool nothing = false;
    if (!o.method->needs_modulator || mfm_method_reads_meta(&o))
        return MFM_OK;
    const int status = mfm_model_modulates_nothing(job->ctx, job->session.model, &nothing);
    if (nothing)
        mfm_warn(job->ctx, "the modulator modulates nothing, as a fresh one, and is not trained: "
                           "this is plain training: --modulator FILE starts from another");
    return status;
}

int mfm_train_job_inject(mfm_train_job *job, const mfm_arguments *given)
{
    const mfm_train_arguments *a = &job->arguments;
    bool modulated;
    const int status = mfm_has_modulator(job->ctx, job->session.model, &modulated);
    if (status)
        return status;
    for (size_t i = 0; modulated && i < MFM_INJECT_OPTIONS; i++)
        if (mfm_option_given(&job->form.table, given, mfm_inject_table[i].name))
            return mfm_fail(job->ctx, MFM_EINVAL,
                            "--%s: the model %s has a modulator already, which is trained as it is",
                            mfm_inject_table[i].name, job->model_path);
    int made = MFM_OK;
    if (a->modulator)
        made = mfm_train_job_transfer(job, given, modulated);
    else if (!modulated && mfm_method_find(a->method)->needs_modulator)
        made = mfm_inject_as_asked(job->ctx, job->session.model, &a->inject, 0, a->seed);
    return made ? made : warn_of_identity(job);
}

int mfm_train_job_branch(mfm_train_job *job, const mfm_arguments *given)
{
    static const char *const branch[] = {"branch", NULL};
    const mfm_train_options options = mfm_train_options_of(&job->form, &job->arguments);
    if (!options.method->branch_layer)
        return MFM_OK;
    if (mfm_model_has_branches(job->session.model)) {
        mfm_options_no_effect(job->ctx, &job->form.table, given, branch,
                              "the model has two branches already");
        return MFM_OK;
    }
    return mfm_model_branch(job->ctx, job->session.model, options.method->branch_layer(&options));
}

/* "images was [1,28,28] and is [1,32,32]": what a run's images became, where that has changed. */
static char *tell_change(const mfm_train_job *job, const char *key, const json_t *was,
                         const json_t *is)
{
    const size_t form = JSON_COMPACT | JSON_ENCODE_ANY;
    char *before = was ? json_dumps(was, form) : NULL, *now = is ? json_dumps(is, form) : NULL;
    char *text = mfm_format(job->ctx, "%s was %s and is %s", key, before ? before : "not there",
                            now ? now : "not there");
    free(before);
    free(now);
    return text;
}

int mfm_train_job_check_images(const mfm_train_job *job)
{
    static const char *const keys[] = {"input",     "layout", "images",  "colours", "scale", "mean",
                                       "deviation", "resize", "numbers", "axis",    NULL};
    const json_t *then = json_object_get(job->stored, "preprocess");
    if (!job->arguments.resume)
        return MFM_OK;
    if (!json_is_object(then)) {
        mfm_warn(job->ctx, "the run does not tell how its images were prepared: whether that is "
                           "the same now is not known");
        return MFM_OK;
    }
    json_t *now = mfm_session_preprocess_json(&job->session);
    int status = now ? MFM_OK : MFM_ENOMEM;
    for (int i = 0; keys[i] && !status; i++) {
        const json_t *was = json_object_get(then, keys[i]), *is = json_object_get(now, keys[i]);
        if (was == is || (was && is && json_equal(was, is)))
            continue;
        char *change = tell_change(job, keys[i], was, is);
        status = mfm_fail(job->ctx, MFM_EINVAL,
                          "resume: %s: this version prepares its images otherwise than the one "
                          "that the run began with: %s: start a new run with --run DIR",
                          job->arguments.data, change ? change : keys[i]);
        mfm_free(job->ctx, change);
    }
    json_decref(now);
    return status;
}

int mfm_train_job_make_split(mfm_train_job *job)
{
    const mfm_train_options options = mfm_train_options_of(&job->form, &job->arguments);
    mfm_split_arguments asked = job->arguments.split;
    asked.meta_unread = !mfm_method_reads_meta(&options);
    const int status = mfm_make_split(job->ctx, job->session.dataset, &asked, &job->split);
    if (status)
        return status;
    job->test_hash = mfm_test_hash(job->session.dataset);
    const bool split = !job->arguments.resume || same_as_stored(job, "split", job->split->hash);
    const bool test = !job->arguments.resume || same_as_stored(job, "test", job->test_hash);
    if (!split || !test)
        return mfm_fail(job->ctx, MFM_EINVAL,
                        "resume: %s: not the %simages that the run began with", job->arguments.data,
                        split ? "test " : "");
    return MFM_OK;
}

void mfm_train_job_warn_of_bias(const mfm_train_job *job)
{
    const mfm_training *t = job->training;
    const mfm_method *method = t->options.method;
    if (job->trained_before && mfm_training_bias_start(t) != 0 &&
        !(method->renews_classifier && method->renews_classifier(&t->options)))
        mfm_warn(job->ctx,
                 "--last-bias classes overwrites biases that have been trained: %s comes from a "
                 "run: --last-bias model keeps them",
                 job->model_path);
}

int mfm_train_job_describe_data(mfm_train_job *job)
{
    mfm_split_options options;
    mfm_session *s = &job->session;
    int status = mfm_split_options_of(job->ctx, &job->arguments.split, &options);
    job->trained_before = s->classes && s->classes->train && !job->arguments.resume;
    if (!status)
        status = mfm_session_keep_names(s, job->split->hash);
    if (!status)
        status = mfm_best_info_remove(s->model); /* of the run that the model comes from */
    if (!status && (job->arguments.view.logits || mfm_model_logits_output(s->model) > 0))
        status = mfm_model_set_metadata(s->model, MFM_OUTPUT_KEY, mfm_model_logits_name(s->model));
    if (!status)
        status = mfm_preprocess_info_write(job->ctx, s->model, &s->preprocess);
    return status ? status
                  : mfm_class_info_write(job->ctx, s->model, s->dataset, &options, job->split);
}

/* The meta loss says nothing of a class that it does not see. */
static void warn_of_absent(const mfm_train_job *job)
{
    const mfm_split *split = job->split;
    const int64_t classes = job->session.network->classes;
    int64_t absent = 0, first = -1;
    for (int64_t c = 0; c < classes; c++)
        if (c >= split->classes || split->meta_per_class[c] == 0) {
            first = first < 0 ? c : first;
            absent++;
        }
    if (absent)
        mfm_warn(job->ctx,
                 "the meta set has no image of %lld of the model's %lld classes (class %lld%s): "
                 "meta steps do not see %s",
                 (long long)absent, (long long)classes, (long long)first,
                 absent > 1 ? " and others" : "", absent > 1 ? "them" : "it");
}

static int check_reach(const mfm_train_job *job, const char *option, uint32_t batch)
{
    const int ranks = mfm_comm_ranks(job->ranks->comm);
    if (mfm_share_reaches_all(batch, ranks))
        return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINVAL,
                    "%s: %u image%s for %d ranks: each needs one, and a batch is cut into %d parts "
                    "that ranks share: start fewer, or take a larger batch (%d is always enough)",
                    option, batch, batch == 1 ? "" : "s", ranks, MFM_CHUNKS, MFM_CHUNKS);
}

int mfm_train_job_fit_batches(mfm_train_job *job, const mfm_arguments *given,
                              mfm_train_options *options)
{
    const mfm_split *split = job->split;
    if (options->batch > split->train_count)
        return mfm_fail(job->ctx, MFM_EINVAL,
                        "--batch: %u: the split has only %u training images: use --batch at most "
                        "%u",
                        options->batch, split->train_count, split->train_count);
    const int status = check_reach(job, "--batch", options->batch);
    if (status)
        return status;
    if (mfm_method_reads_meta(options))
        warn_of_absent(job);
    if (mfm_method_reads_meta(options) && options->meta_batch > split->meta_count) {
        if (mfm_option_given(&job->form.table, given, "meta-batch"))
            mfm_warn(job->ctx,
                     "--meta-batch: %u: the meta set has only %u %s: each meta batch is all of it",
                     options->meta_batch, split->meta_count,
                     mfm_plural(split->meta_count, "image", "images"));
        options->meta_batch = split->meta_count;
    }
    return mfm_method_reads_meta(options) ? check_reach(job, "--meta-batch", options->meta_batch)
                                          : MFM_OK;
}

int mfm_train_job_build(mfm_train_job *job, const mfm_train_options *options)
{
    mfm_session *s = &job->session;
    const int status =
        mfm_task_of_split(job->ctx, &s->task, s->network->classes, job->split, options->seed);
    return status ? status : mfm_session_build(s, options, true);
}

static json_t *describe_classes(const mfm_train_job *job)
{
    json_t *classes = json_array();
    for (int c = 0; c < job->split->classes; c++)
        json_array_append_new(classes,
                              json_pack("{s:o, s:i, s:i, s:i}", "name",
                                        mfm_json_text(job->session.dataset->class_names[c]),
                                        "train", (int)job->split->train_per_class[c], "meta",
                                        (int)job->split->meta_per_class[c], "validation",
                                        (int)job->split->validation_per_class[c]));
    return classes;
}

static json_t *describe_run(const mfm_train_job *job)
{
    char model[HASH_TEXT], architecture[HASH_TEXT], split[HASH_TEXT], test[HASH_TEXT];
    const mfm_train_options *options = &job->training->options;
    hash_text(job->model_hash, model);
    hash_text(job->architecture, architecture);
    hash_text(job->split->hash, split);
    hash_text(job->test_hash, test);
    char here[PATH_MAX] = "";
    if (!getcwd(here, sizeof here))
        here[0] = '\0'; /* it was removed: relative places are lost */
    return json_pack(
        "{s:s, s:s*, s:o, s:o, s:s, s:s*, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}",
        "onnx-mfm", MFM_VERSION, "began_with",
        job->arguments.resume ? mfm_run_began_with(job->stored) : NULL, "folder",
        mfm_json_exact(here), "model_file", mfm_json_exact(job->model_path), "model", model,
        "architecture", job->architecture ? architecture : NULL, "split", split, "test", test,
        "threads", job->threads, "train_images", (int)job->split->train_count, "meta_images",
        (int)job->split->meta_count, "validation_images", (int)job->split->validation_count,
        "meta_batch", mfm_method_reads_meta(options) ? (int)options->meta_batch : 0, "classes",
        describe_classes(job), "preprocess", mfm_session_preprocess_json(&job->session), "options",
        mfm_options_to_json(&job->form.table, &job->arguments));
}

bool mfm_train_job_has_files(const mfm_train_job *job)
{
    const mfm_images *images = &job->session.dataset->train;
    return images->count > 0 && mfm_images_path(images, 0);
}

int mfm_train_job_begin(mfm_train_job *job)
{
    const uint32_t done = (uint32_t)mfm_epochs_finished(job->training, job->split);
    json_t *run = describe_run(job);
    char *text = run ? json_dumps(run, JSON_COMPACT) : NULL;
    if (text)
        job->run_text = mfm_strdup(job->ctx, text);
    int status = job->run_text ? mfm_run_folder_begin(&job->folder, run, done)
                               : mfm_fail(job->ctx, MFM_ENOMEM, "run.json: out of memory");
    if (!status && mfm_train_job_has_files(job))
        status = mfm_image_list_write(job->ctx, job->folder.images, job->session.dataset);
    free(text);
    json_decref(run);
    mfm_meter_init(&job->meter, stderr, job->training->options.epochs,
                   done ? job->training->counters.last_error : -1,
                   done ? job->training->counters.last_validation_error : NAN);
    return status;
}

void mfm_train_job_clear(mfm_train_job *job)
{
    mfm_training_free(job->training);
    mfm_split_free(job->ctx, job->split);
    mfm_run_folder_clear(&job->folder);
    mfm_free(job->ctx, job->run_text);
    mfm_free(job->ctx, job->run_model);
    mfm_free(job->ctx, job->weights);
    mfm_model_free(job->checkpoint);
    json_decref(job->stored);
    mfm_session_clear(&job->session);
}
