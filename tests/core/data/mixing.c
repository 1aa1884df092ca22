/* Mixing by hand: pairs whose shares are known. */
#include "core/data/mixing/mixing.h"

#include <math.h>
#include <string.h>

#include "tests/core/data/support.h"

enum { N = 4, SIDE = 5, CHANNELS = 2, SIZE = SIDE * SIDE * CHANNELS, CLASSES = 3 };

static const uint32_t counts[CLASSES] = {90, 30, 10};

/* Image i holds the number 10 i everywhere; labels 0, 1, 2, 0; each is mixed with the next. */
typedef struct bench {
    real before[N * SIZE], images[N * SIZE], soft[N * CLASSES];
    mfm_mix mix;
} bench;

static const real labels[N] = {0, 1, 2, 0};
static const uint32_t other[N] = {1, 2, 3, 0};

static void bench_init(bench *b, uint64_t step)
{
    memset(b, 0, sizeof *b);
    for (int i = 0; i < N * SIZE; i++)
        b->before[i] = b->images[i] = (real)(10 * (i / SIZE));
    b->mix = (mfm_mix){.n = N,
                       .classes = CLASSES,
                       .height = SIDE,
                       .width = SIDE,
                       .channels = CHANNELS,
                       .before = b->before,
                       .labels = labels,
                       .other = other,
                       .counts = counts,
                       .key = {.seed = 3, .stream = MFM_STREAM_TEST, .step = step},
                       .images = b->images,
                       .soft_labels = b->soft};
}

static void mix(bench *b, const char *name)
{
    const mfm_mixing *mixing = mfm_mixing_find(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mixing);
    mixing->mix(&b->mix, mixing->settings[0]->defaults);
}

/* Image 0 is lambda 0 + (1 - lambda) 10: it tells lambda. */
static double lambda_of(const bench *b)
{
    return 1 - (double)b->images[0] / 10;
}

static void expect_row(const bench *b, int i, double share)
{
    double row[CLASSES] = {0};
    row[(int)labels[i]] += share;
    row[(int)labels[other[i]]] += 1 - share;
    for (int c = 0; c < CLASSES; c++)
        CU_ASSERT_DOUBLE_EQUAL(b->soft[i * CLASSES + c], row[c], 1e-5);
}

static void mixup_mixes_images_and_labels_in_one_proportion(void)
{
    static bench b;
    double least = 1, most = 0;
    for (uint64_t step = 0; step < 50; step++) {
        bench_init(&b, step);
        mix(&b, "mixup");
        const double lambda = lambda_of(&b);
        least = fmin(least, lambda);
        most = fmax(most, lambda);
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < SIZE; k++)
                CU_ASSERT_DOUBLE_EQUAL(b.images[i * SIZE + k],
                                       10 * (lambda * i + (1 - lambda) * other[i]), 1e-4);
            expect_row(&b, i, lambda);
        }
    }
    CU_ASSERT(least >= 0 && least < 0.1 && most > 0.9 && most <= 1); /* Beta(1, 1): uniform */
}

/* kappa 3, tau 0.5: 90 to 30 is three times, so class 1 takes all of a pair with class 0 where the
 * image of class 0 has less than half; likewise 30 to 10 and 90 to 10. */
static void remix_gives_labels_to_the_rarer_class(void)
{
    static bench b;
    int less = 0;
    for (uint64_t step = 0; step < 50; step++) {
        bench_init(&b, step);
        mix(&b, "remix");
        const double lambda = lambda_of(&b);
        less += lambda < 0.5;
        expect_row(&b, 0, lambda < 0.5 ? 0 : lambda);     /* 90 with 30 */
        expect_row(&b, 1, lambda < 0.5 ? 0 : lambda);     /* 30 with 10 */
        expect_row(&b, 2, 1 - lambda < 0.5 ? 1 : lambda); /* 10 with 90 */
        expect_row(&b, 3, lambda);                        /* 90 with 90 */
    }
    CU_ASSERT(less > 5 && less < 45);
}

/* What is pasted is one rectangle, the same in all images, and its area is the other label's. */
static void cutmix_pastes_a_rectangle_and_shares_by_its_area(void)
{
    static bench b;
    int pasted = 0;
    for (uint64_t step = 0; step < 100; step++) {
        bench_init(&b, step);
        mix(&b, "cutmix");
        int top = SIDE, bottom = -1, left = SIDE, right = -1, pixels = 0;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const int at = (y * SIDE + x) * CHANNELS;
                const bool inside = b.images[at] != 0;
                for (int i = 0; i < N; i++)
                    for (int c = 0; c < CHANNELS; c++)
                        CU_ASSERT_EQUAL(b.images[i * SIZE + at + c],
                                        (real)(10 * (inside ? (int)other[i] : i)));
                if (!inside)
                    continue;
                pixels++;
                top = y < top ? y : top, bottom = y > bottom ? y : bottom;
                left = x < left ? x : left, right = x > right ? x : right;
            }
        CU_ASSERT_EQUAL(pixels, pixels ? (bottom - top + 1) * (right - left + 1) : 0);
        pasted += pixels > 0;
        for (int i = 0; i < N; i++)
            expect_row(&b, i, 1 - pixels / (double)(SIDE * SIDE));
    }
    CU_ASSERT(pasted > 20 &&
              pasted < 60); /* half of the batches, less those with a rectangle of 0 */
}

/* Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)). */
static void beta_draws_have_their_mean_and_variance(void)
{
    static const double alphas[] = {0.1, 0.5, 1, 2, 8};
    enum { DRAWS = 20000 };
    for (size_t k = 0; k < sizeof alphas / sizeof alphas[0]; k++) {
        double sum = 0, squares = 0;
        for (uint64_t step = 0; step < DRAWS; step++) {
            const mfm_key key = {.seed = 1, .stream = MFM_STREAM_TEST, .step = step};
            const double x = mfm_random_beta(&key, 0, alphas[k]);
            CU_ASSERT_FATAL(x >= 0 && x <= 1);
            sum += x;
            squares += (x - 0.5) * (x - 0.5);
        }
        CU_ASSERT_DOUBLE_EQUAL(sum / DRAWS, 0.5, 0.018);
        CU_ASSERT_DOUBLE_EQUAL(squares / DRAWS * 4 * (2 * alphas[k] + 1), 1, 0.06);
    }
}

static const mfm_case cases[] = {
    {"mixup mixes images and labels in one proportion",
     mixup_mixes_images_and_labels_in_one_proportion},
    {"Remix gives labels to the rarer class", remix_gives_labels_to_the_rarer_class},
    {"CutMix pastes a rectangle and shares by its area",
     cutmix_pastes_a_rectangle_and_shares_by_its_area},
    {"Beta draws have their mean and variance", beta_draws_have_their_mean_and_variance},
};
MFM_SUITE("core/data/mixing", cases)
