/* Lanes that are NULL, unwanted, added to, shared or not to be read. */
#include <math.h>

#include "op_check.h"

enum { ALL_COMBINATIONS_UP_TO = 9 };

static int count_bits(uint32_t set)
{
    int count = 0;
    for (; set; set &= set - 1)
        count++;
    return count;
}

/* Bit k of `packed` goes to the place of the k-th member of `set`. */
static uint32_t spread(uint32_t packed, uint32_t set)
{
    uint32_t result = 0;
    for (int bit = 0; bit < MFM_SAMPLE_PORTS; bit++)
        if (set >> bit & 1) {
            result |= (packed & 1) << bit;
            packed >>= 1;
        }
    return result;
}

static void check_null_lanes(mfm_checker *checker)
{
    const uint32_t inputs = mfm_checker_inputs(checker);
    const uint32_t outputs = (1u << checker->sample->n_out) - 1;
    const int n_in = count_bits(inputs), n_out = count_bits(outputs);
    const int bits = n_in + 2 * n_out;
    const uint32_t all = 1u << bits, step = bits <= ALL_COMBINATIONS_UP_TO ? 1 : all / 509 | 1;
    for (uint32_t k = 1; k < all; k += step) {
        mfm_probe_run run = {.no_dx = spread(k, inputs),
                             .no_g = spread(k >> n_in, outputs),
                             .no_dg = spread(k >> (n_in + n_out), outputs)};
        mfm_checker_go(checker, &run, checker->a);
        run.zeros = true;
        mfm_checker_go(checker, &run, checker->b);
        mfm_checker_note(checker, MFM_CHECK_NULL,
                         mfm_checker_difference_all(checker, checker->a, checker->b, 0),
                         "NULL against zeros");
    }
}

static void check_unwanted(mfm_checker *checker)
{
    const uint32_t inputs = mfm_checker_inputs(checker);
    for (uint32_t k = 1; k + 1 < 1u << count_bits(inputs); k++) {
        const uint32_t set = spread(k, inputs);
        mfm_checker_go(checker, &(mfm_probe_run){.unwanted_g = set, .unwanted_dg = set},
                       checker->a);
        mfm_checker_note(checker, MFM_CHECK_UNWANTED,
                         mfm_checker_difference_all(checker, checker->a, checker->base, set),
                         "the others without some adjoints");
        mfm_checker_go(checker, &(mfm_probe_run){.unwanted_dg = set}, checker->a);
        mfm_checker_note(checker, MFM_CHECK_UNWANTED,
                         mfm_checker_difference(checker, checker->a, checker->base, MFM_DG, set),
                         "the others without some adjoints' tangents");
    }
}

/* Adds the start values to b where the run accumulates. */
static void add_starts(mfm_checker *checker, const mfm_probe_run *run)
{
    const mfm_probe *probe = &checker->probe;
    for (int t = 0; t < MFM_SAMPLE_PORTS; t++)
        for (int lane = MFM_G; lane <= MFM_DG; lane++) {
            const uint32_t set = lane == MFM_G ? run->accumulate_g : run->accumulate_dg;
            if (!mfm_probe_is_result(probe, t, (enum mfm_lane)lane) || !(set >> t & 1))
                continue;
            for (size_t i = 0; i < mfm_probe_count(probe, t); i++)
                checker->b[probe->offset[t][lane] + i] += probe->given[t][lane][i];
        }
}

static void check_accumulating(mfm_checker *checker, const mfm_probe_run *run)
{
    mfm_probe_run overwriting = *run;
    overwriting.accumulate_g = overwriting.accumulate_dg = 0;
    overwriting.zeros = true;
    mfm_checker_go(checker, &overwriting, checker->b);
    add_starts(checker, run);
    mfm_checker_go(checker, run, checker->a);
    mfm_checker_note(checker, MFM_CHECK_ADD,
                     mfm_checker_difference(checker, checker->a, checker->b, MFM_DG, 0),
                     "vjp_t added");
    if (run->no_g)
        return; /* vjp has nothing to do */
    mfm_checker_note(checker, MFM_CHECK_ADD,
                     mfm_checker_difference(checker, checker->a, checker->b, MFM_G, 0),
                     "vjp added");
}

