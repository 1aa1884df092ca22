/*
 * ONNX's own test vectors of the operators that the engine has, wherever all of a model's operators
 * are among them: imported without the rules for classifiers, run forward, compared.
 *
 *     test-onnx-vectors FOLDER FLOOR [all]
 *
 * FOLDER holds node/, simple/ and so on. Fails on any difference, and when fewer than FLOOR vectors
 * could be run; ends with 77, "skipped", when FOLDER is not there. With `all`, there is a line for
 * every vector, not only for those that did not pass.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors_case.h"

enum { MOST_OPERATORS = 256, SKIPPED_TEST = 77 };

typedef struct tally {
    char op_type[64];
    size_t count[VECTOR_FAILED + 1];
} tally;

typedef struct report {
    tally tallies[MOST_OPERATORS];
    size_t n_tallies, total[VECTOR_FAILED + 1], other_operators, ignored_outputs;
    bool all;
} report;

static tally *tally_for(report *r, const char *op_type)
{
    for (size_t i = 0; i < r->n_tallies; i++)
        if (strcmp(r->tallies[i].op_type, op_type) == 0)
            return &r->tallies[i];
    if (r->n_tallies == MOST_OPERATORS)
        abort();
    tally *fresh = &r->tallies[r->n_tallies++];
    snprintf(fresh->op_type, sizeof fresh->op_type, "%s", op_type);
    return fresh;
}

static void add(report *r, const char *name, const vector_result *result)
{
    static const char *const words[] = {"passed", "skipped", "REFUSED", "FAILED"};
    if (result->outcome == VECTOR_SKIPPED && strcmp(result->reason, "other operators") == 0) {
        r->other_operators++;
        if (r->all)
            printf("other %s: %s\n", name, result->op_type);
        return;
    }
    r->total[result->outcome]++;
    r->ignored_outputs += result->ignored;
    tally_for(r, result->op_type)->count[result->outcome]++;
    if (r->all || result->outcome != VECTOR_PASSED)
        printf("%s %s: %s\n", words[result->outcome], name, result->reason);
}

static int is_test(const struct dirent *entry)
{
    return strncmp(entry->d_name, "test_", 5) == 0;
}

static int run_kind(report *r, const char *root, const char *kind)
{
    char folder[1024];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/%s", root, kind);
    const int count = scandir(folder, &entries, is_test, alphasort);
    for (int i = 0; i < count; i++) {
        char path[2048], name[512];
        vector_result result;
        mfm_ctx *ctx = mfm_ctx_new(NULL);
        if (!ctx)
            abort();
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        snprintf(name, sizeof name, "%s/%s", kind, entries[i]->d_name);
        vector_run(ctx, path, &result);
        add(r, name, &result);
        mfm_ctx_free(ctx);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count;
}

static void print(const report *r)
{
    printf("\n%-24s passed skipped refused failed\n", "first operator");
    for (size_t i = 0; i < r->n_tallies; i++) {
        const tally *t = &r->tallies[i];
        printf("%-24s %6zu %7zu %7zu %6zu\n", t->op_type, t->count[VECTOR_PASSED],
               t->count[VECTOR_SKIPPED], t->count[VECTOR_REFUSED], t->count[VECTOR_FAILED]);
    }
    printf("%-24s %6zu %7zu %7zu %6zu\n", "all", r->total[VECTOR_PASSED], r->total[VECTOR_SKIPPED],
           r->total[VECTOR_REFUSED], r->total[VECTOR_FAILED]);
    printf("%zu vectors of other operators, %zu further outputs not compared\n", r->other_operators,
           r->ignored_outputs);
}

int main(int argc, char **argv)
{
    static report r;
    const size_t least = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (argc < 2)
        return EXIT_FAILURE;
    r.all = argc > 3;
    if (run_kind(&r, argv[1], "node") < 0) {
        printf("%s/node: not there\n", argv[1]);
        return SKIPPED_TEST;
    }
    run_kind(&r, argv[1], "simple");
    run_kind(&r, argv[1], "pytorch-converted");
    run_kind(&r, argv[1], "pytorch-operator");
    print(&r);
    if (r.total[VECTOR_PASSED] < least)
        printf("%zu passed: at least %zu must\n", r.total[VECTOR_PASSED], least);
    return r.total[VECTOR_FAILED] || r.total[VECTOR_PASSED] < least ? EXIT_FAILURE : EXIT_SUCCESS;
}
