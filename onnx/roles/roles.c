#include "onnx/roles/roles.h"

#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/surgery/inject_info.h"
#include "onnx/storage/tensor_data.h"

const char *mfm_fate_name(mfm_fate fate)
{
    static const char *const names[] = {[MFM_FATE_UNREAD] = "unread",
                                        [MFM_FATE_TRAINED] = "trained",
                                        [MFM_FATE_FIXED] = "fixed",
                                        [MFM_FATE_STATISTIC] = "statistic",
                                        [MFM_FATE_SETTING] = "setting"};
    return names[fate];
}

bool mfm_only_moves(const Onnx__NodeProto *node)
{
    static const char *const types[] = {"Cast",    "CastLike", "Concat",    "Expand",
                                        "Flatten", "Identity", "Reshape",   "Slice",
                                        "Split",   "Squeeze",  "Transpose", "Unsqueeze"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (mfm_proto_is(node, types[i]))
            return true;
    return false;
}

/* ---- the tensors ---------------------------------------------------------------------------- */

static int add_tensor(mfm_roles *r, const mfm_tensor_role *role)
{
    const int status = mfm_strmap_set(&r->map, role->name, r->n_tensors);
    if (!status)
        r->tensors[r->n_tensors++] = *role;
    return status;
}

static void describe(mfm_tensor_role *role, const Onnx__TensorProto *tensor)
{
    role->tensor = tensor;
    role->rank = tensor->n_dims;
    role->dims = tensor->dims;
    role->numbers = mfm_tensor_size(tensor);
}

/* The value of a Constant node, when it may be floating-point numbers. */
static int add_constant(mfm_roles *r, const Onnx__NodeProto *node)
{
    if (node->n_attribute != 1 || node->n_output != 1)
        return MFM_OK;
    const Onnx__AttributeProto *attr = node->attribute[0];
    const char *kind = mfm_proto_text(attr->name);
    mfm_tensor_role role = {
        .name = node->output[0], .constant = true, .inner = mfm_node_in_function(r->model, node)};
    if (strcmp(kind, "value") == 0 && attr->t && mfm_tensor_is_float(attr->t))
        describe(&role, attr->t);
    else if (strcmp(kind, "value_float") == 0)
        role.numbers = 1;
    else if (strcmp(kind, "value_floats") == 0)
        role.numbers = attr->n_floats;
    else
        return MFM_OK;
    return add_tensor(r, &role);
}

static int add_identity(mfm_roles *r, const Onnx__NodeProto *node)
{
    const mfm_tensor_role *from =
        node->n_input == 1 && node->n_output == 1 ? mfm_roles_find(r, node->input[0]) : NULL;
    if (!from || !from->tensor)
        return MFM_OK;
    mfm_tensor_role role = *from;
    role.name = node->output[0];
    return add_tensor(r, &role);
}

static int find_tensors(mfm_roles *r)
{
    const Onnx__GraphProto *graph = r->model->proto->graph;
    int status = MFM_OK;
    r->tensors = mfm_alloc(r->ctx, graph->n_initializer + graph->n_node, sizeof *r->tensors);
    if (!r->tensors)
        return MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_initializer && !status; i++) {
        const Onnx__TensorProto *tensor = graph->initializer[i];
        mfm_tensor_role role = {.name = mfm_proto_text(tensor->name)};
        describe(&role, tensor);
        if (mfm_tensor_is_float(tensor))
            status = add_tensor(r, &role);
    }
    for (size_t i = 0; i < graph->n_node && !status; i++)
        if (mfm_proto_is(graph->node[i], "Constant"))
            status = add_constant(r, graph->node[i]);
        else if (mfm_proto_is(graph->node[i], "Identity"))
            status = add_identity(r, graph->node[i]);
    return status;
}

const mfm_tensor_role *mfm_roles_find(const mfm_roles *roles, const char *name)
{
    size_t index;
    return mfm_strmap_get(&roles->map, name, &index) ? &roles->tensors[index] : NULL;
}