static void check_accumulate(mfm_checker *checker)
{
    const uint32_t inputs = mfm_checker_inputs(checker);
    for (int i = 0; i < checker->sample->n_in; i++)
        if (inputs >> i & 1)
            check_accumulating(checker, &(mfm_probe_run){.accumulate_g = 1u << i,
                                                         .accumulate_dg = inputs & ~(1u << i)});
    mfm_probe_run run = {.accumulate_g = inputs, .accumulate_dg = inputs};
    check_accumulating(checker, &run);
    run.no_g = UINT32_MAX;
    check_accumulating(checker, &run);
    run.no_g = 0;
    run.no_dg = UINT32_MAX;
    if (!checker->sample->op->linear)
        check_accumulating(checker, &run);
}

static bool can_tie(const mfm_checker *checker, int i, int j)
{
    const mfm_sample_input *a = &checker->sample->in[i], *b = &checker->sample->in[j];
    return mfm_sample_differentiates(checker->sample, i) &&
           mfm_sample_differentiates(checker->sample, j) && a->positive == b->positive &&
           mfm_shape_equal(&a->shape, &b->shape);
}

/* a_i against b_i + b_j, relative to the parts: their sum may cancel, as for x / x. */
static double sum_error(const mfm_checker *checker, int i, int j, enum mfm_lane lane)
{
    const mfm_probe *probe = &checker->probe;
    const real *sum = checker->a + probe->offset[i][lane];
    const real *first = checker->b + probe->offset[i][lane];
    const real *second = checker->b + probe->offset[j][lane];
    double worst = 0, largest = 1e-3;
    for (size_t k = 0; k < mfm_probe_count(probe, i); k++) {
        const double error = fabs((double)sum[k] - ((double)first[k] + (double)second[k]));
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
        largest = fmax(largest, fmax(fabs((double)first[k]), fabs((double)second[k])));
    }
    return worst / largest;
}

/* Separate tensors of the same numbers first; then one tensor, which must get the sum. */
static void check_tie(mfm_checker *checker, int i, int j)
{
    static const char *const detail = "one tensor against two with the same numbers";
    mfm_probe_run run = {.tie_from = i, .tie_to = j};
    mfm_checker_go(checker, &run, checker->b);
    run.tie_same = true;
    mfm_checker_go(checker, &run, checker->a);
    mfm_checker_note(checker, MFM_CHECK_TIED,
                     mfm_checker_difference_all(checker, checker->a, checker->b, 1u << i | 1u << j),
                     detail);
    for (int lane = MFM_G; lane <= MFM_DG; lane++)
        mfm_checker_note(checker, MFM_CHECK_TIED, sum_error(checker, i, j, (enum mfm_lane)lane),
                         detail);
}

static void check_tied(mfm_checker *checker)
{
    for (int i = 0; i < checker->sample->n_in; i++)
        for (int j = i + 1; j < checker->sample->n_in; j++)
            if (can_tie(checker, i, j))
                check_tie(checker, i, j);
}

void mfm_check_lanes(mfm_checker *checker)
{
    check_null_lanes(checker);
    check_unwanted(checker);
    check_accumulate(checker);
    check_tied(checker);
    mfm_checker_go(checker, &(mfm_probe_run){.poison = true}, checker->a);
    mfm_checker_note(checker, MFM_CHECK_READS,
                     mfm_checker_difference_all(checker, checker->a, checker->base, 0),
                     "with NaN in the lanes that it does not read");
    mfm_checker_go(checker, &(mfm_probe_run){.jvp_last = true}, checker->a);
    mfm_checker_note(checker, MFM_CHECK_ORDER,
                     mfm_checker_difference_all(checker, checker->a, checker->base, 0),
                     "vjp before jvp");
}
