/* train DATA OUT.onnx [EPOCHS]: trains a LeNet with a feature modulator on a long tail of a dataset
 * (imbalance 10), and writes the plain classifier, which any ONNX runtime serves. */
#include <core/train/trainer.h>
#include <models/models.h>
#include <onnx/export.h>
#include <onnx/import/import.h>
#include <onnx/info/class_info.h>
#include <onnx/info/preprocess_info.h>
#include <onnx/surgery/inject.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct job {
    mfm_ctx *ctx;
    mfm_dataset *dataset;
    mfm_split *split;
    mfm_preprocess preprocess;
    mfm_model *model;
    mfm_network *network;
    mfm_task task;
    mfm_problem *problem;
    mfm_training *training;
} job;

static const mfm_split_options split_options = {
    .imbalance = 10, .meta_per_class = 4, .meta_from = MFM_META_COPY};

static int open_data(job *j, const char *specification)
{
    const mfm_augment none = {0};
    const mfm_dataset *d;
    int status =
        mfm_dataset_open(j->ctx, specification, MFM_PART_TRAIN | MFM_PART_TEST, &j->dataset);
    if (!status)
        status = mfm_split_new(j->ctx, j->dataset, &split_options, &j->split);
    if (status)
        return status;
    d = j->dataset;
    return mfm_preprocess_init(j->ctx, d, d->channels, d->height, d->width, MFM_FIT_NONE, NULL,
                               &none, &j->preprocess);
}

/* A fresh model with a modulator at its first fully connected layer. It tells its normalisation
 * and its classes. */
static int make_model(job *j)
{
    static const char *const layer = "fc:1";
    const mfm_model_options options = {.classes = j->dataset->classes,
                                       .channels = j->dataset->channels,
                                       .height = j->dataset->height,
                                       .width = j->dataset->width};
    int status = mfm_model_make(j->ctx, "lenet", &options, &j->model);
    if (!status)
        status = mfm_model_inject(j->ctx, j->model,
                                  &(mfm_inject_options){.layers = &layer, .n_layers = 1});
    if (!status)
        status = mfm_preprocess_info_write(j->ctx, j->model, &j->preprocess);
    if (!status)
        status = mfm_class_info_write(j->ctx, j->model, j->dataset, &split_options, j->split);
    return status ? status : mfm_model_import(j->ctx, j->model, &j->network);
}

static int on_epoch(void *self, const mfm_epoch_report *report)
{
    (void)self;
    printf("epoch %u: loss %.4f, test error %.2f %%\n", report->epoch, report->train_loss,
           report->test_error);
    return MFM_OK;
}

static int train(job *j, uint32_t epochs)
{
    const mfm_train_options options = {.method = mfm_method_find("mfm"),
                                       .epochs = epochs,
                                       .batch = 16,
                                       .meta_batch = 16,
                                       .schedule = {.base = 0.02, .epochs = epochs},
                                       .weight_decay = 5e-4};
    const mfm_train_data data = {j->dataset, j->split, &j->preprocess};
    const mfm_train_events events = {.on_epoch = on_epoch};
    int status = mfm_task_of_split(j->ctx, &j->task, j->network->classes, j->split, options.seed);
    if (!status)
        status = mfm_method_build(j->ctx, j->network, &j->task, &options, &j->problem);
    if (!status)
        status = mfm_training_new(j->ctx, j->problem, &options, &j->training);
    return status ? status : mfm_train(j->training, &data, &events, NULL);
}

/* The trained numbers go back into the model, and the modulator out of it. */
static int write_model(job *j, const char *path)
{
    int status = mfm_model_write_values(j->ctx, j->model, j->problem->main, j->training->w,
                                        j->training->state);
    if (!status)
        status = mfm_model_strip(j->ctx, j->model);
    if (!status)
        status = mfm_model_set_inference(j->ctx, j->model);
    return status ? status : mfm_model_save(j->ctx, j->model, path);
}

static void clear(job *j)
{
    mfm_training_free(j->training);
    mfm_problem_free(j->problem);
    mfm_task_clear(j->ctx, &j->task);
    mfm_network_free(j->ctx, j->network);
    mfm_model_free(j->model);
    mfm_split_free(j->ctx, j->split);
    mfm_dataset_free(j->ctx, j->dataset);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: train DATA OUT.onnx [EPOCHS]\n");
        return 2;
    }
    job j = {.ctx = mfm_ctx_new(NULL)};
    if (!j.ctx)
        return 1;
    int status = open_data(&j, argv[1]);
    if (!status)
        status = make_model(&j);
    if (!status)
        status = train(&j, argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2);
    if (!status)
        status = write_model(&j, argv[2]);
    if (status)
        fprintf(stderr, "train: %s\n", mfm_message(j.ctx));
    else
        printf("wrote %s\n", argv[2]);
    clear(&j);
    mfm_ctx_free(j.ctx);
    return status != MFM_OK;
}
