# A module for each MPI that is found: onnx-mfm-NAME.so, beside the program in the build tree, below
# lib/onnx-mfm where it is installed. The program loads the one of the launcher that has started it
# (core/train/comm/launch.c), so one program serves all, and needs none when it runs by itself. Each
# module is an install component: a package of its own, which needs that MPI as the program does not.
set(mfm_modules "${CMAKE_INSTALL_LIBDIR}/onnx-mfm")
file(RELATIVE_PATH mfm_modules_from_bin "/${CMAKE_INSTALL_BINDIR}" "/${mfm_modules}")
set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/comm/launch.c" TARGET_DIRECTORY mfm
    PROPERTIES COMPILE_DEFINITIONS
    "MFM_MODULES=\"${CMAKE_INSTALL_PREFIX}/${mfm_modules}\";MFM_MODULES_FROM_BIN=\"${mfm_modules_from_bin}\"")
target_link_libraries(mfm PRIVATE ${CMAKE_DL_LIBS})

function(mfm_mpi_module name library)
    add_library(onnx-mfm-${name} MODULE comm/transport_mpi.c)
    target_link_libraries(onnx-mfm-${name} PRIVATE mfm_options ${library})
    set_target_properties(onnx-mfm-${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden
        LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tools")
    if(MFM_INSTALL)
        install(TARGETS onnx-mfm-${name} COMPONENT ${name}
            LIBRARY DESTINATION "${mfm_modules}")
    endif()
endfunction()

set(mfm_mpis)
if(MFM_WITH_MPI)
    pkg_check_modules(MFM_OPENMPI QUIET IMPORTED_TARGET ompi-c)
    pkg_check_modules(MFM_MPICH QUIET IMPORTED_TARGET mpich)
    if(MFM_OPENMPI_FOUND)
        mfm_mpi_module(openmpi PkgConfig::MFM_OPENMPI)
        list(APPEND mfm_mpis openmpi)
    endif()
    if(MFM_MPICH_FOUND)
        mfm_mpi_module(mpich PkgConfig::MFM_MPICH)
        list(APPEND mfm_mpis mpich)
    endif()
    if(NOT mfm_mpis)
        find_package(MPI QUIET COMPONENTS C)
    endif()
    if(MPI_C_FOUND) # another, or where pkg-config does not know it
        mfm_mpi_module(mpi MPI::MPI_C)
        list(APPEND mfm_mpis mpi)
    endif()
    if(mfm_mpis)
        message(STATUS "MPI modules: ${mfm_mpis}")
    else()
        message(STATUS "No MPI found: training runs in one process")
    endif()
endif()
set(MFM_MPIS "${mfm_mpis}" CACHE INTERNAL "MPIs that have a module")
