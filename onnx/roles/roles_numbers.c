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

/* Whether numbers [out, in, places...], with as many outputs as inputs and places, several of the
 * latter, are a permutation: a single 1 in each row and column. */
static bool is_move(const mfm_tensor_role *role, const real *numbers)
{
    const size_t rows = role->rank > 2 ? (size_t)role->dims[0] : 0;
    if (rows == 0 || rows == (size_t)role->dims[1] || role->numbers != rows * rows)
        return false;
    for (size_t i = 0; i < rows; i++) {
        size_t across = 0, down = 0;
        for (size_t k = 0; k < rows; k++) {
            across += numbers[i * rows + k] == 1;
            down += numbers[k * rows + i] == 1;
        }
        if (across != 1 || down != 1)
            return false;
    }
    return true;
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
    look->moves = look->mask && other == 1 && is_move(role, numbers);
    mfm_free_aligned(roles->ctx, numbers);
    return MFM_OK;
}
