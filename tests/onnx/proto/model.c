#include "onnx/proto/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/onnx/hand.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static char folder[SCRATCH];

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The entries of the folder, "." and ".." left out. */
static size_t count_files(void)
{
    DIR *dir = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    size_t count = 0;
    for (const struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(dir);
    return count;
}

static void test_round_trip(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17), *again;
    CU_ASSERT_EQUAL_FATAL(mfm_model_save(ctx, model, in_folder("m.onnx")), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_load(ctx, in_folder("m.onnx"), &again), MFM_OK);
    CU_ASSERT_STRING_EQUAL(mfm_model_path(again), in_folder("m.onnx"));
    size_t n, m;
    void *a = hand_pack(ctx, model, &n), *b = hand_pack(ctx, again, &m);
    CU_ASSERT_TRUE(n == m && memcmp(a, b, n) == 0);
    CU_ASSERT_EQUAL(count_files(), 1);
    mfm_free(ctx, a);
    mfm_free(ctx, b);
    mfm_model_free(model);
    mfm_model_free(again);
    unlink(in_folder("m.onnx"));
    mfm_ctx_free(ctx);
}

static void test_permissions(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    struct stat st;
    const int fd = open(in_folder("old.onnx"), O_CREAT | O_WRONLY, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fchmod(fd, 0640), 0);
    close(fd);
    CU_ASSERT_EQUAL(mfm_model_save(ctx, model, in_folder("old.onnx")), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(stat(in_folder("old.onnx"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0640);
    CU_ASSERT_TRUE(st.st_size > 100);
    unlink(in_folder("old.onnx"));
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* Writing stops at 100 bytes: the old file stays, and nothing else is left behind. */
static void test_full(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    FILE *old = fopen(in_folder("keep.onnx"), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(old);
    CU_ASSERT_TRUE(fputs("old", old) >= 0 && fclose(old) == 0);
    struct rlimit was, small;
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){100, was.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int status = mfm_model_save(ctx, model, in_folder("keep.onnx"));
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &was), 0);
    CU_ASSERT_EQUAL(status, MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), strerror(EFBIG)));
    char text[8] = "";
    old = fopen(in_folder("keep.onnx"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(old);
    CU_ASSERT_TRUE(fgets(text, sizeof text, old) && strcmp(text, "old") == 0);
    fclose(old);
    CU_ASSERT_EQUAL(count_files(), 1);
    unlink(in_folder("keep.onnx"));
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_places(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17), *none;
    CU_ASSERT_EQUAL(mfm_model_save(ctx, model, in_folder("none/m.onnx")), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), strerror(ENOENT)));
    CU_ASSERT_EQUAL(mfm_model_save(ctx, model, in_folder("")), MFM_EINVAL);
    CU_ASSERT_EQUAL(mkdir(in_folder("dir"), 0700), 0);
    CU_ASSERT_EQUAL(mfm_model_save(ctx, model, in_folder("dir")), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "Is a directory"));
    CU_ASSERT_EQUAL(mfm_model_load(ctx, in_folder("dir"), &none), MFM_EIO);
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_EQUAL(mkfifo(in_folder("pipe"), 0600), 0);
    CU_ASSERT_EQUAL(mfm_model_load(ctx, in_folder("pipe"), &none), MFM_EIO);
    CU_ASSERT_EQUAL(mfm_model_load(ctx, in_folder("absent"), &none), MFM_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), in_folder("absent")));
    CU_ASSERT_EQUAL(count_files(), 2);
    rmdir(in_folder("dir"));
    unlink(in_folder("pipe"));
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_edits(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    Onnx__GraphProto *graph = model->proto->graph;
    CU_ASSERT_EQUAL(mfm_model_opset(model, ""), 17);
    CU_ASSERT_EQUAL(mfm_model_opset(model, "ai.onnx"), 17);
    CU_ASSERT_EQUAL(mfm_model_opset(model, "ai.onnx.ml"), 0);
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(model, "a", "1"), MFM_OK);
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(model, "b", "2"), MFM_OK);
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(model, "a", "3"), MFM_OK);
    CU_ASSERT_STRING_EQUAL(mfm_proto_metadata(model, "a"), "3");
    CU_ASSERT_EQUAL(mfm_proto_set_metadata(model, "a", NULL), MFM_OK);
    CU_ASSERT_PTR_NULL(mfm_proto_metadata(model, "a"));
    CU_ASSERT_STRING_EQUAL(mfm_proto_metadata(model, "b"), "2");
    const size_t nodes = graph->n_node;
    hand_node(model, "Identity", "last", "logits", "twin");
    Onnx__NodeProto *moved = mfm_proto_node(model, "Relu", "second", NULL, 0, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
    CU_ASSERT_EQUAL(mfm_proto_insert(model, &graph->node, &graph->n_node, 1, moved), MFM_OK);
    CU_ASSERT_STRING_EQUAL(graph->node[1]->name, "second");
    CU_ASSERT_STRING_EQUAL(graph->node[2]->op_type, "BatchNormalization");
    CU_ASSERT_STRING_EQUAL(graph->node[nodes + 1]->name, "last");
    mfm_proto_remove(model, &graph->node, &graph->n_node, 1);
    CU_ASSERT_EQUAL(graph->n_node, nodes + 1);
    CU_ASSERT_STRING_EQUAL(graph->node[1]->op_type, "BatchNormalization");
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"what is saved is read back byte for byte, and no other file stays", test_round_trip},
    {"a file that is replaced keeps its permissions", test_permissions},
    {"a full disk leaves the old file and no rubbish", test_full},
    {"folders, pipes and absent files are refused by name", test_places},
    {"edits land where they should", test_edits},
};

int main(void)
{
    if (!scratch_folder(folder, "model"))
        return 1;
    const int failed = mfm_suite_run("onnx/model", cases, sizeof cases / sizeof cases[0]);
    return rmdir(folder) || failed;
}
