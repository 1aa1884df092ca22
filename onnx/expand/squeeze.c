/*
 * Squeeze without axes, of what is made of the images: the axes that have length 1 whatever the
 * batch is. The file leaves out the batch, too, where that is one image: nodes behind it then read
 * fewer axes, and most files do not run at such a batch.
 */
#include <stdio.h>

#include "onnx/expand/expand_parts.h"

bool mfm_squeeze_names_none(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *from = node->n_input ? mfm_import_find(im, node->input[0]) : NULL;
    const bool named = mfm_proto_attr(node, "axes") || (node->n_input > 1 && node->input[1][0]);
    return im->network && from && from->value >= 0 && im->on_images[from->value] && !named;
}

/* "2,3"; *alone: some other axis has length 1 for a batch of one. */
static int find_axes(mfm_parts *p, int value, char *text, size_t size, bool *alone)
{
    mfm_shape shapes[MFM_FOLD_BATCHES] = {{0}};
    size_t used = 0;
    *alone = false;
    text[0] = '\0';
    for (int k = 0; k < MFM_FOLD_BATCHES && !p->status; k++)
        p->status = mfm_import_shape(p->im, value, mfm_fold_batches[k], &shapes[k]);
    for (int i = 0; i < shapes[0].rank && !p->status; i++) {
        const int64_t two = shapes[0].dim[i], three = shapes[1].dim[i];
        if (two == 1 && three == 1 && shapes[2].dim[i] == 1)
            used += (size_t)snprintf(text + used, size - used, "%s%d", used ? "," : "", i);
        *alone |= two != three && two - (three - two) == 1;
    }
    return p->status;
}

int mfm_expand_squeeze(mfm_importer *im, const Onnx__NodeProto *node)
{
    enum { TEXT = 64 };
    mfm_parts p = {.im = im, .node = node};
    char axes[TEXT], text[TEXT + sizeof "Squeeze axes="];
    bool alone;
    const int from = mfm_parts_input(&p, 0, MFM_DATA);
    if (p.status || find_axes(&p, from, axes, sizeof axes, &alone))
        return p.status;
    if (node->n_output != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have one output");
    if (alone && im->frozen_batch == 1)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "has no axes: leaves out the batch, too, which the file fixes at "
                               "one image: give it the axes that it should leave out (%s), or "
                               "export the model with an open batch",
                               axes[0] ? axes : "none");
    if (alone && im->frozen_batch < 1)
        mfm_warn(im->ctx,
                 "%s: Squeeze '%s': has no axes: the file leaves out the batch, too, where it is "
                 "one image; taken as axes %s: give it these in the file",
                 mfm_model_path(im->model),
                 node->name && node->name[0] ? node->name : node->output[0],
                 axes[0] ? axes : "none");
    snprintf(text, sizeof text, axes[0] ? "Squeeze axes=%s" : "Identity%s", axes);
    mfm_parts_output(&p, 0, mfm_parts_add(&p, text, from, MFM_NO_VALUE, MFM_NO_VALUE));
    return p.status;
}
