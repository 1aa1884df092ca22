#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../../../suite.h"
#include "../support/naive.h"
#include "core/engine/kernels/gemm/gemm.h"

enum { MARGIN = 3, UNTOUCHED = 77 };

typedef struct form {
    int64_t m, n, k;
    int transpose_a, transpose_b, add;
    double alpha;
    int64_t samples; /* 0: k runs over nobody's */
    int bias;
} form;

/* Sizes around those at which tiles, panels, blocks of k and copies begin and end. */
static const form forms[] = {
    {1, 1, 1, 0, 0, 0, 1, 0, 0},         {7, 5, 3, 0, 0, 1, 1, 0, 1},
    {13, 33, 300, 0, 0, 0, 1, 0, 1},     {23, 31, 257, 0, 1, 1, -0.5, 0, 0},
    {97, 100, 70, 0, 0, 0, 1, 0, 1},     {131, 67, 513, 0, 0, 1, 1, 0, 1},
    {203, 259, 256, 0, 1, 0, 1, 0, 1},   {107, 290, 300, 0, 1, 1, 2, 0, 0},
    {29, 300, 260, 1, 0, 0, 1, 0, 0},    {121, 48, 200, 1, 0, 1, 1, 0, 1},
    {150, 520, 530, 1, 0, 0, 1, 0, 1},   {109, 270, 520, 1, 1, 0, 0.25, 0, 0},
    {11, 9, 48, 1, 0, 0, 1, 16, 0},      {35, 300, 600, 1, 0, 1, 1, 3, 0},
    {230, 137, 592, 1, 0, 0, 1, 8, 0},   {230, 137, 680, 1, 0, 1, 3, 20, 0},
    {101, 100, 1600, 1, 0, 0, 1, 16, 0}, {101, 40, 900, 0, 0, 0, 1, 5, 0},
    {300, 17, 200, 1, 1, 0, 1, 8, 0},    {40, 37, 16, 1, 0, 0, 1, 16, 0},
    {397, 96, 1056, 1, 0, 0, 1, 8, 0},   {100, 80, 1300, 1, 0, 1, 1, 4, 0},
    {64, 600, 0, 0, 0, 1, 1, 0, 0}};

/* A product and what it reads; rows of all matrices are longer than they need to be. */
typedef struct product {
    mfm_gemm p;
    mfm_share share;
    real *a, *b, *bias, *c, *before;
    int64_t size; /* of c */
} product;

static real *reals(mfm_draws *draws, int64_t count)
{
    real *made = malloc((size_t)count * sizeof *made);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    mfm_draw_reals(draws, made, count);
    return made;
}

static void begin(mfm_draws *draws, const form *f, product *x)
{
    const int64_t lda = (f->transpose_a ? f->m : f->k) + MARGIN;
    const int64_t ldb = (f->transpose_b ? f->k : f->n) + MARGIN, ldc = f->n + MARGIN;
    x->size = f->m * ldc;
    x->a = reals(draws, (f->transpose_a ? f->k : f->m) * lda);
    /* Not one number more than its rows have: what is read beyond is an error to be found. */
    const int64_t rows_of_b = f->transpose_b ? f->n : f->k;
    x->b = reals(draws, rows_of_b ? rows_of_b * ldb - MARGIN : 0);
    x->bias = reals(draws, f->n);
    x->c = reals(draws, x->size);
    x->before = malloc((size_t)x->size * sizeof(real));
    CU_ASSERT_PTR_NOT_NULL_FATAL(x->before);
    for (int64_t i = 0; i < x->size; i++)
        x->c[i] = i % ldc < f->n ? x->c[i] : UNTOUCHED;
    memcpy(x->before, x->c, (size_t)x->size * sizeof(real));
    x->share = mfm_share_whole(f->samples);
    x->p = (mfm_gemm){.transpose_a = f->transpose_a,
                      .transpose_b = f->transpose_b,
                      .m = f->m,
                      .n = f->n,
                      .k = f->k,
                      .alpha = (real)f->alpha,
                      .a = x->a,
                      .lda = lda,
                      .b = x->b,
                      .ldb = ldb,
                      .add = f->add,
                      .c = x->c,
                      .ldc = ldc,
                      .bias = f->bias ? x->bias : NULL,
                      .share = f->samples ? &x->share : NULL};
}

