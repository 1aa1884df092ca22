#include "op_check.h"

#include <math.h>

typedef struct check_entry {
    const char *name;
    double limit_double, limit_float;
} check_entry;

/* Limits are relative errors. Where both sides are the same sums in another order, a few roundings;
 * for differences at a step of 1e-5 the step's own error, about 1e-9. */
static const check_entry entries[MFM_CHECKS] = {
    [MFM_CHECK_SAMPLES] = {"samples", 0, 0},
    [MFM_CHECK_WRITES] = {"writes", 0, 0},
    [MFM_CHECK_ADJOINT] = {"adjoint", 1e-12, 1e-5},
    [MFM_CHECK_JVP] = {"jvp", 1e-7, INFINITY},
    [MFM_CHECK_VJP_T] = {"vjp_t", 1e-7, INFINITY},
    [MFM_CHECK_SYMMETRY] = {"symmetry", 1e-12, 1e-5},
    [MFM_CHECK_LINEARITY] = {"linearity", 1e-12, 1e-5},
    [MFM_CHECK_NULL] = {"null lanes", 1e-12, 1e-5},
    [MFM_CHECK_UNWANTED] = {"unwanted", 1e-12, 1e-5},
    [MFM_CHECK_ADD] = {"accumulate", 1e-12, 1e-5},
    [MFM_CHECK_TIED] = {"tied", 1e-12, 1e-5},
    [MFM_CHECK_READS] = {"reads", 0, 0},
    [MFM_CHECK_ORDER] = {"order", 0, 0},
    [MFM_CHECK_UPDATE] = {"update", 0, 0},
    [MFM_CHECK_RESTORE] = {"restore", 0, 0},
    [MFM_CHECK_LAYOUTS] = {"layouts", 1e-12, 1e-5},
    [MFM_CHECK_ALONG] = {"along", 1e-12, 1e-5},
    [MFM_CHECK_THREADS] = {"threads", 0, 0},
    [MFM_CHECK_RANKS] = {"ranks", 0, 0},
    [MFM_CHECK_MEMORY] = {"memory", 0, 0},
    [MFM_CHECK_PLAN] = {"plan", 1e-12, 1e-5},
    [MFM_CHECK_FROZEN] = {"frozen", 1e-12, 1e-5},
};

const char *mfm_check_name(enum mfm_check check)
{
    return entries[check].name;
}

double mfm_check_limit(enum mfm_check check)
{
    return sizeof(real) == sizeof(double) ? entries[check].limit_double
                                          : entries[check].limit_float;
}

void mfm_op_report_init(mfm_op_report *report, FILE *out)
{
    *report = (mfm_op_report){.out = out};
    for (int i = 0; i < MFM_CHECKS; i++)
        report->worst[i] = -1;
}

static void note(mfm_op_report *report, const mfm_op *op, const char *sample, enum mfm_check check,
                 double error, const char *detail)
{
    const bool good = error <= mfm_check_limit(check);
    if (isnan(error) || error > report->worst[check])
        report->worst[check] = error;
    if (good)
        return;
    report->failures++;
    report->failed[check]++;
    if (report->out)
        fprintf(report->out, "%s \"%s\": %s: %s: error %.3g, at most %.3g\n", op->name, sample,
                entries[check].name, detail, error, mfm_check_limit(check));
}

void mfm_checker_note(mfm_checker *checker, enum mfm_check check, double error, const char *detail)
{
    note(checker->report, checker->sample->op, checker->sample->text, check, error, detail);
}

void mfm_checker_go(mfm_checker *checker, const mfm_probe_run *run, real *results)
{
    const char *fault = mfm_probe_go(&checker->probe, run, results);
    if (fault)
        mfm_checker_note(checker, MFM_CHECK_WRITES, INFINITY, fault);
}

uint32_t mfm_checker_inputs(const mfm_checker *checker)
{
    uint32_t set = 0;
    for (int i = 0; i < checker->sample->n_in; i++)
        if (mfm_sample_differentiates(checker->sample, i))
            set |= 1u << i;
    return set;
}

double mfm_checker_difference(const mfm_checker *checker, const real *a, const real *b,
                              enum mfm_lane lane, uint32_t skip)
{
    const mfm_probe *probe = &checker->probe;
    double largest = 0, worst = 0;
    for (int t = 0; t < MFM_PROBE_TENSORS; t++) {
        if (!mfm_probe_is_result(probe, t, lane) || (t < MFM_SAMPLE_PORTS && (skip >> t & 1)))
            continue;
        const size_t start = probe->offset[t][lane], count = mfm_probe_count(probe, t);
        for (size_t i = start; i < start + count; i++) {
            const double error = fabs((double)a[i] - (double)b[i]);
            worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
            largest = fmax(largest, fabs((double)b[i]));
        }
    }
    return worst == 0 ? 0 : worst / fmax(largest, 1e-3);
}

