# How the library is linked, static or shared, and shared ones for wider vectors.

# The program and the tests use private headers too: the shared library exports all that is mfm_.
# Calls inside it stay inside.
function(mfm_library target)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME onnx-mfm POSITION_INDEPENDENT_CODE ON
        SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}" VERSION "${PROJECT_VERSION}")
    if(BUILD_SHARED_LIBS)
        set(exports "${PROJECT_SOURCE_DIR}/third_party/exports.map")
        target_compile_options(${target} PRIVATE -fno-semantic-interposition)
        target_link_options(${target} PRIVATE "LINKER:--version-script=${exports}")
        set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}")
    else()
        set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
    endif()
endfunction()

# The library once more, from mfm's sources, for a level of x86-64. Beside the library, below
# glibc-hwcaps, the loader (glibc 2.33) takes the highest level that the processor has. A level that
# is older than the rest would hide it: they are built together.
function(mfm_library_level level)
    set(target mfm-${level})
    add_library(${target} SHARED $<TARGET_PROPERTY:mfm,SOURCES>)
    mfm_library(${target})
    target_compile_options(${target} PRIVATE -march=${level})
    target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:mfm,INCLUDE_DIRECTORIES>)
    target_link_libraries(${target} PRIVATE
        $<GENEX_EVAL:$<TARGET_PROPERTY:mfm,LINK_LIBRARIES>>)
    add_dependencies(${target} mfm_onnx_proto)
    add_dependencies(mfm ${target})
    set_target_properties(${target} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "$<TARGET_FILE_DIR:mfm>/glibc-hwcaps/${level}")
    if(MFM_INSTALL)
        install(TARGETS ${target} LIBRARY NAMELINK_SKIP
            DESTINATION "${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/${level}")
    endif()
endfunction()
