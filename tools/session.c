#include "tools/session.h"

#include <omp.h>

#include "tools/data_options.h"

int mfm_session_load(mfm_session *session, const char *path)
{
    return mfm_model_load(session->ctx, path, &session->model);
}

int mfm_session_open(mfm_session *session, const char *path)
{
    return mfm_model_open(session->ctx, path, &session->model);
}

int mfm_session_import_form(mfm_session *session)
{
    int status = mfm_model_untie(session->ctx, session->model, NULL);
    if (!status)
        status = mfm_model_import_chosen(session->ctx, session->model, &session->choice,
                                         &session->network);
    if (status)
        return status;
    return mfm_split_graph_new(session->ctx, session->network, NULL, &session->graphs);
}

int mfm_session_import(mfm_session *session)
{
    int status = mfm_session_import_form(session);
    if (!status)
        status = mfm_model_read_values(session->ctx, session->model, session->graphs->main);
    if (!status && session->graphs->modulator)
        status = mfm_model_read_values(session->ctx, session->model, session->graphs->modulator);
    return status;
}

static int check_labels(const mfm_session *session, const mfm_images *images, const char *part)
{
    const int64_t classes = session->graphs->classes;
    for (uint32_t i = 0; i < images->count; i++)
        if (images->labels[i] >= classes)
            return mfm_fail(session->ctx, MFM_EDATA,
                            "%s: %s image %u has label %d: the model %s has %lld classes",
                            session->dataset->name, part, i, images->labels[i],
                            mfm_model_path(session->model), (long long)classes);
    return MFM_OK;
}

static int check_classes(const mfm_session *session)
{
    int status = check_labels(session, &session->dataset->train, "training");
    if (!status)
        status = check_labels(session, &session->dataset->test, "test");
    if (!status && session->graphs->classes > session->dataset->classes)
        mfm_warn(session->ctx, "the model %s has %lld classes, %s has %d: the others never occur",
                 mfm_model_path(session->model), (long long)session->graphs->classes,
                 session->dataset->name, session->dataset->classes);
    return status;
}

int mfm_session_open_data(mfm_session *session, const char *specification, unsigned parts, bool fit,
                          const mfm_augment *augment)
{
    int status = mfm_open_data(session->ctx, specification, parts, &session->dataset);
    if (!status)
        status = check_classes(session);
    if (status)
        return status;
    const mfm_graph *graph = session->network->graph;
    const mfm_shape *shape = &graph->values[session->network->images].shape;
    char text[MFM_SHAPE_TEXT];
    if (shape->rank != 4)
        return mfm_fail(session->ctx, MFM_ENOTSUP,
                        "%s: input of shape %s: [batch, channels, height, width] is needed",
                        mfm_model_path(session->model), mfm_shape_text(shape, text));
    status =
        mfm_preprocess_init(session->ctx, session->dataset, (int)shape->dim[1], (int)shape->dim[2],
                            (int)shape->dim[3], fit, NULL, augment, &session->preprocess);
    return status ? mfm_fail_in(session->ctx, status, "%s", mfm_model_path(session->model))
                  : MFM_OK;
}

void mfm_session_clear(mfm_session *session)
{
    mfm_dataset_free(session->ctx, session->dataset);
    mfm_split_graph_free(session->graphs);
    mfm_network_free(session->ctx, session->network);
    mfm_model_free(session->model);
    *session = (mfm_session){.ctx = session->ctx};
}

int mfm_use_threads(unsigned threads)
{
    if (threads)
        omp_set_num_threads((int)threads);
    return omp_get_max_threads();
}