const mfm_tensor_role *mfm_roles_behind(const mfm_roles *roles, const char *name)
{
    for (;;) {
        const mfm_tensor_role *role = mfm_roles_find(roles, name);
        const mfm_link *value = role ? NULL : mfm_links_find(&roles->links, name);
        if (role || !value || value->producer == MFM_NOWHERE)
            return role;
        const Onnx__NodeProto *node = roles->model->proto->graph->node[value->producer];
        if (!value->constant || !mfm_only_moves(node) || node->n_input == 0)
            return NULL;
        name = node->input[0];
    }
}

/* ---- what becomes of each ------------------------------------------------------------------- */

/* Of what was injected the listed parameters are trained, and nothing else. */
static void decide_injected(mfm_roles *r, const mfm_inject_info *info)
{
    size_t index;
    for (size_t i = 0; i < info->n_initializers; i++)
        if (mfm_strmap_get(&r->map, info->initializers[i], &index)) {
            mfm_tensor_role *role = &r->tensors[index];
            role->injected = true;
            role->fate = MFM_FATE_FIXED;
            role->why = "part of the modulator";
        }
    for (size_t i = 0; i < info->n_parameters; i++)
        if (mfm_strmap_get(&r->map, info->parameters[i], &index) && r->tensors[index].injected) {
            r->tensors[index].fate = MFM_FATE_TRAINED;
            r->tensors[index].why = "weight of the modulator";
        }
}

static bool read(const mfm_tensor_use *use)
{
    return use->fate != MFM_FATE_UNREAD;
}

static void note_reader(const mfm_roles *r, mfm_tensor_role *role, const mfm_tensor_use *use)
{
    const Onnx__NodeProto *node = r->model->proto->graph->node[use->node];
    role->op_type = mfm_proto_text(node->op_type);
    role->reader = mfm_proto_title(node);
}

/* The fate of the tensor is that of its first use that has one. */
static void decide(const mfm_roles *r, mfm_tensor_role *role)
{
    const mfm_tensor_use *first = NULL, *last = NULL;
    role->divided = false;
    role->n_readers = 0;
    role->fate = MFM_FATE_UNREAD;
    role->why = "read by nothing";
    for (size_t i = 0; i < role->n_uses; i++) {
        const mfm_tensor_use *use = &role->uses[i];
        if (!read(use))
            continue;
        role->divided |= first && use->tie != first->tie;
        first = first ? first : use;
        role->n_readers += !last || last->node != use->node;
        last = use;
    }
    if (first) {
        note_reader(r, role, first);
        role->fate = first->fate;
        role->why = first->why;
    }
}

static int fill(mfm_roles *r, const mfm_role_choice *choice)
{
    mfm_inject_info *info = NULL;
    int status = mfm_links_make(r->model, &r->links);
    if (!status)
        status = find_tensors(r);
    if (!status)
        status = mfm_roles_find_uses(r);
    if (!status)
        status = mfm_inject_info_read(r->ctx, r->model, &info);
    for (size_t i = 0; i < r->n_tensors && !status; i++)
        decide(r, &r->tensors[i]);
    for (size_t i = 0; i < r->n_tensors; i++)
        r->tensors[i].rate = 1;
    if (!status && info)
        decide_injected(r, info);
    mfm_inject_info_free(r->ctx, info);
    if (status || !choice)
        return status;
    status = mfm_roles_choose(r, choice);
    for (size_t i = 0; i < r->n_tensors && !status; i++)
        if (r->tensors[i].chosen)
            decide(r, &r->tensors[i]);
    return status;
}

int mfm_roles_new(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                  mfm_roles **roles)
{
    mfm_roles *r = *roles = mfm_alloc(ctx, 1, sizeof *r);
    if (!r)
        return MFM_ENOMEM;
    *r = (mfm_roles){.ctx = ctx, .model = model, .links = {.model = model}};
    mfm_strmap_init(&r->map, ctx);
    mfm_strmap_init(&r->links.map, ctx);
    const int status = fill(r, choice);
    if (status) {
        mfm_roles_free(r);
        *roles = NULL;
    }
    return status;
}

void mfm_roles_free(mfm_roles *roles)
{
    if (!roles)
        return;
    mfm_links_clear(&roles->links);
    mfm_strmap_clear(&roles->map);
    mfm_free(roles->ctx, roles->tensors);
    mfm_free(roles->ctx, roles->uses);
    mfm_free(roles->ctx, roles);
}
