/* --modulator: a run that starts from the modulator of another. */
#include <stdlib.h>
#include <string.h>

#include "onnx/surgery/inject.h"
#include "onnx/functions/flat.h"
#include "onnx/layers/layers.h"
#include "onnx/modulator.h"
#include "onnx/transfer.h"
#include "tools/train/job/train_job.h"

/* Which layer of the modulator each modulated layer of the model takes. */
typedef struct mapping {
    const char **selectors; /* [n] of the model's layers, one for each of the modulator's */
    size_t *from;           /* [n] by the model's layers in the order of its graph */
    size_t n;
} mapping;

/* What the file decides cannot be asked for besides. */
static int refuse_form(const mfm_train_job *job, const mfm_arguments *given)
{
    static const char *const form[] = {"modulation", "hidden", "hash-dim", "no-scale", "no-shift"};
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++)
        if (mfm_option_given(&job->form.table, given, form[i]))
            return mfm_fail(job->ctx, MFM_EUSAGE,
                            "--%s beside --modulator: the form is that of %s: drop one", form[i],
                            job->arguments.modulator);
    return MFM_OK;
}

/* A modulator that was trained on one soft label makes nothing of another. */
static int check_input(const mfm_train_job *job, const mfm_model *modulator)
{
    const mfm_train_options o = mfm_train_options_of(&job->form, &job->arguments);
    const char *reads = o.method->modulator_input ? o.method->modulator_input(&o) : NULL;
    const char *trained = mfm_modulator_input(modulator);
    if (!reads || strcmp(reads, trained) == 0)
        return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINVAL,
                    "%s: this modulator was trained to read %.40s, the run gives it %s: choose "
                    "--soft-label and --soft-label-adjusted as it was trained",
                    job->arguments.modulator, trained, reads);
}

static int find_theirs(const mfm_train_job *job, const mfm_modulator_info *info, const char *pair,
                       size_t *theirs)
{
    const char *sign = strrchr(pair, '=');
    const size_t length = sign ? (size_t)(sign - pair) : 0;
    if (!length || !sign[1])
        return mfm_fail(job->ctx, MFM_EUSAGE, "--map: %.80s: expected THEIRS=OURS", pair);
    for (*theirs = 0; *theirs < info->n_layers; ++*theirs)
        if (strlen(info->layers[*theirs].layer) == length &&
            strncmp(info->layers[*theirs].layer, pair, length) == 0)
            return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINVAL, "--map: %.80s: %s has no layer %.*s: its %s %s%s", pair,
                    job->arguments.modulator, (int)length, pair,
                    info->n_layers > 1 ? "first is" : "layer is", info->layers[0].layer,
                    info->n_layers > 1 ? "; inspect lists them as gamma.LAYER" : "");
}

/* The one layer that a selector means. */
static int find_ours(const mfm_train_job *job, const mfm_layers *layers, const char *selector,
                     size_t *layer)
{
    size_t *picked, n;
    int status = mfm_layers_select(job->ctx, layers, &selector, 1, &picked, &n);
    if (status)
        return status;
    if (n == 1)
        *layer = picked[0];
    else
        status = mfm_fail(job->ctx, MFM_EINVAL, "--map: %s: %zu layers: expected one", selector, n);
    mfm_free(job->ctx, picked);
    return status;
}

/* from[k] for the k-th in ascending order of layer[], whose entry t belongs to their layer t. */
static int order(const mfm_train_job *job, const size_t *layer, mapping *m)
{
    for (size_t t = 0; t < m->n; t++) {
        size_t before = 0;
        for (size_t u = 0; u < m->n; u++) {
            if (u != t && layer[u] == layer[t])
                return mfm_fail(job->ctx, MFM_EINVAL, "--map: %s is mapped twice", m->selectors[t]);
            before += layer[u] < layer[t];
        }
        m->from[before] = t;
    }
    return MFM_OK;
}

