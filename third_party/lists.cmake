# Lists of parts: LIST.def in FOLDER of the current directory has a line MACRO(part) for each FOLDER/part.c.
# MFM_EXTRA names a folder outside the tree with parts of its own: LIST.def there, and LIST/part.c.
# The sources include FOLDER/LIST.def and then "extra/LIST.def", which is empty without MFM_EXTRA.
function(mfm_list folder macro)
    cmake_path(GET folder FILENAME list)
    mfm_list_sources("${CMAKE_CURRENT_SOURCE_DIR}/${folder}/${list}.def" ${macro}
        "${CMAKE_CURRENT_SOURCE_DIR}/${folder}")
    mfm_extra_list(${list})
    if(MFM_EXTRA AND EXISTS "${MFM_EXTRA}/${list}.def")
        mfm_list_sources("${MFM_EXTRA}/${list}.def" ${macro} "${MFM_EXTRA}/${list}")
    endif()
endfunction()

# The lines of such a list that lie outside the tree, for a list without files.
function(mfm_extra_list list)
    set(extra "")
    if(MFM_EXTRA AND EXISTS "${MFM_EXTRA}/${list}.def")
        file(READ "${MFM_EXTRA}/${list}.def" extra)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${MFM_EXTRA}/${list}.def")
    endif()
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/lists/extra/${list}.def" CONTENT "${extra}" @ONLY)
endfunction()

function(mfm_list_sources def macro folder)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${def}")
    file(STRINGS "${def}" lines REGEX "^${macro}\\(")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^${macro}\\(([a-z0-9_]+).*" "\\1" part "${line}")
        target_sources(mfm PRIVATE "${folder}/${part}.c")
    endforeach()
endfunction()
