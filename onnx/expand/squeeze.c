/*
 * Squeeze without axes, of what is made of the images: the axes that have length 1 whatever the
 * batch is. The file leaves out the batch, too, where that is one image: nodes behind it then read
 * fewer axes, and most files do not run at such a batch.
 */
#include "onnx/expand/expand_parts.h"

bool mfm_squeeze_names_none(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *from = node->n_input ? mfm_import_find(im, node->input[0]) : NULL;
    const bool named = mfm_proto_attr(node, "axes") || (node->n_input > 1 && node->input[1][0]);
    return im->network && from && from->value >= 0 && im->on_images[from->value] && !named;
}

/* *alone: some other axis has length 1 for a batch of one. */
static int find_axes(mfm_parts *p, int value, int64_t axes[MFM_MAX_RANK], int *count, bool *alone)
{
    mfm_shape shapes[MFM_FOLD_BATCHES] = {{0}};
    *count = 0;
    *alone = false;
    for (int k = 0; k < MFM_FOLD_BATCHES && !p->status; k++)
        p->status = mfm_import_shape(p->im, value, mfm_fold_batches[k], &shapes[k]);
    for (int i = 0; i < shapes[0].rank && !p->status; i++) {
        const int64_t two = shapes[0].dim[i], three = shapes[1].dim[i];
        if (two == 1 && three == 1 && shapes[2].dim[i] == 1)
            axes[(*count)++] = i;
        *alone |= two != three && two - (three - two) == 1;
    }
    return p->status;
}

int mfm_expand_squeeze(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    int64_t axes[MFM_MAX_RANK];
    int count;
    bool alone;
    char text[MFM_LIST_TEXT] = "none";
    const int from = mfm_parts_input(&p, 0, MFM_DATA);
    if (p.status || find_axes(&p, from, axes, &count, &alone))
        return p.status;
    if (count)
        mfm_parts_list(text, axes, count);
    if (node->n_output != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have one output");
    if (alone && im->frozen_batch == 1)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "has no axes: leaves out the batch, too, which the file fixes at "
                               "one image: give it the axes that it should leave out (%s), or "
                               "export the model with an open batch",
                               text);
    if (alone && im->frozen_batch < 1)
        mfm_warn(im->ctx,
                 "%s: Squeeze '%s': has no axes: the file leaves out the batch, too, where it is "
                 "one image; taken as axes %s: give it these in the file",
                 mfm_model_path(im->model), mfm_proto_title(node), text);
    const int out = count ? mfm_parts_add_list(&p, "Squeeze axes=", axes, count, from, MFM_NO_VALUE)
                          : mfm_parts_add(&p, "Identity", from, MFM_NO_VALUE, MFM_NO_VALUE);
    mfm_parts_output(&p, 0, out);
    return p.status;
}
