/* Copies of tensors that stand in several roles. */
#include "onnx/functions/flat.h"
#include "onnx/proto/names.h"
#include "onnx/roles/roles.h"
#include "onnx/storage/tensor_data.h"

typedef struct untier {
    mfm_model *model;
    const mfm_flat *flat; /* that the roles are of */
    mfm_names *names;
    size_t copies;
} untier;

static bool is_read(const mfm_tensor_use *use)
{
    return use->fate != MFM_FATE_UNREAD;
}

/* The tie that keeps the tensor: what stays as it is, else the first use. */
static uint64_t keeper_of(const mfm_tensor_role *role)
{
    const mfm_tensor_use *first = NULL;
    for (size_t i = 0; i < role->n_uses; i++) {
        if (!is_read(&role->uses[i]))
            continue;
        if (role->uses[i].tie == 0)
            return 0;
        first = first ? first : &role->uses[i];
    }
    return first ? first->tie : 0;
}

/* Whether an earlier use has the tie of use `at`. */
static bool is_repeated(const mfm_tensor_role *role, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_read(&role->uses[i]) && role->uses[i].tie == role->uses[at].tie)
            return true;
    return false;
}

/* A copy of the tensor for all uses with the tie of use `at`. */
static int copy_for(untier *u, const mfm_tensor_role *role, size_t at)
{
    const char *name;
    int status = mfm_names_unique(u->names, role->name, &name);
    Onnx__TensorProto *copy = status ? NULL : mfm_tensor_like(u->model, role->tensor, name);
    if (!copy)
        return status ? status : mfm_code(u->model->ctx);
    status = mfm_proto_add_initializer(u->model, copy);
    if (status) {
        mfm_proto_discard(u->model, copy);
        return status;
    }
    u->copies++;
    for (size_t i = at; i < role->n_uses && !status; i++) {
        const mfm_tensor_use *use = &role->uses[i];
        if (is_read(use) && use->tie == role->uses[at].tie)
            status = mfm_proto_set_string(
                u->model, &mfm_flat_source(u->flat, use->node)->input[use->input], name);
    }
    return status;
}

/* Whether all its uses are in the graph itself: what a function reads its call hands on, and import
 * says so. */
static bool is_ours(const untier *u, const mfm_tensor_role *role)
{
    for (size_t i = 0; i < role->n_uses; i++)
        if (mfm_flat_origin(u->flat, role->uses[i].node) < 0)
            return false;
    return true;
}

static int untie_tensor(untier *u, const mfm_tensor_role *role)
{
    const uint64_t keeper = keeper_of(role);
    int status = MFM_OK;
    for (size_t i = 0; i < role->n_uses && !status; i++)
        if (is_read(&role->uses[i]) && role->uses[i].tie != keeper && !is_repeated(role, i))
            status = copy_for(u, role, i);
    return status;
}

int mfm_model_untie(mfm_ctx *ctx, mfm_model *model, size_t *copies)
{
    mfm_flat *flat;
    mfm_roles *roles = NULL;
    int status = mfm_flat_new(ctx, model, &flat);
    untier u = {.model = model, .flat = flat};
    if (!status)
        status = mfm_roles_new(ctx, mfm_flat_model(flat), NULL, &roles);
    for (size_t i = 0; !status && i < roles->n_tensors; i++) {
        const mfm_tensor_role *role = &roles->tensors[i];
        if (!role->divided || role->injected || !role->tensor || !is_ours(&u, role))
            continue;
        if (!u.names)
            status = mfm_names_new(model, &u.names);
        if (!status)
            status = untie_tensor(&u, role);
    }
    if (copies)
        *copies = u.copies;
    mfm_names_free(u.names);
    mfm_roles_free(roles);
    mfm_flat_free(flat);
    return status;
}