double mfm_checker_difference_all(const mfm_checker *checker, const real *a, const real *b,
                                  uint32_t skip)
{
    double worst = 0;
    for (int lane = 0; lane < MFM_LANES; lane++) {
        const double error =
            mfm_checker_difference(checker, a, b, (enum mfm_lane)lane, lane < MFM_G ? 0 : skip);
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
    }
    return worst;
}

/* Two plain runs over different garbage agree to the bit, and hold no NaN. */
static void check_writes(mfm_checker *checker)
{
    static const char *const names[] = {
        "forward: other results over other garbage", "jvp: other results over other garbage",
        "vjp: other results over other garbage", "vjp_t: other results over other garbage"};
    mfm_checker_go(checker, &(mfm_probe_run){0}, checker->base);
    mfm_checker_go(checker, &(mfm_probe_run){.prefill = 1e9}, checker->a);
    for (int lane = 0; lane < MFM_LANES; lane++)
        mfm_checker_note(
            checker, MFM_CHECK_WRITES,
            mfm_checker_difference(checker, checker->base, checker->a, (enum mfm_lane)lane, 0),
            names[lane]);
}

/* An operator that runs forward alone. */
static int check_forward(mfm_checker *checker)
{
    mfm_checker_go(checker, &(mfm_probe_run){0}, checker->base);
    mfm_checker_go(checker, &(mfm_probe_run){.prefill = 1e9}, checker->a);
    mfm_checker_note(checker, MFM_CHECK_WRITES,
                     mfm_checker_difference(checker, checker->base, checker->a, MFM_X, 0),
                     "forward: other results over other garbage");
    mfm_check_memory(checker);
    return mfm_check_frozen(checker);
}

static int check_on_probe(mfm_checker *checker)
{
    const size_t room = checker->probe.n_results;
    checker->base = mfm_alloc(checker->ctx, room, sizeof(real));
    checker->a = mfm_alloc(checker->ctx, room, sizeof(real));
    checker->b = mfm_alloc(checker->ctx, room, sizeof(real));
    if (!checker->base || !checker->a || !checker->b)
        return MFM_ENOMEM;
    if (checker->sample->op->frozen)
        return check_forward(checker);
    check_writes(checker);
    mfm_check_derivatives(checker);
    mfm_check_lanes(checker);
    mfm_check_update(checker);
    mfm_check_restore(checker);
    mfm_check_memory(checker);
    int status = mfm_check_layouts(checker);
    if (!status)
        status = mfm_check_along(checker);
    if (!status)
        status = mfm_check_shares(checker);
    if (!status)
        status = mfm_check_plan(checker);
    return status ? status : mfm_check_frozen(checker);
}

static int check_sample(mfm_checker *checker)
{
    int status = mfm_probe_init(checker->ctx, checker->sample, checker->seed, 0, &checker->probe);
    if (status) {
        mfm_checker_note(checker, MFM_CHECK_SAMPLES, INFINITY, mfm_message(checker->ctx));
        return status == MFM_ENOMEM ? status : MFM_OK;
    }
    mfm_checker_note(checker, MFM_CHECK_SAMPLES, 0, "");
    status = check_on_probe(checker);
    mfm_free(checker->ctx, checker->base);
    mfm_free(checker->ctx, checker->a);
    mfm_free(checker->ctx, checker->b);
    mfm_probe_clear(&checker->probe);
    return status;
}

int mfm_op_check(mfm_ctx *ctx, const mfm_op *op, uint64_t seed, mfm_op_report *report)
{
    int status = MFM_OK;
    for (const char *const *text = op->samples; text && *text && !status; text++) {
        mfm_sample sample;
        report->samples++;
        status = mfm_sample_parse(ctx, op, *text, &sample);
        if (status) {
            note(report, op, *text, MFM_CHECK_SAMPLES, INFINITY, mfm_message(ctx));
            status = status == MFM_ENOMEM ? status : MFM_OK;
            continue;
        }
        mfm_checker checker = {.ctx = ctx, .sample = &sample, .seed = seed, .report = report};
        status = check_sample(&checker);
        mfm_sample_clear(ctx, &sample);
    }
    if (!report->samples)
        note(report, op, "", MFM_CHECK_SAMPLES, INFINITY, "the operator has no samples");
    return status;
}
