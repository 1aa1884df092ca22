/* What the numbers of a tensor look like. */
#include "onnx/roles/roles.h"
#include "onnx/storage/tensor_data.h"

/* Fewer numbers than this are no mask: [0, x] is a bias that has hardly been trained. */
enum { LEAST_MASK = 4 };

/* The tensor's numbers, the caller's to free; NULL where it has too many axes. */
static int read_numbers(const mfm_roles *r, const mfm_tensor_role *role, real **numbers)
{
    mfm_shape shape;
    *numbers = NULL;
    if (role->tensor->n_dims > MFM_MAX_RANK)
        return MFM_OK;
    int status = mfm_tensor_shape(r->ctx, role->tensor, &shape);
    if (status)
        return status;
    *numbers = mfm_alloc_aligned(r->ctx, (size_t)role->numbers, sizeof **numbers);
    status = *numbers ? mfm_tensor_read(r->model, role->tensor, &shape, *numbers) : MFM_ENOMEM;
    if (status) {
        mfm_free_aligned(r->ctx, *numbers);
        *numbers = NULL;
    }
    return status;
}

int mfm_roles_look(const mfm_roles *roles, const mfm_tensor_role *role, mfm_tensor_look *look)
{
    const size_t count = (size_t)role->numbers;
    real *numbers, other = 0;
    size_t zeros = 0, others = 0;
    *look = (mfm_tensor_look){.mask = false};
    const int status = read_numbers(roles, role, &numbers);
    if (status || !numbers)
        return status;
    for (size_t i = 0; i < count; i++) {
        other = others == 0 ? numbers[i] : other;
        zeros += numbers[i] == 0;
        others += numbers[i] != 0 && numbers[i] == other;
    }
    look->first = count ? numbers[0] : 0;
    look->uniform = count && (zeros == count || others == count);
    look->mask = count >= LEAST_MASK && zeros > 0 && others > 0 && zeros + others == count;
    mfm_free_aligned(roles->ctx, numbers);
    return MFM_OK;
}
