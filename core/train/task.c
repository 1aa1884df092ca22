#include "core/train/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int mfm_task_init(mfm_ctx *ctx, mfm_task *task, int64_t classes, const uint32_t *counts,
                  int n_counts, uint64_t seed)
{
    *task = (mfm_task){.classes = classes, .seed = seed};
    if (classes < n_counts)
        return mfm_fail(ctx, MFM_EINVAL, "task: %lld classes: the images have %d",
                        (long long)classes, n_counts);
    task->images_per_class = mfm_alloc(ctx, (size_t)classes, sizeof *task->images_per_class);
    if (!task->images_per_class)
        return MFM_ENOMEM;
    for (int c = 0; c < n_counts; c++) {
        task->images_per_class[c] = counts[c];
        task->samples += counts[c];
    }
    if (task->samples)
        return MFM_OK;
    mfm_task_clear(ctx, task);
    return mfm_fail(ctx, MFM_EINVAL, "task: no training images: they are needed");
}

int mfm_task_of_split(mfm_ctx *ctx, mfm_task *task, int64_t classes, const mfm_split *split,
                      uint64_t seed)
{
    const int status =
        mfm_task_init(ctx, task, classes, split->train_per_class, split->classes, seed);
    if (status)
        return status;
    task->indices = mfm_alloc(ctx, split->train_count, sizeof *task->indices);
    if (!task->indices) {
        mfm_task_clear(ctx, task);
        return MFM_ENOMEM;
    }
    memcpy(task->indices, split->train, split->train_count * sizeof *task->indices);
    return MFM_OK;
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t mfm_task_row(const mfm_task *task, uint32_t index)
{
    if (!task->indices)
        return index;
    const uint32_t *at =
        bsearch(&index, task->indices, task->samples, sizeof *task->indices, ascending);
    assert(at);
    return (uint32_t)(at - task->indices);
}

void mfm_task_clear(mfm_ctx *ctx, mfm_task *task)
{
    mfm_free(ctx, task->images_per_class);
    mfm_free(ctx, task->indices);
    *task = (mfm_task){.classes = 0};
}

double mfm_task_count(const mfm_task *task, int64_t class_number)
{
    const uint32_t count = task->images_per_class[class_number];
    return count ? count : 1;
}

double mfm_task_largest(const mfm_task *task)
{
    double largest = 1;
    for (int64_t c = 0; c < task->classes; c++)
        largest = mfm_task_count(task, c) > largest ? mfm_task_count(task, c) : largest;
    return largest;
}

double mfm_task_smallest(const mfm_task *task)
{
    double smallest = mfm_task_largest(task);
    for (int64_t c = 0; c < task->classes; c++)
        smallest = mfm_task_count(task, c) < smallest ? mfm_task_count(task, c) : smallest;
    return smallest;
}