static int read_pairs(const mfm_train_job *job, const mfm_modulator_info *info,
                      const mfm_layers *layers, size_t *layer, mapping *m)
{
    const mfm_strings *pairs = &job->arguments.map;
    for (size_t i = 0; i < pairs->count; i++) {
        size_t t = 0;
        int status = find_theirs(job, info, pairs->item[i], &t);
        if (!status && m->selectors[t])
            status =
                mfm_fail(job->ctx, MFM_EINVAL, "--map: %s is mapped twice", info->layers[t].layer);
        if (status)
            return status;
        m->selectors[t] = strrchr(pairs->item[i], '=') + 1;
        status = find_ours(job, layers, m->selectors[t], &layer[t]);
        if (status)
            return status;
    }
    for (size_t t = 0; t < m->n; t++)
        if (!m->selectors[t])
            return mfm_fail(job->ctx, MFM_EINVAL, "--map: layer %s of %s is mapped to none",
                            info->layers[t].layer, job->arguments.modulator);
    return order(job, layer, m);
}

static int make_mapping(const mfm_train_job *job, const mfm_modulator_info *info, mapping *m)
{
    mfm_layers *layers = NULL;
    mfm_flat *flat = NULL;
    m->n = info->n_layers;
    m->selectors = mfm_alloc(job->ctx, m->n, sizeof *m->selectors);
    m->from = mfm_alloc(job->ctx, m->n, sizeof *m->from);
    size_t *layer = mfm_alloc(job->ctx, m->n, sizeof *layer);
    int status = m->selectors && m->from && layer ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_flat_new(job->ctx, job->session.model, &flat);
    if (!status)
        status = mfm_layers_new(job->ctx, mfm_flat_model(flat), &layers);
    if (!status)
        status = read_pairs(job, info, layers, layer, m);
    mfm_layers_free(layers);
    mfm_flat_free(flat);
    mfm_free(job->ctx, layer);
    return status;
}

/* A modulator of the file's form, at the layers that are mapped or chosen. */
static int inject(mfm_train_job *job, const mfm_arguments *given, const mfm_modulator_info *info,
                  const mapping *m)
{
    const mfm_inject_arguments *a = &job->arguments.inject;
    const bool placed = mfm_option_given(&job->form.table, given, "position");
    const mfm_inject_options options = {
        .layers = m->n ? m->selectors : (const char *const *)a->layers.item,
        .n_layers = m->n ? m->n : a->layers.count,
        .position = placed ? (mfm_position)a->position : info->layers[0].position,
        .modulation = info->modulation,
        .hidden = (int)info->hidden,
        .hash_dim = (int)info->hash_dim,
        .no_scale = !info->has_scale,
        .no_shift = !info->has_shift && mfm_modulation_shifts(info->modulation),
        .seed = job->arguments.seed};
    for (size_t i = 1; i < info->n_layers && !placed; i++)
        if (info->layers[i].position != info->layers[0].position)
            return mfm_fail(job->ctx, MFM_EINVAL,
                            "%s: its layers are modulated at different places: give --position",
                            job->arguments.modulator);
    return mfm_model_inject(job->ctx, job->session.model, &options);
}

static int transfer(mfm_train_job *job, const mfm_arguments *given, bool modulated,
                    const mfm_model *modulator)
{
    mfm_modulator_info *info;
    mapping m = {.n = 0};
    int status = mfm_modulator_info_read(job->ctx, modulator, &info);
    const bool mapped = job->arguments.map.count > 0;
    if (!status && mapped && modulated)
        status = mfm_fail(job->ctx, MFM_EINVAL,
                          "--map: the model %s has a modulator already: its layers take those of "
                          "%s in order",
                          job->model_path, job->arguments.modulator);
    if (!status && mapped)
        status = make_mapping(job, info, &m);
    if (!status && !modulated)
        status = inject(job, given, info, &m);
    if (!status)
        status = mfm_modulator_transfer(job->ctx, job->session.model, modulator, m.from);
    mfm_free(job->ctx, m.selectors);
    mfm_free(job->ctx, m.from);
    mfm_modulator_info_free(job->ctx, info);
    return status;
}

int mfm_train_job_transfer(mfm_train_job *job, const mfm_arguments *given, bool modulated)
{
    mfm_model *modulator = NULL;
    int status = refuse_form(job, given);
    if (!status && job->arguments.map.count > 0 &&
        mfm_option_given(&job->form.table, given, "layer"))
        status = mfm_fail(job->ctx, MFM_EUSAGE, "--layer beside --map: give one of them");
    if (!status)
        status = mfm_model_load(job->ctx, job->arguments.modulator, &modulator);
    if (!status)
        status = check_input(job, modulator);
    if (!status)
        status = transfer(job, given, modulated, modulator);
    mfm_model_free(modulator);
    return status;
}
