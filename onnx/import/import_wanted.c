/* Values of a network that are wanted by the names that the file has for them. */
#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/proto/nearest.h"

static bool offer(mfm_nearest *near, const char *wanted, const char *name)
{
    if (name[0])
        mfm_nearest_offer(near, name);
    return strcmp(wanted, name) == 0;
}

/* Whether a node gives it, or it is an input. */
static int check_name(mfm_importer *im, const char *wanted)
{
    bool found = false;
    mfm_nearest near;
    mfm_nearest_init(&near, wanted);
    for (size_t i = 0; i < im->proto->n_output && !found; i++)
        found = offer(&near, wanted, im->proto->output[i]->name);
    for (size_t i = 0; i < im->proto->n_node && !found; i++)
        for (size_t k = 0; k < im->proto->node[i]->n_output && !found; k++)
            found = offer(&near, wanted, im->proto->node[i]->output[k]);
    for (size_t i = 0; i < im->proto->n_input && !found; i++)
        found = strcmp(wanted, im->proto->input[i]->name) == 0;
    char suggestion[MFM_SUGGEST_TEXT];
    return found ? MFM_OK
                 : mfm_fail(im->ctx, MFM_EINVAL, "%s: no value is called '%.200s'%s",
                            mfm_model_path(im->model), wanted, mfm_nearest_say(&near, suggestion));
}

int mfm_import_check_wanted(mfm_importer *im)
{
    int status = MFM_OK;
    for (size_t i = 0; i < im->n_wanted && !status; i++)
        status = check_name(im, im->wanted[i]);
    return status;
}

/* Whether the first axis grows as the batch does: shapes at batch 2, larger at 3. */
static int check_axis(const mfm_importer *im, const char *name, const mfm_shape *shape,
                      const mfm_shape *larger)
{
    char text[MFM_SHAPE_TEXT];
    if (shape->rank > 0 && shape->dim[0] % 2 == 0 && 3 * shape->dim[0] == 2 * larger->dim[0])
        return MFM_OK;
    return mfm_fail(im->ctx, MFM_ENOTSUP,
                    "%s: value '%s': shape %s at batch 2: its first axis is not the batch",
                    mfm_model_path(im->model), name, mfm_shape_text(shape, text));
}

static int find_value(const mfm_importer *im, const char *name, const mfm_shape *shapes,
                      const mfm_shape *larger, int *value)
{
    const mfm_binding *named = mfm_import_find(im, name);
    if (!named || named->value < 0 || !im->on_images[named->value])
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: value '%s': does not depend on the image",
                        mfm_model_path(im->model), name);
    *value = named->value;
    return check_axis(im, name, &shapes[*value], &larger[*value]);
}

int mfm_import_wanted(mfm_importer *im, int *values)
{
    if (!im->n_wanted)
        return MFM_OK;
    const size_t n = im->graph->n_values;
    mfm_shape *shapes = mfm_alloc(im->ctx, 2 * n, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    int status = mfm_graph_shapes(im->graph, 2, false, shapes);
    if (!status)
        status = mfm_graph_shapes(im->graph, 3, false, shapes + n);
    for (size_t i = 0; i < im->n_wanted && !status; i++)
        status = find_value(im, im->wanted[i], shapes, shapes + n, &values[i]);
    mfm_free(im->ctx, shapes);
    return status;
}
