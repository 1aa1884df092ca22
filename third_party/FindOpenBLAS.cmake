# OpenBLAS, its OpenMP build where the system has several, so that the process has one thread pool.
# Imported target OpenBLAS::OpenBLAS. The run path is kept, because distributions let the soname
# point at whichever build they prefer.
find_path(OpenBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-openmp
    PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} ENV CPATH)
find_library(OpenBLAS_LIBRARY openblas
    PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp NO_DEFAULT_PATH)
find_library(OpenBLAS_LIBRARY openblas)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)
if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
    add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
    get_filename_component(OpenBLAS_LIBRARY_DIR "${OpenBLAS_LIBRARY}" DIRECTORY)
    set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
        IMPORTED_LOCATION "${OpenBLAS_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${OpenBLAS_INCLUDE_DIR}"
        INTERFACE_LINK_OPTIONS "LINKER:-rpath,${OpenBLAS_LIBRARY_DIR}")
endif()
