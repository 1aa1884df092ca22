/*
 * The part of ONNX Runtime's C interface that the README's program uses, for machines that have the
 * runtime's library without its header, as the Python package does. The interface is a table of
 * functions: each keeps its position for ever, and new ones come at the end, which is what the
 * numbers below rest on. Where the header itself is installed, the test takes that one.
 */
#ifndef MFM_TESTS_ONNXRUNTIME_C_API_H
#define MFM_TESTS_ONNXRUNTIME_C_API_H

#include <stddef.h>
#include <stdint.h>

enum { ORT_API_VERSION = 17 };

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;

typedef enum { ORT_LOGGING_LEVEL_WARNING = 2 } OrtLoggingLevel;
typedef enum { OrtDeviceAllocator = 0, OrtArenaAllocator = 1 } OrtAllocatorType;
typedef enum { OrtMemTypeDefault = 0 } OrtMemType;
typedef enum { ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1 } ONNXTensorElementDataType;

/* Numbers are positions in the table. */
typedef struct OrtApi {
    void *up_to_1[2];
    const char *(*GetErrorMessage)(const OrtStatus *status);                           /* 2 */
    OrtStatus *(*CreateEnv)(OrtLoggingLevel level, const char *name, OrtEnv **result); /* 3 */
    void *up_to_6[3];
    OrtStatus *(*CreateSession)(const OrtEnv *env, const char *path,
                                const OrtSessionOptions *options, OrtSession **result); /* 7 */
    void *up_to_8[1];
    OrtStatus *(*Run)(OrtSession *session, const OrtRunOptions *options,
                      const char *const *input_names, const OrtValue *const *inputs,
                      size_t n_inputs, const char *const *output_names, size_t n_outputs,
                      OrtValue **outputs);                          /* 9 */
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **result); /* 10 */
    void *up_to_48[38];
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *memory, void *data,
                                                 size_t bytes, const int64_t *shape, size_t rank,
                                                 ONNXTensorElementDataType type,
                                                 OrtValue **result); /* 49 */
    void *up_to_50[1];
    OrtStatus *(*GetTensorMutableData)(OrtValue *value, void **data); /* 51 */
    void *up_to_68[17];
    OrtStatus *(*CreateCpuMemoryInfo)(OrtAllocatorType allocator, OrtMemType type,
                                      OrtMemoryInfo **result); /* 69 */
} OrtApi;

typedef struct OrtApiBase {
    const OrtApi *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

const OrtApiBase *OrtGetApiBase(void);

#endif
