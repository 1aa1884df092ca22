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

# The library once more for a level of x86-64. What computes is compiled again, the rest is the
# library's own objects. Beside the library, below glibc-hwcaps, the loader (glibc 2.33) takes the
# highest level that the processor has. A level that is older than the rest would hide it: whoever
# links the library has them built too.
function(mfm_library_level level)
    set(target mfm-${level})
    set(computes "/core/(engine|train)/")
    get_target_property(sources mfm SOURCES)
    list(FILTER sources INCLUDE REGEX "${computes}|TARGET_OBJECTS")
    add_library(${target} SHARED ${sources}
        $<FILTER:$<TARGET_OBJECTS:mfm>,EXCLUDE,${computes}>)
    mfm_library(${target})
    target_compile_options(${target} PRIVATE -march=${level})
    target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:mfm,INCLUDE_DIRECTORIES>)
    target_link_libraries(${target} PRIVATE
        $<GENEX_EVAL:$<TARGET_PROPERTY:mfm,LINK_LIBRARIES>>)
    add_dependencies(${target} mfm)
    if(NOT TARGET mfm_levels)
        add_library(mfm_levels INTERFACE)
        target_link_libraries(mfm INTERFACE $<BUILD_INTERFACE:mfm_levels>)
    endif()
    add_dependencies(mfm_levels ${target})
    set_target_properties(${target} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "$<TARGET_FILE_DIR:mfm>/glibc-hwcaps/${level}")
    if(MFM_INSTALL)
        install(TARGETS ${target} LIBRARY NAMELINK_SKIP
            DESTINATION "${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/${level}")
    endif()
endfunction()
