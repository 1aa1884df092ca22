#include "tools/options/groups/prior_option.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/commands/command.h"
#include "tools/files.h"

/* "WORD:F" with F a number from 1 up. */
static bool has_imbalance(const char *text, const char *word, double *imbalance)
{
    const size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || text[length] != ':')
        return false;
    char *end;
    *imbalance = strtod(text + length + 1, &end);
    return text[length + 1] >= '0' && text[length + 1] <= '9' && !*end && *imbalance >= 1 &&
           *imbalance <= 1e9;
}

/* The next word of the file behind blanks and comments; "" at the end. */
static char *skip_blanks(char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n,");
        if (*at != '#')
            return at;
        at += strcspn(at, "\n");
    }
}

static int read_weights(mfm_ctx *ctx, const char *path, int classes, double *weights)
{
    char *text, *end;
    size_t size;
    int status = mfm_read_file(ctx, path, &text, &size), count = 0;
    if (status)
        return status;
    double sum = 0;
    for (char *at = skip_blanks(text); *at && !status; at = skip_blanks(end), count++) {
        const double weight = strtod(at, &end);
        if (end == at || !isfinite(weight) || weight < 0 || strlen(text) != size)
            status = mfm_fail(ctx, MFM_EDATA,
                              "--test-prior: %s: number %d: %.20s: expected a number, 0 or more",
                              path, count + 1, at);
        else if (count < classes)
            sum += weights[count] = weight;
    }
    if (!status && (count != classes || !(sum > 0)))
        status =
            mfm_fail(ctx, MFM_EDATA,
                     "--test-prior: %s: %d number%s, of which %s above 0: expected one for "
                     "each of %d classes",
                     path, count, count == 1 ? "" : "s", sum > 0 ? "some are" : "none is", classes);
    mfm_free(ctx, text);
    return status;
}

static int draw_by_file(mfm_ctx *ctx, const char *path, mfm_prior_options *options,
                        const mfm_dataset *dataset, mfm_test_prior **prior)
{
    struct stat there;
    if (stat(path, &there))
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--test-prior: %.80s: expected uniform, test1, test2, forward:F or "
                        "backward:F with F from 1 up, or a file of one number a class",
                        path);
    double *weights = mfm_alloc(ctx, (size_t)dataset->classes, sizeof *weights);
    int status = weights ? read_weights(ctx, path, dataset->classes, weights) : MFM_ENOMEM;
    options->kind = MFM_PRIOR_WEIGHTS;
    options->weights = weights;
    if (!status)
        status = mfm_test_prior_new(ctx, dataset, options, prior);
    mfm_free(ctx, weights);
    return status;
}

int mfm_prior_option_draw(mfm_ctx *ctx, const char *text, uint64_t seed, const mfm_dataset *dataset,
                          mfm_test_prior **prior)
{
    static const char *const words[] = {
        [MFM_PRIOR_UNIFORM] = "uniform", [MFM_PRIOR_TEST1] = "test1", [MFM_PRIOR_TEST2] = "test2"};
    mfm_prior_options options = {.seed = seed};
    *prior = NULL;
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++)
        if (strcmp(text, words[i]) == 0) {
            options.kind = (enum mfm_prior_kind)i;
            return mfm_test_prior_new(ctx, dataset, &options, prior);
        }
    options.kind = MFM_PRIOR_FORWARD;
    if (has_imbalance(text, "forward", &options.imbalance))
        return mfm_test_prior_new(ctx, dataset, &options, prior);
    options.kind = MFM_PRIOR_BACKWARD;
    if (has_imbalance(text, "backward", &options.imbalance))
        return mfm_test_prior_new(ctx, dataset, &options, prior);
    return draw_by_file(ctx, text, &options, dataset, prior);
}
