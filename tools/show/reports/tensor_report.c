#include "tools/show/reports/tensor_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/show/print_json.h"
#include "tools/show/text_table.h"

/* Tensors of a fate that are not the modulator's, and the numbers in them. */
static size_t count(const mfm_roles *roles, mfm_fate fate, uint64_t *numbers)
{
    size_t found = 0;
    *numbers = 0;
    for (size_t i = 0; i < roles->n_tensors; i++) {
        const mfm_tensor_role *t = &roles->tensors[i];
        if (t->fate != fate || t->injected)
            continue;
        found++;
        *numbers += t->numbers;
    }
    return found;
}

void mfm_tensor_report_print_counts(const mfm_roles *roles)
{
    static const mfm_fate fates[] = {MFM_FATE_FIXED, MFM_FATE_SETTING};
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        uint64_t numbers;
        const size_t tensors = count(roles, fates[i], &numbers);
        if (tensors)
            printf("%-12s %zu %s, with %" PRIu64 " %s: not trained, --tensors tells why\n",
                   mfm_fate_name(fates[i]), tensors, tensors == 1 ? "tensor" : "tensors", numbers,
                   numbers == 1 ? "number" : "numbers");
    }
}

static void add_shape(mfm_text_table *table, const mfm_tensor_role *t)
{
    char text[256];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < t->rank && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? "," : "",
                                 t->dims[i]);
    mfm_text_table_add(table, "[%s]", text);
}

int mfm_tensor_report_print(const mfm_roles *roles)
{
    static const char *const titles[] = {"tensor", "shape", "is", "read by", "why"};
    mfm_text_table table;
    mfm_text_table_init(&table, roles->ctx, "lllll");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        mfm_text_table_add(&table, "%s", titles[i]);
    for (size_t i = 0; i < roles->n_tensors; i++) {
        const mfm_tensor_role *t = &roles->tensors[i];
        mfm_text_table_add(&table, "%s", t->name);
        add_shape(&table, t);
        mfm_text_table_add(&table, "%s", mfm_fate_name(t->fate));
        if (t->n_readers > 1)
            mfm_text_table_add(&table, "%s %s and %zu more", t->op_type, t->reader,
                               t->n_readers - 1);
        else
            mfm_text_table_add(&table, "%s %s", t->op_type ? t->op_type : "-",
                               t->reader ? t->reader : "");
        mfm_text_table_add(&table, "%s", t->why);
    }
    printf("\n");
    return mfm_text_table_print(&table);
}

static json_t *tensor_to_json(const mfm_tensor_role *t)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer(t->dims[i]));
    return json_pack(
        "{s:o, s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:I}", "name", mfm_json_text(t->name), "shape",
        shape, "is", mfm_fate_name(t->fate), "why", t->why, "chosen", t->chosen, "modulator",
        t->injected, "operator", t->op_type ? mfm_json_text(t->op_type) : json_null(), "node",
        t->reader ? mfm_json_text(t->reader) : json_null(), "readers", (json_int_t)t->n_readers);
}

json_t *mfm_tensor_report_json(const mfm_roles *roles)
{
    json_t *array = json_array();
    for (size_t i = 0; i < roles->n_tensors; i++)
        json_array_append_new(array, tensor_to_json(&roles->tensors[i]));
    return array;
}
