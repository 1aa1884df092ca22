# What `cmake --install` puts where: the library, its public headers in their folders below
# include/onnx-mfm, a CMake package, a pkg-config file, the program and the licence.
include(CMakePackageConfigHelpers)

# Headers that an application includes. The others are shared by files of the library only, and may
# show protobuf-c, which the installed ones never do.
set(mfm_public_headers
    core/base/context.h core/engine/graph.h core/base/linkage.h core/engine/op.h
    core/base/digest.h core/base/option.h core/engine/factors.h core/engine/param_room.h
    core/engine/plan/plan.h core/base/random.h core/base/real.h
    core/base/shape.h core/base/share.h core/data/array_form.h core/data/batch.h
    core/data/sources/dataset.h core/data/feed.h
    core/data/image_reader.h core/data/augmentations/augmentation.h
    core/data/loader.h core/data/mixing/mixing.h core/data/preprocess.h
    core/data/samplers/sampler.h core/data/sources/bad_images.h
    core/data/sources/source.h core/data/split.h
    core/report/confusion.h core/report/outcome.h core/train/bilevel/bilevel.h
    core/train/comm/comm.h core/train/problem/class_weights.h
    core/train/problem/classifier.h core/train/evaluate.h core/train/finishing/finishing.h
    core/train/bilevel/hyper_training.h core/train/losses/loss.h core/train/methods/method.h
    core/train/problem/network.h core/train/optimizers/optimizer.h core/train/problem/problem.h
    core/train/schedules/schedule.h core/train/optimizers/sharpness.h
    core/train/problem/split_network.h core/train/task.h core/train/trainer.h
    core/train/training.h onnx/build/builder.h onnx/checkpoint.h onnx/export.h
    onnx/import/import.h onnx/info/class_info.h onnx/info/preprocess_info.h
    onnx/surgery/inject.h onnx/surgery/inject_info.h onnx/proto/model.h
    models/models.h)
list(TRANSFORM mfm_public_headers PREPEND "${PROJECT_SOURCE_DIR}/")
target_sources(mfm INTERFACE FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}"
    FILES ${mfm_public_headers})

set(mfm_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/onnx-mfm")
install(TARGETS mfm EXPORT onnx-mfm-targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/onnx-mfm")
install(EXPORT onnx-mfm-targets NAMESPACE onnx-mfm:: DESTINATION "${mfm_package_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/onnx-mfm-config.cmake.in"
    "${PROJECT_BINARY_DIR}/onnx-mfm-config.cmake" INSTALL_DESTINATION "${mfm_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/onnx-mfm-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/onnx-mfm-config.cmake"
    "${PROJECT_BINARY_DIR}/onnx-mfm-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/third_party/FindOneDNN.cmake"
    DESTINATION "${mfm_package_dir}")

# What a static library needs is part of its public flags; a shared one names it itself.
set(mfm_pc_requires)
set(mfm_pc_libs)
if(NOT BUILD_SHARED_LIBS)
    set(mfm_pc_requires "libprotobuf-c >= 1.4.1, jansson, zlib")
    if(JPEG_FOUND AND PNG_FOUND)
        string(APPEND mfm_pc_requires ", libjpeg, libpng")
    endif()
    if(TARGET OneDNN::OneDNN)
        string(APPEND mfm_pc_libs " -ldnnl")
    endif()
    string(APPEND mfm_pc_libs " ${OpenMP_C_FLAGS} -lpthread -lm")
endif()
set(mfm_pc_cflags "${OpenMP_C_FLAGS}")
if(MFM_DOUBLE)
    string(APPEND mfm_pc_cflags " -DMFM_DOUBLE")
endif()
# From the file's own place, so that an installation may be moved.
file(RELATIVE_PATH mfm_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${CMAKE_CURRENT_LIST_DIR}/onnx-mfm.pc.in" "${PROJECT_BINARY_DIR}/onnx-mfm.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/onnx-mfm.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

if(TARGET onnx-mfm)
    if(BUILD_SHARED_LIBS)
        file(RELATIVE_PATH mfm_bin_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
        set_target_properties(onnx-mfm PROPERTIES INSTALL_RPATH "$ORIGIN/${mfm_bin_to_lib}")
    endif()
    install(TARGETS onnx-mfm RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs" "${PROJECT_SOURCE_DIR}/examples"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
