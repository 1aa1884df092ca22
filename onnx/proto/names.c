#include "onnx/proto/names.h"

#include "onnx/proto/strmap.h"
#include "onnx/proto/walk.h"

struct mfm_names {
    mfm_ctx *ctx;
    mfm_strmap map;
    char **texts;
    size_t count, capacity;
};

/* Takes over text, also when it fails. */
static int add_text(mfm_names *names, char *text)
{
    int status = text ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_grow(names->ctx, &names->texts, names->count, &names->capacity,
                          sizeof *names->texts);
    if (!status)
        status = mfm_strmap_set(&names->map, text, names->count);
    if (status) {
        mfm_free(names->ctx, text);
        return status;
    }
    names->texts[names->count++] = text;
    return MFM_OK;
}

static int add(mfm_names *names, const char *name)
{
    if (!name || !name[0] || mfm_strmap_get(&names->map, name, NULL))
        return MFM_OK;
    return add_text(names, mfm_strdup(names->ctx, name));
}

static int add_infos(mfm_names *names, Onnx__ValueInfoProto *const *infos, size_t count)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = add(names, infos[i]->name);
    return status;
}

static int visit_graph(void *self, Onnx__GraphProto *graph)
{
    int status = add_infos(self, graph->input, graph->n_input);
    if (!status)
        status = add_infos(self, graph->output, graph->n_output);
    return status ? status : add_infos(self, graph->value_info, graph->n_value_info);
}

static int visit_node(void *self, Onnx__NodeProto *node)
{
    int status = add(self, node->name);
    for (size_t i = 0; i < node->n_input && !status; i++)
        status = add(self, node->input[i]);
    for (size_t i = 0; i < node->n_output && !status; i++)
        status = add(self, node->output[i]);
    return status;
}

static int visit_tensor(void *self, Onnx__TensorProto *tensor)
{
    return add(self, tensor->name);
}

int mfm_names_new(const mfm_model *model, mfm_names **names)
{
    *names = mfm_alloc(model->ctx, 1, sizeof **names);
    if (!*names)
        return MFM_ENOMEM;
    (*names)->ctx = model->ctx;
    mfm_strmap_init(&(*names)->map, model->ctx);
    const mfm_visitor visitor = {visit_graph, visit_node, visit_tensor, *names};
    const int status = mfm_walk_model(model, &visitor);
    if (status) {
        mfm_names_free(*names);
        *names = NULL;
    }
    return status;
}

void mfm_names_free(mfm_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->count; i++)
        mfm_free(names->ctx, names->texts[i]);
    mfm_free(names->ctx, names->texts);
    mfm_strmap_clear(&names->map);
    mfm_free(names->ctx, names);
}

bool mfm_names_taken(const mfm_names *names, const char *name)
{
    return mfm_strmap_get(&names->map, name, NULL);
}

int mfm_names_unique(mfm_names *names, const char *base, const char **name)
{
    char *text = mfm_strdup(names->ctx, base);
    for (size_t i = 1; text && mfm_names_taken(names, text); i++) {
        mfm_free(names->ctx, text);
        text = mfm_format(names->ctx, "%s.%zu", base, i);
    }
    const int status = add_text(names, text);
    if (!status)
        *name = text;
    return status;
}
