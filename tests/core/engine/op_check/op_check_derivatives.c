/* The derivative passes against each other and, in double, against central differences. */
#include <math.h>

#include "op_check.h"

static const double STEP = 1e-5;

typedef struct inner_product {
    double sum, magnitude;
} inner_product;

static void add_products(inner_product *p, const real *a, const real *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double term = (double)a[i] * (double)b[i];
        p->sum += term;
        p->magnitude += fabs(term);
    }
}

/* <results of a lane, directions>: for inputs x' (or the other x'), for outputs y'. */
static inner_product against_given(const mfm_checker *checker, const real *results,
                                   enum mfm_lane lane, bool other)
{
    const mfm_probe *probe = &checker->probe;
    inner_product p = {0, 0};
    for (int t = 0; t < MFM_PROBE_TENSORS; t++) {
        if (!mfm_probe_is_result(probe, t, lane))
            continue;
        const real *directions = t >= MFM_SAMPLE_PORTS ? probe->given[t][MFM_G]
                                 : other               ? probe->other_dx[t]
                                                       : probe->given[t][MFM_DX];
        add_products(&p, results + probe->offset[t][lane], directions, mfm_probe_count(probe, t));
    }
    return p;
}

static double disagreement(inner_product p, inner_product q)
{
    const double error = fabs(p.sum - q.sum);
    return error == 0 ? 0 : error / (p.magnitude + q.magnitude);
}

static void check_adjoint(mfm_checker *checker)
{
    const inner_product forward = against_given(checker, checker->base, MFM_DX, false);
    const inner_product backward = against_given(checker, checker->base, MFM_G, false);
    mfm_checker_note(checker, MFM_CHECK_ADJOINT, disagreement(forward, backward),
                     "<y', J x'> against <J^T y', x'>");
}

static void check_symmetry(mfm_checker *checker)
{
    mfm_checker_go(checker, &(mfm_probe_run){.no_dg = UINT32_MAX}, checker->a);
    mfm_checker_go(checker, &(mfm_probe_run){.no_dg = UINT32_MAX, .swapped = true}, checker->b);
    mfm_checker_note(checker, MFM_CHECK_SYMMETRY,
                     disagreement(against_given(checker, checker->a, MFM_DG, true),
                                  against_given(checker, checker->b, MFM_DG, false)),
                     "u^T H v against v^T H u");
}

static void check_linearity(mfm_checker *checker)
{
    mfm_checker_go(checker, &(mfm_probe_run){.scale = 2}, checker->a);
    for (size_t i = 0; i < checker->probe.n_results; i++)
        checker->b[i] = 2 * checker->base[i];
    mfm_checker_note(checker, MFM_CHECK_LINEARITY,
                     mfm_checker_difference(checker, checker->a, checker->b, MFM_DX, 0),
                     "jvp along 2 x'");
    mfm_checker_note(checker, MFM_CHECK_LINEARITY,
                     mfm_checker_difference(checker, checker->a, checker->b, MFM_DG, 0),
                     "vjp_t along 2 x', 2 y'");
}

/* The difference quotient of results `from` against the plain results `to`. */
static double quotient_error(const mfm_checker *checker, enum mfm_lane from, enum mfm_lane to)
{
    const mfm_probe *probe = &checker->probe;
    double worst = 0, largest = 0;
    for (int t = 0; t < MFM_PROBE_TENSORS; t++) {
        if (!mfm_probe_is_result(probe, t, from))
            continue;
        for (size_t i = 0; i < mfm_probe_count(probe, t); i++) {
            const size_t at = probe->offset[t][from] + i;
            const double slope = ((double)checker->a[at] - (double)checker->b[at]) / (2 * STEP);
            const double exact = (double)checker->base[probe->offset[t][to] + i];
            const double error = fabs(slope - exact);
            worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
            largest = fmax(largest, fabs(exact));
        }
    }
    return worst == 0 ? 0 : worst / fmax(largest, 1e-2);
}

static void check_differences(mfm_checker *checker)
{
    mfm_checker_go(checker, &(mfm_probe_run){.shift = STEP}, checker->a);
    mfm_checker_go(checker, &(mfm_probe_run){.shift = -STEP}, checker->b);
    mfm_checker_note(checker, MFM_CHECK_JVP, quotient_error(checker, MFM_X, MFM_DX),
                     "against differences of forward");
    mfm_checker_note(checker, MFM_CHECK_VJP_T, quotient_error(checker, MFM_G, MFM_DG),
                     "against differences of vjp");
}

void mfm_check_derivatives(mfm_checker *checker)
{
    check_adjoint(checker);
    check_symmetry(checker);
    check_linearity(checker);
    if (sizeof(real) == sizeof(double))
        check_differences(checker);
}
