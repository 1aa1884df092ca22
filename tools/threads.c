#include "tools/threads.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/engine/kernels/blas.h"

/* OpenBLAS maps so much for each thread, and once more for who calls it; where it cannot, it tries
 * again for ever, which starts before main. Measured with version 0.3.21. */
static const size_t blas_buffer = (size_t)128 << 20;

/* Measured on two cores with steps of 5 ms: as fast as spinning on a free machine. */
static const char spin_count[] = "3000";

void mfm_calm_threads(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", spin_count, 1) == 0)
        execv("/proc/self/exe", argv);
}

/* ---- before main ---- */

static bool can_map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    return at != MAP_FAILED && munmap(at, size) == 0;
}

static bool space_is_limited(void)
{
    struct rlimit space, data;
    return (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) ||
           (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY);
}

#if !defined(__SANITIZE_ADDRESS__)
/* The loader calls what stands in the program's preinit_array before it starts the libraries. */
static void check_space(void)
{
    static const char text[] =
        "onnx-mfm: the address space is limited (ulimit -v, ulimit -d): OpenBLAS needs 128 MiB for "
        "each processor: raise the limit, or set OMP_NUM_THREADS to fewer\n";
    enum { EXIT_RESOURCES = 4 };
    cpu_set_t processors;
    if (!space_is_limited())
        return;
    const char *asked = getenv("OMP_NUM_THREADS");
    size_t threads = sched_getaffinity(0, sizeof processors, &processors) == 0
                         ? (size_t)CPU_COUNT(&processors)
                         : 1;
    const long fewer = asked ? strtol(asked, NULL, 10) : 0;
    if (fewer > 0 && (size_t)fewer < threads)
        threads = (size_t)fewer;
    if (can_map(threads * blas_buffer))
        return;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(EXIT_RESOURCES); /* nobody reads it */
    _exit(EXIT_RESOURCES);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(void) = check_space;
#endif

/* ---- how many ---- */

void mfm_assume_threads(unsigned threads)
{
    if (threads)
        omp_set_num_threads((int)threads);
}

static void *wait_for_all(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many threads besides this one the system lets start, up to wanted: OpenMP's would end the
 * process. */
static int startable(mfm_ctx *ctx, int wanted)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = mfm_alloc(ctx, (size_t)wanted + 1, sizeof *threads);
    int started = 0;
    if (!threads)
        return 0;
    pthread_mutex_lock(&gate);
    while (started < wanted && pthread_create(&threads[started], NULL, wait_for_all, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    mfm_free(ctx, threads);
    return started;
}

/* The threads that a parallel part really has when `wanted` are asked for. */
static int granted(int wanted)
{
    int team = 1;
    omp_set_num_threads(wanted);
#pragma omp parallel
    {
#pragma omp master
        team = omp_get_num_threads();
    }
    return team;
}

/* Has OpenBLAS take all the memory that it will need, while there is some: on this thread's account
 * a product for all threads, then small ones of each thread at once. */
static int take_blas_buffers(mfm_ctx *ctx, int threads)
{
    enum { N = 512, SMALL = 8 };
    if (!can_map(((size_t)threads + 1) * blas_buffer))
        return mfm_fail(ctx, MFM_ENOMEM,
                        "the address space is limited (ulimit -v, ulimit -d): OpenBLAS needs "
                        "128 MiB for each of %d threads: raise the limit, or lower --threads",
                        threads);
    real *matrix = mfm_alloc_aligned(ctx, (size_t)N * N, 2 * sizeof *matrix);
    if (!matrix)
        return MFM_ENOMEM;
    memset(matrix, 0, (size_t)N * N * 2 * sizeof *matrix);
    mfm_gemm(false, false, N, N, N, 1, matrix, N, matrix, N, 0, matrix + (size_t)N * N, N);
#pragma omp parallel
    {
        real small[3 * SMALL * SMALL] = {0};
#pragma omp barrier
        mfm_gemm(false, false, SMALL, SMALL, SMALL, 1, small, SMALL, small + SMALL * SMALL, SMALL,
                 0, small + 2 * SMALL * SMALL, SMALL);
    }
    mfm_free_aligned(ctx, matrix);
    return MFM_OK;
}

int mfm_use_threads(mfm_ctx *ctx, unsigned threads, int *used)
{
    omp_set_dynamic(0);
    if (omp_get_max_active_levels() < 1)
        omp_set_max_active_levels(1);
    const int wanted = threads ? (int)threads : omp_get_max_threads();
    int most = wanted;
    if (most > omp_get_thread_limit())
        most = omp_get_thread_limit();
    *used = granted(most > 1 ? 1 + startable(ctx, most - 1) : 1);
    omp_set_num_threads(*used);
    if (*used < wanted)
        mfm_warn(ctx, "%d threads are wanted: OMP_THREAD_LIMIT or the system grants %d", wanted,
                 *used);
    return space_is_limited() ? take_blas_buffers(ctx, *used) : MFM_OK;
}