static void end(product *x)
{
    free(x->a);
    free(x->b);
    free(x->bias);
    free(x->c);
    free(x->before);
}

static double expected(const product *x, int64_t i, int64_t j)
{
    const mfm_gemm *p = &x->p;
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++)
        sum += (double)p->a[p->transpose_a ? k * p->lda + i : i * p->lda + k] *
               (double)p->b[p->transpose_b ? j * p->ldb + k : k * p->ldb + j];
    sum *= (double)p->alpha;
    if (p->add)
        sum += (double)x->before[i * p->ldc + j];
    return p->bias ? sum + (double)p->bias[j] : sum;
}

static bool is_right(const product *x)
{
    const mfm_gemm *p = &x->p;
    const double most = (sizeof(real) == 4 ? 1e-6 : 1e-14) * (double)(p->k + 4);
    bool right = true;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->ldc; j++) {
            const double wanted = j < p->n ? expected(x, i, j) : UNTOUCHED;
            right = right && fabs((double)x->c[i * p->ldc + j] - wanted) <= most;
        }
    return right;
}

/* Whether rows [row, row + m) and columns [column, column + n) by themselves get the bits that they
 * have in the whole. */
static bool same_alone(const product *x, int64_t row, int64_t m, int64_t column, int64_t n)
{
    mfm_gemm p = x->p;
    real *c = malloc((size_t)(m * n) * sizeof *c);
    bool same = c != NULL;
    for (int64_t i = 0; i < m && same; i++)
        memcpy(c + i * n, x->before + (row + i) * p.ldc + column, (size_t)n * sizeof *c);
    p.m = m;
    p.n = n;
    p.a += p.transpose_a ? row : row * p.lda;
    p.b += p.transpose_b ? column * p.ldb : column;
    p.bias = p.bias ? p.bias + column : NULL;
    p.c = c;
    p.ldc = n;
    if (same)
        mfm_gemm_run(&p);
    for (int64_t i = 0; i < m && same; i++)
        same = memcmp(c + i * n, x->c + (row + i) * x->p.ldc + column, (size_t)n * sizeof *c) == 0;
    free(c);
    return same;
}

static void for_each_form(bool (*holds)(const product *x), int threads)
{
    mfm_draws draws = mfm_draws_new(1);
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        product x;
        begin(&draws, &forms[i], &x);
        mfm_gemm_run(&x.p);
        CU_ASSERT_TRUE(holds(&x));
        end(&x);
    }
    omp_set_num_threads(before);
}

static void test_values(void)
{
    for_each_form(is_right, 3);
}

static bool rows_stand_alone(const product *x)
{
    bool same = true;
    for (int64_t row = 0; row < x->p.m; row += 1 + x->p.m / 5)
        same = same && same_alone(x, row, 1, 0, x->p.n);
    return same && same_alone(x, x->p.m / 2, x->p.m - x->p.m / 2, 0, x->p.n);
}

static bool columns_stand_alone(const product *x)
{
    bool same = true;
    for (int64_t column = 0; column < x->p.n; column += 1 + x->p.n / 5)
        same = same && same_alone(x, 0, x->p.m, column, 1);
    return same && same_alone(x, 0, x->p.m, x->p.n / 3, x->p.n - x->p.n / 3);
}

static void test_rows(void)
{
    for_each_form(rows_stand_alone, 3);
}

static void test_columns(void)
{
    for_each_form(columns_stand_alone, 3);
}

static bool is_same_in_one_thread(const product *x)
{
    omp_set_num_threads(1);
    const bool same = same_alone(x, 0, x->p.m, 0, x->p.n);
    omp_set_num_threads(3);
    return same;
}

static void test_threads(void)
{
    for_each_form(is_same_in_one_thread, 3);
}

static const mfm_case cases[] = {
    {"every element is the sum, and nothing beside c is written", test_values},
    {"a row has the same bits by itself", test_rows},
    {"a column has the same bits by itself", test_columns},
    {"threads do not change a bit", test_threads},
};
MFM_SUITE("core/engine/gemm", cases)
